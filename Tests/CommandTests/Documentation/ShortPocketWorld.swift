import Files
import Foundation
import TestSupport
import Testing

/// The pocket world with all of its training videos and one test video a class, so that a command that scores its
/// test lists takes a second.
enum ShortPocketWorld {
    /// The folder for `VIFI_PROMPT_DATA`. Videos are drawn once, beside the program, and linked.
    static let folder = Result { try make() }

    private static func make() throws -> String {
        let whole = Program.builtFolder + "/pocket-videos"
        var program = try Program()
        program.videos = whole
        let outcome = try program("demo", "videos")
        guard outcome.status == 0 else { throw DocumentationFault(words: outcome.messages) }
        let short = Program.builtFolder + "/pocket-videos-short"
        try? FileManager.default.removeItem(atPath: short)
        for set in ["pocket-small", "pocket-large"] {
            let root = "\(whole)/\(set)"
            try createDirectory("\(short)/\(set)")
            for name in try FileManager.default.contentsOfDirectory(atPath: root) {
                let target = "\(short)/\(set)/\(name)"
                if ["train", "val", "test"].contains(name) {
                    try FileManager.default.linkItem(atPath: "\(root)/\(name)", toPath: target)
                } else {
                    let text = try String(contentsOfFile: "\(root)/\(name)", encoding: .utf8)
                    try (name.contains("test") || name.contains("val") ? firstVideos(of: text) : text).write(toFile: target, atomically: true, encoding: .utf8)
                }
            }
        }
        return short
    }

    /// The lines of a list that name the first video of their class, and a header.
    private static func firstVideos(of list: String) -> String {
        list.components(separatedBy: "\n").filter { !$0.contains(".mp4") || $0.contains("-00.mp4") }.joined(separator: "\n")
    }
}
