import Files
import TestSupport
import VideoData

extension Program {
    /// A folder with a backbone of a few thousand numbers, ten videos and their lists.
    static func withVideos() throws -> Program {
        let program = try Program()
        try SmallModel().backbone.save(to: program.folder.path("clip.safetensors"))
        var list = ""
        for video in 0..<10 {
            var writer = try VideoWriter(path: program.folder.path("video\(video).mp4"), width: 48, height: 40, framesPerSecond: 25)
            for frame in 0..<6 {
                let pixels = (0..<48 * 40 * 3).map { UInt8(truncatingIfNeeded: ($0 * (video + 3)) / 7 + frame * 20 + video * 11) }
                try writer.append(pixels)
            }
            try writer.finish()
            list += "video\(video).mp4 \(video % 5)\n"
        }
        try program.folder.write(list, to: "list.txt")
        // Halves without a video in common.
        let lines = list.split(separator: "\n").map { $0 + "\n" }
        try program.folder.write(lines[..<5].joined(separator: ""), to: "train.txt")
        try program.folder.write(lines[5...].joined(separator: ""), to: "val.txt")
        try program.folder.write("id,name\n0,waving\n1,clapping\n2,jumping\n3,sitting\n4,turning\n", to: "labels.csv")
        return program
    }
}
