import Files
import Foundation

/// Why a file, a frame or a list of names cannot be used.
///
/// `description` names the file, the problem and the remedy. It is safe to print: control characters
/// from hostile files are escaped.
public struct VifiPromptError: LocalizedError, CustomStringConvertible, Sendable {
    /// What a caller can act on.
    public enum Kind: Sendable {
        /// A file does not exist or cannot be opened.
        case missingFile
        /// A file or frame is damaged, hostile, of another kind, or belongs to another file.
        case badData
        /// What was asked for does not fit: no class names, names that are too long, too few frames.
        case badRequest
        /// Reading failed midway: a lost disk or file system.
        case inputOutput
        /// Somebody asked for the end.
        case cancelled
        /// The machine has too little memory or lacks something else that is needed.
        case unavailable
        /// A fault in this library.
        case fault
    }

    public let kind: Kind
    public let description: String

    /// For Foundation's `localizedDescription`: the same words.
    public var errorDescription: String? { description }
}

extension VifiPromptError {
    init(_ error: any ReportableError) {
        kind = switch error.exitStatus {
        case .missingInput: .missingFile
        case .badData: .badData
        case .usage, .badConfiguration: .badRequest
        case .inputOutput: .inputOutput
        case .interrupted: .cancelled
        case .unavailable: .unavailable
        case .software: .fault
        }
        description = error.description
    }
}

/// Runs `body`, turning every error into one that users of the library can see.
func reporting<Result>(_ body: () throws -> Result) throws(VifiPromptError) -> Result {
    do {
        return try body()
    } catch let error as any ReportableError {
        throw VifiPromptError(error)
    } catch {
        throw VifiPromptError(kind: .fault, description: "\(error)")
    }
}

/// What is wrong with a request, as far as only this module can know.
enum RequestError: ReportableError {
    case noClassNames
    case frameCount(Int)
    case threadCount(Int)
    case noFrames
    case views(Int)
    case headViews(Int)
    case windows
    case noClassifiers
    case otherSides
    case sameClassifier
    case stopped
    case frameBytes(width: Int, height: Int, byteCount: Int)
    case frameSizes(first: RGBFrame, index: Int, other: RGBFrame)

    var exitStatus: ExitStatus {
        switch self {
        case .frameBytes, .frameSizes: .badData
        case .stopped: .interrupted
        default: .badConfiguration
        }
    }

    var description: String {
        switch self {
        case .noClassNames:
            "there are no class names. Pass classNames, or prompts whose file names its classes."
        case .frameCount(let count):
            "frameCount is \(count); it must be between 1 and 4096."
        case .threadCount(let count):
            "threadCount is \(count); it must be between 1 and 1024."
        case .views(let count):
            "views is \(count); it must be between 1 and 64, with at most 4096 frames in all."
        case .headViews(let count):
            "views is \(count); it must be between 1 and 10."
        case .windows:
            "window and stride must be at least 0.001 seconds or 1 frame, and both in seconds or both in frames."
        case .noClassifiers:
            "there are no classifiers. Pass at least one."
        case .otherSides:
            "the classifiers' backbones take pictures of different sizes. Only classifiers of one backbone can share videos."
        case .sameClassifier:
            "the same classifier is given twice. Pass each one once."
        case .stopped:
            "stopped on request."
        case .noFrames:
            "there are no frames to classify. Pass at least one."
        case .frameBytes(let width, let height, let byteCount):
            "\(byteCount) bytes for a frame of \(width) × \(height) pixels; width × height × 3 are needed, "
                + "with at most \(RGBFrame.pixelLimit) pixels and an aspect ratio of at most 1 : \(RGBFrame.aspectLimit)."
        case .frameSizes(let first, let index, let other):
            "frame \(index) is \(other.width) × \(other.height), frame 0 is \(first.width) × \(first.height). "
                + "All frames of a clip must have one size."
        }
    }
}
