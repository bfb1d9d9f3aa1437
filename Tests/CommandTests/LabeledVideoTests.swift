import Files
import Foundation
import TestSupport
import Testing

/// `predict --save VIDEO.mp4`: the video as the `ffmpeg` program sees it, with labels on its lower edge.
@Suite(.serialized) struct LabeledVideoTests {
    private let program: Program
    private let prompts: String

    init() throws {
        program = try Program()
        prompts = try SmallModel().write(to: program).prompts
    }

    private func shell(_ line: String) throws -> String {
        let outcome = try program.shell(line)
        #expect(outcome.status == 0, "\(line): \(outcome.messages)")
        return outcome.output
    }

    /// A test pattern with sound; frames between 2 and 3 in turn are left out, so that they are not shown equally long.
    private func video(_ name: String, size: String, rate: String = "30000/1001", more: String = "-c:v libx264 -pix_fmt yuv420p") throws {
        _ = try shell(
            "ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=\(size):rate=\(rate):duration=3 -f lavfi -i sine=duration=3 "
                + "-vf \"select='mod(n,5)+lt(n,30)'\" -vsync vfr \(more) \(name)")
    }

    private func stamps(_ name: String) throws -> [Double] {
        try shell("ffprobe -v error -select_streams v:0 -show_entries frame=pts_time,pkt_pts_time -of csv=p=0 \(name)").split(separator: "\n")
            .compactMap { $0.split(separator: ",").first.flatMap { Double($0) } }
    }

