import Files

/// Why a video cannot be read or written.
package struct VideoError: ReportableError, Equatable {
    package enum Problem: Sendable, Equatable {
        case file(FileError)
        case empty
        /// Something else under a video's name, in words: "a web page (HTML)".
        case notVideo(what: String)
        /// A list of other files: HLS, ffconcat.
        case playlist(what: String)
        case unknownContainer
        /// An MP4 whose table of contents (`moov`), or all its pictures, lie beyond the end of the file.
        case incompleteDownload(byteCount: Int)
        /// FFmpeg's own words.
        case damagedContainer(reason: String)
        /// Fragments of a streamed video without the part that describes them.
        case segment
        /// That part, without fragments.
        case initialization
        /// Its pictures are encrypted.
        case encrypted(scheme: String)
        /// In a profile of Dolby Vision whose pictures mean nothing to other decoders.
        case dolbyVision(profile: Int)
        case onlySound
        case onlyCoverArt
        case noVideoStream
        // Folders of frames.
        case noFrames
        case notPicture
        case damagedPicture
        case unsupportedCodec(name: String)
        case tooLarge(what: String, value: Int, limit: Int)
        case nothingDecodes(packetCount: Int, declaredFrameCount: Int)
        case noSuchFrame(index: Int, frameCount: Int)
        /// A part that reaches beyond the end of the video.
        case noSuchPart(ClipPart, seconds: Double)
        /// Of what is shown.
        case outsideOfPicture(region: String, width: Int, height: Int)
        case cannotConvert(reason: String)
        case cannotEncode(reason: String)
    }

    package let path: String
    package let problem: Problem

    package init(path: String, problem: Problem) {
        self.path = path
        self.problem = problem
    }

    package var exitStatus: ExitStatus {
        switch problem {
        case .file(let error): error.exitStatus
        case .cannotEncode: .inputOutput
        case .outsideOfPicture: .usage
        default: .badData
        }
    }

    package var description: String {
        let name = path.escapedForDisplay
        return switch problem {
        case .file(let error):
            error.description
        case .empty:
            "\(name): is empty (0 bytes). Copy or download it again."
        case .notVideo(let what):
            "\(name): is \(what), not a video."
        case .playlist(let what):
            "\(name): is \(what), which only names other files; those are never opened. Give the video file itself."
        case .unknownContainer:
            "\(name): is not a video container that vifi-prompt reads "
                + "(MP4, MOV, MKV, WebM, AVI, MPEG, TS, FLV, OGG, WMV, GIF). Convert it: ffmpeg -i IN OUT.mp4"
        case .incompleteDownload(let byteCount):
            "\(name): ends too early, after \(byteCount) bytes. The download or copy is incomplete; fetch it again."
        case .damagedContainer(let reason):
            "\(name): cannot be read as a video: \(reason.escapedForDisplay). Fetch it again or convert it."
        case .segment:
            "\(name): is a segment of a streamed video (DASH or HLS) without the initialization part that describes it. "
                + "Put that in front: cat INIT SEGMENT… > VIDEO"
        case .initialization:
            "\(name): is the initialization part of a streamed video (DASH or HLS): it describes pictures but holds none. "
                + "Append the segments: cat INIT SEGMENT… > VIDEO"
        case .encrypted(let scheme):
            "\(name): its pictures are encrypted (\(scheme.escapedForDisplay)). Decrypt it first, or get a copy that is not."
        case .dolbyVision(let profile):
            "\(name): is in Dolby Vision, profile \(profile), without a base layer that other decoders can show. "
                + "Export it as HDR10, HLG or SDR."
        case .onlySound:
            "\(name): holds sound but no pictures."
        case .onlyCoverArt:
            "\(name): holds a cover picture but no video."
        case .noVideoStream:
            "\(name): holds no video stream."
        case .noFrames:
            "\(name): is a folder without frames. Frames are pictures such as img_00001.jpg (JPEG, PNG, WebP, BMP, PPM or TIFF)."
        case .notPicture:
            "\(name): is not a picture that vifi-prompt reads (JPEG, PNG, WebP, BMP, PPM, TIFF), despite its name. Extract the frame again."
        case .damagedPicture:
            "\(name): is a damaged picture. Extract the frame again."
        case .unsupportedCodec(let codec):
            "\(name): this FFmpeg cannot decode '\(codec.escapedForDisplay)'. Convert it: ffmpeg -i IN OUT.mp4"
        case .tooLarge(let what, let value, let limit):
            "\(name): has \(value) \(what), but at most \(limit) are accepted."
        case .nothingDecodes(let packetCount, let declaredFrameCount):
            "\(name): none of its \(packetCount) packets can be decoded"
                + (declaredFrameCount > 0 ? " (the header promises \(declaredFrameCount) frames)" : "")
                + ". It is damaged or incomplete; fetch it again."
        case .noSuchFrame(let index, let frameCount):
            "\(name): there is no frame \(index); it has \(frameCount), counted from 0."
        case .noSuchPart(let part, let seconds):
            "\(name): has no part from \(part.text.replacing(" ", with: " to ")) seconds; its last frame ends at \(NumberText.decimal(seconds, places: 3)). "
                + "Correct the times, which count from the first frame, or the video's name."
        case .outsideOfPicture(let region, let width, let height):
            "\(name): its picture is \(width) × \(height) pixels, and the region \(region) is not within it. Name another --region."
        case .cannotConvert(let reason):
            "\(name): a frame cannot be converted to RGB: \(reason.escapedForDisplay)."
        case .cannotEncode(let reason):
            "\(name): cannot be encoded: \(reason.escapedForDisplay)."
        }
    }
}

