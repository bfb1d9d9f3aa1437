import Testing
import VideoData

/// The part of a picture that is looked at is what `ffmpeg -vf crop` cuts out of it.
@Suite struct ViewedRegionTests {
    @Test(arguments: [
        ("0,0,1,1", "0,0,1,1"), ("320,180,640,360", "320,180,640,360"), ("10%,10%,50%,50%", "10%,10%,50%,50%"), ("12.5%, 0%, 100, 50%", "12.5%,0%,100,50%"),
    ])
    func regionsAreRead(_ text: String, _ written: String) throws {
        let region = try #require(ViewedRegion(text))
        #expect(region.text == written && ViewedRegion(region.text) == region)
    }

    @Test(arguments: [
        "", "1,2,3", "1,2,3,4,5", "1,2,3,", ",,,", "0,0,0,5", "0,0,5,0%", "-1,0,5,5", "1.5,0,5,5", "0,0,101%,5", "0,0,nan%,5", "0,0,1e1%,5", "a,b,c,d",
        "0,0,99999999999999999999,5", "0,0,%,5", "١,0,5,5",
    ])
    func otherTextsAreNone(_ text: String) { #expect(ViewedRegion(text) == nil) }

    private func frames(_ path: String, _ region: String, rotated: Bool = true) throws -> [VideoFrame] {
        let part: ViewedRegion = try #require(ViewedRegion(region))
        var video = try VideoFile(path: path, pictures: PictureRules(appliesRotation: rotated, region: part))
        return try video.frames(at: Array(0..<video.frameCount))
    }

    /// Odd places in coarse chroma: it is cut after the conversion.
    private func reference(_ path: String, _ width: Int, _ height: Int, at x: Int, _ y: Int) throws -> [[UInt8]] {
        let bytes = try ffmpeg([
            "-i", path, "-map", "0:V:0", "-vsync", "passthrough", "-vf", "format=rgb24,crop=\(width):\(height):\(x):\(y):exact=1", "-f", "rawvideo", "-pix_fmt",
            "rgb24", "-",
        ])
        return stride(from: 0, to: bytes.count, by: width * height * 3).map { Array(bytes[$0..<$0 + width * height * 3]) }
    }

    @Test(arguments: ["yuv420p", "yuv422p10le", "yuv444p"], [("31,17,33,21", [33, 21, 31, 17]), ("25%,25%,50%,75%", [48, 48, 24, 16]), ("0,0,96,64", [96, 64, 0, 0])])
    func asFFmpeg(_ format: String, _ region: (String, [Int])) throws {
        let folder = try DecodingFolder()
        let path = folder.file("a.mp4")
        try ffmpeg(pattern(96, 64, frames: 3) + ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", format, path])
        let place = region.1
        let expected = try reference(path, place[0], place[1], at: place[2], place[3])
        let found = try frames(path, region.0)
        #expect(found.count == 3 && expected.count == 3)
        for (frame, other) in zip(found, expected) {
            #expect(frame.width == place[0] && frame.height == place[1] && largestDifference(frame.pixels, other) == 0)
        }
    }

    /// The region counts in the picture as it is shown.
    @Test func turnedPicturesAreCutAsTheyAreShown() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 2) + ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", folder.file("a.mp4")])
        var bytes = try readBytes(folder.file("a.mp4"))
        let box = try #require(bytes.indices.first { bytes[$0...].starts(with: Array("tkhd".utf8)) })
        for (position, value) in zip([0, 1, 3, 4], [0, 1, -1, 0]) {
            bytes.replaceSubrange(box + 44 + position * 4..<box + 48 + position * 4, with: MediaBytes.bigEndian(value << 16))
        }
        let path = try folder.write(bytes, to: "b.mp4")
        let expected = try reference(path, 31, 61, at: 5, 33)
        #expect(try frames(path, "5,33,31,61").map(\.pixels) == expected)
        // Out of the picture as it lies in the file, and the other way about.
        #expect(throws: VideoError.self) { try frames(path, "5,3,91,61") }
        #expect(try frames(path, "5,3,91,61", rotated: false).count == 2)
    }

    /// Streams see what single frames see.
    @Test func streamsSeeTheSame() throws {
        let folder = try DecodingFolder()
        let path = folder.file("a.mp4")
        try ffmpeg(pattern(96, 64, frames: 10, rate: 10) + ["-c:v", "libx264", "-pix_fmt", "yuv420p", path])
        let pictures = PictureRules(region: ViewedRegion("7,5,40,32"))
        let grid = WindowGrid(window: .frames(1), stride: .frames(1), sampleCount: 1)
        let stream = try openVideoStream(VideoStreamRequest(path: path, grids: [grid], shortSide: 32, batchCount: 4, pictures: pictures))
        var seen: [VideoFrame] = []
        while true {
            let part = try stream.next()
            seen += part.frames.map(\.picture)
            if part.isLast { break }
        }
        #expect(seen == (try frames(path, "7,5,40,32")))
    }

    @Test func foldersOfFramesAreCutToo() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 2) + [folder.file("img_%05d.png")])
        let whole = try openVideo(folder.path).frames(at: [0, 1])
        let cut = try openVideo(folder.path, pictures: PictureRules(region: ViewedRegion("9,8,11,12"))).frames(at: [0, 1])
        #expect(cut == whole.map { $0.cropped(to: CropBox(left: 9, top: 8, width: 11, height: 12)) })
    }

    @Test(arguments: ["90,0,7,5", "0,60,5,5", "96,0,1,1", "99.9%,0,0.1%,5", "60%,0,50%,50%"])
    func outOfThePictureIsRefused(_ region: String) throws {
        let folder = try DecodingFolder()
        let path = folder.file("a.mp4")
        try ffmpeg(pattern(96, 64, frames: 2) + ["-c:v", "libx264", "-pix_fmt", "yuv420p", path])
        let problem = VideoError.Problem.outsideOfPicture(region: region, width: 96, height: 64)
        #expect(throws: VideoError(path: path, problem: problem)) { try frames(path, region) }
        let grid = WindowGrid(window: .seconds(1), stride: .seconds(1), sampleCount: 1)
        let stream = try openVideoStream(
            VideoStreamRequest(path: path, grids: [grid], shortSide: 32, batchCount: 4, pictures: PictureRules(region: ViewedRegion(region))))
        #expect(throws: VideoError(path: path, problem: problem)) { while try !stream.next().isLast {} }
        #expect(VideoError(path: "a.mp4", problem: problem).description == "a.mp4: its picture is 96 × 64 pixels, and the region \(region) is not within it. Name another --region.")
    }
}
