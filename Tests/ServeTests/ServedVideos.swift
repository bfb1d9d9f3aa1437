import Files
import Foundation
import TestSupport
import VideoData

/// Videos of the pocket world, drawn once for all tests here.
enum ServedVideos {
    struct Video: Sendable {
        let name: String
        /// Name of its class.
        let label: String
        let bytes: Data

        /// Writes it into the folder that a program runs in, and returns its name.
        func write(to program: Program) throws -> String {
            try program.folder.write([UInt8](bytes), to: name)
            return name
        }
    }

    /// Four videos each of three classes.
    static let all: [Video] = {
        let catalog = PocketCatalog.small()
        var drawn: [Video] = []
        for label in [0, 5, 10] {
            for entry in catalog.train.filter({ $0.label == label }).prefix(4) {
                let name = "\(catalog.classes[label].arm.rawValue.replacing(" ", with: "-"))_\(drawn.count).mp4"
                do {
                    drawn.append(Video(name: name, label: catalog.classes[label].name, bytes: try bytes(of: entry.video, name: name)))
                } catch {
                    fatalError("\(name): \(error)")
                }
            }
        }
        return drawn
    }()

    static var classNames: [String] { all.map(\.label).reduce(into: []) { if !$0.contains($1) { $0.append($1) } } }

    private static func bytes(of video: PocketVideo, name: String) throws -> Data {
        var writer = try VideoWriter(
            path: name, width: PocketVideo.width, height: PocketVideo.height, framesPerSecond: Double(PocketVideo.framesPerSecond))
        for frame in video.frames() { try writer.append(frame) }
        return Data(try writer.finishedBytes())
    }
}