/// Something odd about a video that can still be used.
package enum VideoWarning: Sendable, Equatable, CustomStringConvertible {
    /// Fewer pictures arrived than the header promises: often an incomplete download.
    case fewerFramesThanDeclared(declared: Int, found: Int)
    /// Packets that are cut off or that the decoder rejected, or frames that it marks as damaged.
    case damagedFrames(count: Int)
    /// The container is damaged: frames may be missing. In FFmpeg's words.
    case damagedContainer(reason: String)
    /// The last frame comes long before the end that the header names.
    case endsEarly(declaredSeconds: Double, foundSeconds: Double)
    /// These frames did not decode and show the last one before them that did.
    case repeatedFrames(indices: [Int])
    /// Fewer frames than the clip needs: some are shown again.
    case fewerFramesThanNeeded(found: Int, needed: Int)
    case absurdDuration(seconds: Double)
    case absurdRate(framesPerSecond: Double)
    /// The display matrix is not a multiple of a quarter turn; the frames are left as they are.
    case ignoredRotation(degrees: Double)
    /// Frames of another size are scaled to that of the first.
    case sizeChange(width: Int, height: Int)
    /// Time stamps that go back or far ahead; what follows counts from the frame before.
    case timeJumps(count: Int)
    /// Pictures in a folder have no times.
    case assumedRate(framesPerSecond: Double)
    /// Frames without a time stamp, taken to follow the one before them.
    case missingTimes(count: Int, frameSeconds: Double)

    package var description: String {
        switch self {
        case .fewerFramesThanDeclared(let declared, let found):
            "the header promises \(declared) frames, but only \(found) are there; the download may be incomplete"
        case .damagedFrames(let count):
            "\(count) damaged packets or frames"
        case .damagedContainer(let reason):
            "the file is damaged, so that frames may be missing: \(reason.escapedForDisplay)"
        case .endsEarly(let declared, let found):
            "the header promises \(seconds(declared)) seconds, but the last frame comes at \(seconds(found)); the download may be incomplete"
        case .repeatedFrames(let indices):
            "frames \(indices.prefix(10).map(String.init).joined(separator: ", "))"
                + (indices.count > 10 ? " and \(indices.count - 10) more" : "")
                + " cannot be decoded; the last good frame is shown instead"
        case .fewerFramesThanNeeded(let found, let needed):
            "\(found) \(found == 1 ? "frame" : "frames"), but \(needed) are needed; frames are repeated"
        case .absurdDuration(let seconds):
            "the header claims a duration of \(seconds) seconds; ignored"
        case .absurdRate(let framesPerSecond):
            "the header claims \(framesPerSecond) frames per second; ignored"
        case .ignoredRotation(let degrees):
            "the header asks for a rotation by \(degrees) degrees; only quarter turns are applied"
        case .sizeChange(let width, let height):
            "some frames are \(width) × \(height); scaled to the size of the first"
        case .timeJumps(let count):
            "its clock jumps \(count == 1 ? "once" : "\(count) times"); times after that count from the frame before"
        case .assumedRate(let framesPerSecond):
            "a folder of frames has no times; \(Int(framesPerSecond)) frames per second are assumed"
        case .missingTimes(let count, let frameSeconds):
            "\(count) frames have no time; each is assumed to begin \(Int((frameSeconds * 1000).rounded())) ms after the one before"
        }
    }

    private func seconds(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