    /// Frames in gray, rows from the top.
    private func frames(_ name: String, width: Int, height: Int) throws -> [[UInt8]] {
        _ = try shell("ffmpeg -nostdin -v error -y -i \(name) -map 0:v:0 -vsync passthrough -f rawvideo -pix_fmt gray frames.raw")
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: program.folder.path("frames.raw"))))
        #expect(bytes.count % (width * height) == 0)
        return stride(from: 0, to: bytes.count - width * height + 1, by: width * height).map { Array(bytes[$0..<$0 + width * height]) }
    }

    private func predict(_ arguments: String...) throws -> Program.Outcome { try program.run(["predict", "--prompts", prompts] + arguments) }

    @Test(arguments: [[], ["--isolate"]])
    func framesTimesAndPicturesStay(_ extra: [String]) throws {
        try video("a.mp4", size: "320x240")
        let outcome = try program.run(["predict", "--prompts", prompts, "a.mp4", "--window", "1s", "--save", "out/{}-labeled.mp4"] + extra)
        #expect(outcome.status == 0 && outcome.messages.contains("Wrote out/a-labeled.mp4"), "\(outcome.messages)")
        let (before, after) = (try stamps("a.mp4"), try stamps("out/a-labeled.mp4"))
        #expect(before.count > 60 && before.count == after.count)
        let first = before.first ?? 0
        #expect(zip(before, after).allSatisfy { abs($0 - first - $1) < 1e-5 })
        #expect(try shell("ffprobe -v error -show_entries stream=codec_type,width,height -of csv=p=0 out/a-labeled.mp4") == "video,320,240\n")
        // A 14th of 240 rows, and even.
        let (bar, width, height) = (16, 320, 240)
        for (old, new) in zip(try frames("a.mp4", width: width, height: height), try frames("out/a-labeled.mp4", width: width, height: height)) {
            let above = (height - bar) * width
            let difference = (0..<above).reduce(0) { $0 + abs(Int(old[$1]) - Int(new[$1])) }
            #expect(Double(difference) / Double(above) < 3)
            let dark = new[above...].count { $0 < 70 }
            let light = new[above...].count { $0 > 170 }
            #expect(Double(dark) > 0.5 * Double(bar * width) && light > 20, "\(dark) dark and \(light) light pixels of \(bar * width)")
        }
    }

    /// Sides of odd length grow by a pixel; small pictures and other containers do, too.
    @Test func oddSides() throws {
        try video("a.mkv", size: "82x62", more: "-vf format=yuv444p,scale=81:61 -c:v ffv1")
        #expect(try predict("a.mkv", "--window", "1s", "--save", "a.mp4").status == 0)
        #expect(try shell("ffprobe -v error -show_entries stream=width,height -of csv=p=0 a.mp4") == "82,62\n")
        #expect(try stamps("a.mp4").count == stamps("a.mkv").count)
    }

    /// The same labels make the same bytes; other letters than Latin ones make others.
    @Test func labelsAreDrawn() throws {
        try video("a.mp4", size: "160x120")
        func bytes(_ names: [String], _ file: String) throws -> Data {
            try program.folder.write("id,name\n" + names.enumerated().map { "\($0.offset),\($0.element)\n" }.joined(), to: "labels.csv")
            #expect(try predict("a.mp4", "--window", "1s", "--labels", "labels.csv", "--save", file, "--force").status == 0)
            return try Data(contentsOf: URL(fileURLWithPath: program.folder.path(file)))
        }
        let first = try bytes(["走る", "走る人"], "x.mp4")
        #expect(try bytes(["走る", "走る人"], "y.mp4") == first)
        #expect(try bytes(["座る", "座る人"], "z.mp4") != first)
    }

    @Test func nothingIsOverwrittenOrHalfWritten() throws {
        try createDirectory(program.folder.path("in"))
        try video("in/a.mp4", size: "320x240")
        try createDirectory(program.folder.path("out"))
        // The disk takes no more.
        let full = try program.limited(fileBlocks: 20, ["predict", "--prompts", prompts, "in/a.mp4", "--window", "1s", "--save", "out/b.mp4"])
        #expect(full.status == 74 && full.messages.contains("out/b.mp4: writing failed"), "\(full.messages)")
        #expect(try directoryEntries(program.folder.path("out")) == [])
        // Neither the video itself nor one that would be labeled next.
        let own = try predict("in/a.mp4", "--window", "1s", "--save", "in/a.mp4", "--force")
        #expect(own.status == 64 && own.messages.contains("in/a.mp4: is one of the videos"), "\(own.messages)")
        let among = try predict("in", "--window", "1s", "--save", "{dir}/{}-labeled.mp4")
        #expect(among.status == 64 && among.messages.contains("would be found among the videos"), "\(among.messages)")
        #expect(try directoryEntries(program.folder.path("in")) == ["a.mp4"])
        try program.folder.write("mine", to: "out/a.mp4")
        #expect(try predict("in", "--window", "1s", "--save", "out/{}.mp4").status == 74)
        #expect(try predict("in", "--window", "1s", "--save", "out/{}.mp4", "--force").status == 0)
        #expect(try stamps("out/a.mp4").count > 60)
    }

    /// - Parameter thread: that takes the signal: the one that the system chooses, or one that a library started before the program did,
    ///   as OpenBLAS does, which blocks no signals.
    @Test(arguments: ["any", "a library's"]) func stoppingLeavesNothing(thread: String) throws {
        _ = try shell("ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=640x480:rate=25:duration=20 -c:v libx264 -preset ultrafast a.mp4")
        try createDirectory(program.folder.path("out"))
        let (process, _) = try program.start(Program.path, ["predict", "--prompts", prompts, "a.mp4", "--window", "2s", "--save", "out/b.mp4"])
        let deadline = Date(timeIntervalSinceNow: 60)
        // Before the work a block is written there and taken back.
        func isBegun() throws -> Bool {
            try directoryEntries(program.folder.path("out")).contains { name in
                ((try? FileManager.default.attributesOfItem(atPath: program.folder.path("out/" + name)))?[.size] as? Int ?? 0) > 20_000
            }
        }
        while process.isRunning, Date() < deadline, try !isBegun() { usleep(2000) }
        #expect(try process.isRunning && isBegun())
        let number = process.processIdentifier
        if thread == "any" {
            kill(number, SIGINT)
        } else {
            // Its threads are older than all others but the first. A machine with one processor has none.
            let open = try directoryEntries("/proc/\(number)/task").compactMap(Int32.init).sorted().first { task in
                let status = try String(contentsOfFile: "/proc/\(number)/task/\(task)/status", encoding: .utf8)
                let mask = status.split(separator: "\n").first { $0.hasPrefix("SigBlk:") }?.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) }
                return (mask ?? .max) & 1 << UInt64(SIGINT - 1) == 0
            }
            _ = try shell("python3 -c 'import ctypes; ctypes.CDLL(None).tgkill(\(number), \(open ?? number), 2)'")
        }
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGINT)
        #expect(try directoryEntries(program.folder.path("out")) == [])
    }
}
