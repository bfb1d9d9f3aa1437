import CLIPModel
import Files
import Foundation
import Tensors
import TestSupport
import Testing
import VideoData
import Experiments

/// `predict` with a model of random numbers, on videos that it makes.
@Suite(.serialized) struct PredictTests {
    private let program: Program
    private let prompts: String
    private let backbone: String

    init() throws {
        program = try Program()
        let paths = try SmallModel().write(to: program)
        (prompts, backbone) = (paths.prompts, paths.backbone)
    }

    /// A video of gray levels, 10 frames a second.
    private func video(_ name: String, frames: Int = 40, shade: Int = 3) throws {
        try createDirectory(program.folder.path(name).parentDirectory)
        var writer = try VideoWriter(path: program.folder.path(name), width: 48, height: 48, framesPerSecond: 10)
        for index in 0..<frames {
            var pixels: [UInt8] = []
            for pixel in 0..<48 * 48 {
                pixels.append(UInt8(truncatingIfNeeded: index * shade))
                pixels.append(UInt8(pixel % 48 * 5))
                pixels.append(UInt8(pixel / 48 * 5))
            }
            try writer.append(pixels)
        }
        try writer.finish()
    }

    private func predict(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        try program.run(["predict", "--prompts", prompts] + arguments, sourceLocation: sourceLocation)
    }

    private func objects(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    private func text(_ name: String) throws -> String { try String(contentsOfFile: program.folder.path(name), encoding: .utf8) }

    // MARK: Windows

    @Test func oneWindowSaysWhatTheWholeVideoDoes() throws {
        try video("a.mp4")
        let whole = try #require(try objects(predict("a.mp4", "--json").output).first)
        for length in ["40f", "4s", "4000ms"] {
            let line = try #require(try objects(predict("a.mp4", "--json", "--window", length).output).first)
            let windows = try #require(line["windows"] as? [[String: Any]])
            #expect(windows.count == 1 && line["seconds"] as? Double == 4)
            let (one, other) = (windows[0]["scores"] as? [[String: Any]] ?? [], whole["scores"] as? [[String: Any]] ?? [])
            #expect(one.map { $0["class"] as? String } == other.map { $0["class"] as? String } && one.count == 5)
            for (a, b) in zip(one, other) {
                expectClose(Float(a["probability"] as? Double ?? 0), Float(b["probability"] as? Double ?? 1), tolerance: 1e-4)
            }
        }
    }

    @Test func timeLinesComeInAllForms() throws {
        try video("a.mp4")
        let outcome = try predict(
            "a.mp4", "--window", "1s", "--stride", "0.5s", "--save", "out/{}.srt", "--save", "out/{}.vtt", "--save", "out/{}.svg",
            "--save", "out/{}.png", "--save", "out/{}.csv", "--save", "out/{}.json")
        #expect(outcome.status == 0, "\(outcome.messages)")
        #expect(outcome.output.hasPrefix("a.mp4, 0:04.0, 7 windows of 1s every 0.5s\n  0:00.0 – 0:0"))
        #expect(outcome.output.split(separator: "\n").last?.contains("– 0:04.0  ") == true)
        #expect(try text("out/a.srt").hasPrefix("1\n00:00:00,000 --> 00:00:0"))
        #expect(try text("out/a.vtt").hasPrefix("WEBVTT\n\n00:00:00.000 --> "))
        #expect(try text("out/a.svg").contains("</svg>"))
        #expect(try InputFile(path: program.folder.path("out/a.png")).bytes(at: 1, count: 3) == Array("PNG".utf8))
        let rows = try text("out/a.csv").split(separator: "\n")
        #expect(rows.count == 8 && rows[0] == "video,prompts,start,end,answer,probability,best_class,best_probability")
        #expect(try predict("a.mp4", "--window", "1s", "--stride", "0.5s", "--csv").output == text("out/a.csv"))
        #expect(try predict("a.mp4", "--window", "1s", "--stride", "0.5s", "--jsonl").output == text("out/a.json"))
        // Nothing is overwritten unasked.
        let again = try predict("a.mp4", "--window", "1s", "--save", "out/a.srt")
        #expect(again.status == 74 && again.messages.contains("out/a.srt: already exists."))
        #expect(try predict("a.mp4", "--window", "1s", "--save", "out/a.srt", "--force").status == 0)
    }

    /// What annotation programs are given is imported as lines of the same parts.
    @Test func timeLinesOfAnnotationProgramsComeBack() throws {
        try video("in/a.mp4")
        let endings = ["eaf", "xml", "label-studio.json", "createml.json", "csv", "json"]
        let window = ["in/a.mp4", "--window", "1s", "--stride", "0.5s"]
        let outcome = try program.run(["predict", "--prompts", prompts] + window + endings.flatMap { ["--save", "out/{}.\($0)"] })
        #expect(outcome.status == 0, "\(outcome.messages)")
        let answer = try #require(try JSONSerialization.jsonObject(with: Data(try text("out/a.json").utf8)) as? [String: Any])
        let segments = try #require(answer["segments"] as? [[String: Any]])
        for (number, ending) in endings.enumerated() {
            let lists = "lists-\(number)"
            let imported = try program("data", "import", "out/a.\(ending)", "--root", "in", "--output", lists)
            #expect(imported.status == 0, "\(ending): \(imported.messages)")
            let names = try text("\(lists)/labels.csv").split(separator: "\n").dropFirst().map { $0.split(separator: ",", maxSplits: 1).last.map(String.init) ?? "" }
            var found = try text("\(lists)/train.txt").split(separator: "\n").map { line -> (start: Double, end: Double, name: String) in
                let fields = line.split(separator: " ")
                #expect(fields.count == 4 && fields[0] == "a.mp4")
                return (Double(fields[1]) ?? -1, Double(fields[2]) ?? -1, names[Int(fields[3]) ?? 0])
            }
            found.sort { $0.start < $1.start }
            #expect(found.count == segments.count, "\(ending)")
            for (part, segment) in zip(found, segments) {
                #expect(part.name == (segment["answer"] as? [String: Any])?["class"] as? String)
                // To the millisecond, or to a frame of 40 ms or more.
                let tolerance = ending == "xml" || ending == "label-studio.json" ? 0.101 : 0.0011
                #expect(abs(part.start - (segment["start"] as? Double ?? -1)) < tolerance && abs(part.end - (segment["end"] as? Double ?? -1)) < tolerance, "\(ending)")
            }
        }
        let without = try program("data", "import", "out/a.xml", "--output", "none")
        #expect(without.status == 65 && without.messages.contains("counts frames, whose times only the videos tell. Say with --root"))
        #expect(try program("data", "import", "out/a.label-studio.json", "--frame-rate", "10", "--output", "rated").status == 0)
        #expect(try program("data", "import", "out/a.eaf", "--frame-rate", "0", "--output", "none").status == 64)
        let learned = try program("data", "check", "lists-0/train.txt", "--root", "in")
        #expect(learned.status == 0, "\(learned.output)")
    }

    @Test func severalTimeLinesNeedNamesOfTheirOwn() throws {
        try video("x/a.mp4")
        try video("y/a.mp4")
        let one = try predict("x", "--window", "2s", "--save", "a.srt")
        #expect(one.status == 64 && one.messages.contains("Put {} in its name"))
        let twice = try predict("x", "y", "--window", "2s", "--save", "{}.srt")
        #expect(twice.status == 64 && twice.messages.contains("two videos would be saved there"))
        #expect(try predict("x", "y", "--window", "2s", "--save", "{dir}/{}.vtt").status == 0)
        #expect(fileExists(program.folder.path("x/a.vtt")) && fileExists(program.folder.path("y/a.vtt")))
    }

    @Test func timeLinesGoOnWithTheirAnswers() throws {
        for name in ["in/a.mp4", "in/b.mp4"] { try video(name) }
        let command = ["predict", "--prompts", prompts, "in", "--window", "1s", "--save", "out/{}.srt", "--save", "out/{}.png", "--output", "out.jsonl"]
        #expect(try program.run(command).status == 0)
        // A crash between the time line of the second video and its line in the log.
        let both = try text("out.jsonl")
        try program.folder.write(String(both.split(separator: "\n")[0]) + "\n", to: "out.jsonl")
        let again = try program.run(command)
        #expect(again.status == 0, "\(again.messages)")
        #expect(try text("out.jsonl") == both)
        // A video that has changed has another time line.
        try video("in/b.mp4", frames: 60)
        #expect(try program.run(command).status == 0)
        #expect(try text("out/b.srt").contains("00:00:06,000"))
        // Somebody else's file stays.
        try video("in/c.mp4")
        try program.folder.write("mine", to: "out/c.srt")
        let foreign = try program.run(command)
        #expect(foreign.status == 74 && foreign.messages.contains("out/c.srt: already exists."))
        #expect(try text("out/c.srt") == "mine")
        #expect(try directoryEntries(program.folder.path("out")) == ["a.png", "a.srt", "b.png", "b.srt", "c.srt"])
    }

    // MARK: Regions

    /// A region is seen alike by whole videos, windows and workers, and named in each line.
    @Test func regionsAreSeenAlikeEverywhere() throws {
        try video("a.mp4")
        let line = try #require(try objects(predict("a.mp4", "--json", "--region", "3,5,21,30").output).first)
        #expect(line["region"] as? String == "3,5,21,30")
        #expect(try predict("a.mp4", "--json").output.contains("region") == false)
        #expect(try predict("a.mp4").output != predict("a.mp4", "--region", "3,5,21,30").output)
        #expect(try predict("a.mp4", "--region", "0,0,100%,100%").output == predict("a.mp4").output)
        #expect(try predict("a.mp4", "--region", "25%,50%,50%,25%").output == predict("a.mp4", "--region", "12,24,24,12").output)
        for window in [[], ["--window", "1s"]] {
            let command = ["predict", "--prompts", prompts, "a.mp4", "--json", "--region", "3,5,21,30"] + window
            let (here, isolated) = (try program.run(command), try program.run(command + ["--isolate"]))
            #expect(isolated.status == 0 && isolated.output == here.output, "\(isolated.messages)")
        }
    }

    @Test func regionsOutsideOfThePictureAreRefused() throws {
        try video("a.mp4")
        for extra in [[], ["--isolate"], ["--window", "1s"], ["--window", "1s", "--isolate"]] {
            let outcome = try program.run(["predict", "--prompts", prompts, "a.mp4", "--region", "40,0,10,10"] + extra)
            #expect(outcome.status == 64 && outcome.output == "", "\(extra): \(outcome.messages)")
            #expect(outcome.messages.contains("a.mp4: its picture is 48 × 48 pixels, and the region 40,0,10,10 is not within it. Name another --region."))
        }
        #expect(try predict("a.mp4", "--region", "1,2,3").status == 64)
    }

    // MARK: Answers

    @Test func unlikelyVideosAreNoneOfTheClasses() throws {
        try video("a.mp4")
        let line = try #require(try objects(predict("a.mp4", "--json", "--threshold", "1", "--reject-label", "other").output).first)
        let answer = try #require(line["answer"] as? [String: Any])
        #expect(answer["class"] as? String == "other" && answer["label"] == nil && answer["probability"] == nil)
        #expect((line["scores"] as? [Any])?.count == 5)
        #expect(try predict("a.mp4", "--threshold", "1").output.contains("\n           none of these\n"))
        // Texts for none take a share of the probability.
        let told = try #require(try objects(predict("a.mp4", "--json", "--none-prompt", "nobody", "--none-prompt", "a wall").output).first)
        let none = try #require(told["none"] as? Double)
        let sum = (told["scores"] as? [[String: Any]] ?? []).reduce(none) { $0 + ($1["probability"] as? Double ?? 0) }
        #expect(none > 0 && abs(sum - 1) < 1e-5)
    }

    @Test func eachPromptFileAnswersForItself() throws {
        try video("a.mp4")
        // Other prompts on the same backbone.
        let model = SmallModel()
        var other = PromptFile(
            prompts: PromptSet<MutableMatrix>(
                random: model.prompts.header.configuration, architecture: model.backbone.architecture, seed: 9
            ).reading, header: model.prompts.header)
        other.header.classNames = ["up", "down"]
        try other.save(to: program.folder.path("other.safetensors"))
        let (one, two) = (try predict("a.mp4", "--json").output, try program("predict", "a.mp4", "--json", "--prompts", "other.safetensors").output)
        #expect(try predict("a.mp4", "--json", "--prompts", "other.safetensors").output == one + two)
        for window in [["--window", "2s"], []] {
            let lines = try program.run(["predict", "a.mp4", "--prompts", prompts, "--prompts", "other.safetensors", "--json"] + window)
            #expect(try objects(lines.output).map { $0["prompts"] as? String } == [prompts, "other.safetensors"])
        }
        // One list of other classes for all, or one for each.
        try program.folder.write("id,name\n0,left\n1,right\n2,neither\n", to: "new.csv")
        try program.folder.write("id,name\n0,big\n1,small\n", to: "size.csv")
        let lists = try predict("a.mp4", "--json", "--prompts", "other.safetensors", "--labels", "new.csv", "--labels", "size.csv")
        #expect(try objects(lists.output).map { ($0["scores"] as? [Any])?.count } == [3, 2])
        let list = try predict("a.mp4", "--json", "--prompts", "other.safetensors", "--labels", "new.csv")
        #expect(try objects(list.output).map { ($0["scores"] as? [Any])?.count } == [3, 3])
        // Prompts of another backbone are refused as ever.
        try SmallModel(seed: 4).prompts.save(to: program.folder.path("foreign.safetensors"))
        let foreign = try predict("a.mp4", "--prompts", "foreign.safetensors")
        #expect(foreign.status != 0 && foreign.messages.contains("foreign.safetensors"))
    }

    /// Prompts of the text tower alone look at a video alike: over windows, too, each answers as it does alone, to the bit.
    @Test func windowsOfSeveralPromptFilesAreThoseOfEach() throws {
        try video("a.mp4")
        let model = SmallModel()
        let files = [("one.safetensors", ["up", "down"], UInt64(9)), ("two.safetensors", ["near", "far", "away"], 10)]
        for (path, names, seed) in files {
            let configuration = PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: 2, textDepth: 1)
            try PromptFile(
                prompts: PromptSet<MutableMatrix>(random: configuration, architecture: model.backbone.architecture, seed: seed).reading,
                header: PromptHeader(
                    backbone: model.backbone, configuration: configuration, classNames: names, frameCount: 8, fusion: .embedding, shots: 2, seed: 7,
                    recipeDigest: Digest.of("recipe"), metrics: [:])
            ).save(to: program.folder.path(path))
        }
        for extra in [["--window", "1s", "--stride", "0.5s"], ["--window", "10f", "--views", "1x3", "--isolate"]] {
            let names = files.map(\.0) + [prompts]
            let alone = try names.map { try program.run(["predict", "a.mp4", "--json", "--prompts", $0] + extra).output }
            let together = try program.run(["predict", "a.mp4", "--json"] + names.flatMap { ["--prompts", $0] } + extra)
            #expect(together.status == 0 && together.output == alone.joined(), "\(together.messages)")
            #expect(try objects(together.output).map { ($0["windows"] as? [Any])?.count ?? 0 }.allSatisfy { $0 > 5 })
        }
    }

    @Test func viewsAndQuirksTakeEffect() throws {
        try video("a.mp4")
        let plain = try predict("a.mp4", "--json").output
        #expect(try predict("a.mp4", "--json", "--views", "1x1").output == plain)
        for arguments in [["--views", "4x3"], ["--compat", "imagenet-normalization"], ["--compat", "half-inputs"]] {
            let outcome = try program.run(["predict", "a.mp4", "--json", "--prompts", prompts] + arguments)
            #expect(outcome.status == 0 && outcome.output != plain, "\(arguments)")
        }
        #expect(try predict("a.mp4", "--window", "2s", "--views", "1x3").status == 0)
        #expect(try predict("a.mp4", "--window", "2s", "--views", "2x1").status == 64)
        #expect(try predict("a.mp4", "--compat", "nonsense").status != 0)
    }

    // MARK: Folders

    @Test func answersAreKeptAndNotMadeTwice() throws {
        for name in ["in/a.mp4", "in/b.mp4", "in/deep/c.mp4"] { try video(name) }
        try program.folder.write("no video", to: "in/notes.txt")
        try program.folder.write("not a video either", to: "in/bad.mp4")
        let first = try predict("in", "--output", "out.jsonl")
        // The bad video is told, and decides the status.
        #expect(first.status == 65 && first.messages.contains("in/bad.mp4: is a text file, not a video."))
        #expect(first.messages.contains("in: 3 videos; passed over: 1 file that is no video, 1 folder (--recursive looks into them)"))
        let lines = try objects(text("out.jsonl"))
        #expect(lines.map { $0["video"] as? String } == ["in/a.mp4", "in/b.mp4", "in/bad.mp4"])
        #expect(lines.compactMap { $0["error"] as? String } == ["in/bad.mp4: is a text file, not a video."])
        let whole = try text("out.jsonl")
        let again = try predict("in", "--output", "out.jsonl")
        #expect(again.status == 0 && again.messages.contains("3 of 3 videos are answered already; 1 of them could not be read"))
        #expect(try text("out.jsonl") == whole)
        // A new video, a mended one and one more folder.
        try video("in/bad.mp4")
        #expect(try predict("in", "--recursive", "--output", "out.jsonl").status == 0)
        #expect(try objects(text("out.jsonl")).count == 5)
        #expect(try text("out.jsonl").hasPrefix(whole))
        // A line that a crash cut off is made again.
        let five = try text("out.jsonl")
        try program.folder.write(String(five.dropLast(40)), to: "out.jsonl")
        #expect(try predict("in", "--recursive", "--output", "out.jsonl").status == 0)
        #expect(try text("out.jsonl") == five)
        // Other settings, or another file, are not mixed in.
        let other = try predict("in", "--output", "out.jsonl", "--threshold", "0.5")
        #expect(other.status == 78 && other.messages.contains("out.jsonl:1: was answered with other settings"))
        #expect(try predict("in", "--output", "labels/none/out.jsonl").status == 74)
    }

    @Test func aForeignFileIsNotAppendedTo() throws {
        try video("in/a.mp4")
        for content in ["id,name\n0,a\n", "{\"video\":\"x\"}\n", "{}\n"] {
            try program.folder.write(content, to: "mine.jsonl")
            let outcome = try predict("in", "--output", "mine.jsonl")
            #expect(outcome.status == 74 && outcome.messages.contains("mine.jsonl:1: is not an answer of `predict --output`"))
            #expect(try text("mine.jsonl") == content)
        }
    }

    @Test func failingAtTheFirstBadVideo() throws {
        try program.folder.write("x", to: "a.mp4")
        try video("b.mp4")
        let outcome = try predict("a.mp4", "b.mp4", "--on-bad-video", "fail", "--output", "out.jsonl")
        #expect(outcome.status == 65 && outcome.output == "")
        #expect(try text("out.jsonl") == "")
        let skipping = try predict("a.mp4", "b.mp4", "--output", "out.jsonl", "--json")
        #expect(skipping.status == 65)
        #expect(try objects(skipping.output).count == 2)
        #expect(try predict("a.mp4", "b.mp4", "--output", "out.jsonl").status == 0)
        #expect(try predict("a.mp4", "b.mp4", "--output", "out.jsonl", "--retry-failed").status == 65)
    }

    @Test func aWatchedFolderIsAnsweredUntilASignal() throws {
        try createDirectory(program.folder.path("in"))
        try video("in/a.mp4")
        let arguments = [
            "predict", "in", "--prompts", prompts, "--watch", "--every", "100ms", "--settle", "300ms", "--output", "out.jsonl", "--json",
        ]
        try video("stock/b.mp4")
        let late = Process()
        late.executableURL = URL(fileURLWithPath: "/bin/sh")
        late.currentDirectoryURL = URL(fileURLWithPath: program.folder.path)
        late.arguments = [
            "-c",
            """
            sleep 0.7; cp stock/b.mp4 in/b.mp4; echo nonsense > in/c.mp4
            for i in $(seq 600); do [ "$(cat out.jsonl 2>/dev/null | wc -l)" -ge 3 ] && break; sleep 0.05; done
            touch done
            """,
        ]
        try late.run()
        let status = try program.signal(SIGINT, whenThere: "done", arguments)
        // As without --watch: one video could not be read.
        #expect(status == 65, "\(program.lastMessages)")
        let lines = try objects(text("out.jsonl"))
        #expect(Set(lines.compactMap { $0["video"] as? String }) == ["in/a.mp4", "in/b.mp4", "in/c.mp4"])
        #expect(lines.filter { $0["error"] != nil }.compactMap { $0["video"] as? String } == ["in/c.mp4"])
        #expect(program.lastMessages.contains("2 videos answered, nothing is waiting"))
    }

    @Test func anInterruptedBatchGoesOn() throws {
        for index in 0..<12 { try video("in/\(index).mp4", frames: 150) }
        let arguments = ["predict", "in", "--prompts", prompts, "--window", "1s", "--stride", "100ms", "--output", "out.jsonl"]
        let status = try program.signal(SIGTERM, whenThere: "out.jsonl", arguments)
        // It may have been quicker than the signal.
        #expect(status == 75 || status == 0, "\(program.lastMessages)")
        let rest = try program.run(arguments)
        #expect(rest.status == 0)
        let videos = try objects(text("out.jsonl")).compactMap { $0["video"] as? String }
        #expect(videos.count == 12 && Set(videos).count == 12)
    }

    // MARK: Isolation

    @Test func decodingElsewhereGivesTheSame() throws {
        try video("in/a.mp4")
        try video("in/b.mp4", shade: 5)
        try program.folder.write("nonsense", to: "in/c.mp4")
        for window in [["--window", "1s"], []] {
            let arguments = ["predict", "in", "--prompts", prompts, "--json"] + window
            let (here, there) = (try program.run(arguments), try program.run(arguments + ["--isolate"]))
            #expect(there.output == here.output && there.status == 65)
        }
    }

    /// V16: the decoder dies, hangs or talks nonsense.
    @Test(arguments: [
        ("kill -SEGV $$", "signal 11"), ("exit 3", "status 3"), ("echo '{\"frameCount\":0}'", ""), ("echo garbage", ""),
        ("echo '{\"frameCount\":9,\"outlook\":{\"byteCount\":9}}'; read l; echo '{\"frames\":[{\"width\":70000,\"height\":9,\"points\":[]}]}'", ""),
        ("sleep 30", "it did not answer"),
    ])
    func aWorkerThatFailsCostsOneVideo(_ script: String, _ how: String) throws {
        let videos = IsolatedVideos(
            shortSide: 32, program: "/bin/sh", arguments: ["-c", "echo '\"ready\"'; read line; \(script)"], patience: 0.5)
        let error = #expect(throws: IsolationError.self) {
            _ = try videos.frames(of: "video.mp4", choosing: { _ in [0] }, converting: { $0 })
        }
        #expect(error?.exitStatus == .badData)
        #expect(error?.description.hasPrefix("video.mp4: the decoder crashed on it (\(how)") == true, "\(String(describing: error))")
        let request = VideoStreamRequest(
            path: "video.mp4", grids: [WindowGrid(window: .seconds(1), stride: .seconds(1), sampleCount: 1)], shortSide: 32, batchCount: 1)
        #expect(throws: IsolationError.self) { _ = try videos.stream(request).next() }
    }

    /// Whoever reads ahead asks for the next part once more; the worker may be another's by then.
    @Test func aStreamThatFailedAsksNoMore() throws {
        let script = """
            echo '"ready"'
            while read line; do
              case "$line" in
              *stream*) echo '{"outlook":{"byteCount":1}}'; echo '{"error":"video.mp4: damaged.","status":65}';;
              *) echo '{"frameCount":1}'; read line; echo '{"frames":[{"width":1,"height":1,"points":[]}]}'; printf abc;;
              esac
            done
            """
        let videos = IsolatedVideos(shortSide: 1, program: "/bin/sh", arguments: ["-c", script], patience: 0.5)
        let request = VideoStreamRequest(
            path: "video.mp4", grids: [WindowGrid(window: .seconds(1), stride: .seconds(1), sampleCount: 1)], shortSide: 1, batchCount: 1)
        let stream = try videos.stream(request)
        let error = #expect(throws: IsolationError.self) { _ = try stream.next() }
        #expect(error?.description == "video.mp4: damaged.")
        #expect(try stream.next().isLast)
        let frames = try videos.frames(of: "other.mp4", part: nil, choosing: { _ in [0] }, converting: { $0 })
        #expect(frames.map(\.pixels) == [Array("abc".utf8)])
    }

    @Test func withoutProcessesNobodyDecodes() {
        let videos = IsolatedVideos(shortSide: 32, program: "/nowhere/at/all")
        let error = #expect(throws: IsolationError.self) {
            _ = try videos.frames(of: "video.mp4", choosing: { _ in [0] }, converting: { $0 })
        }
        #expect(error?.exitStatus == .unavailable && error?.description.contains("cannot be started: No such file") == true)
    }

    // MARK: Thresholds

    @Test func thresholdsAreCounted() throws {
        // The two forms that evaluations have had.
        let old = [(0, 0, [0.9, 0.1]), (1, 0, [0.6, 0.4]), (1, 1, [0.2, 0.8])].map {
            "{\"label\":\($0.0),\"path\":\"a\",\"prediction\":\($0.1),\"probabilities\":[\($0.2[0]),\($0.2[1])]}"
        }
        let new = [("a", "a", 0.9, 1), ("b", "a", 0.6, 2), ("b", "b", 0.8, 1)].map {
            "{\"video\":\"v\",\"label\":\"\($0.0)\",\"predicted\":\"\($0.1)\",\"probability\":\($0.2),\"rank\":\($0.3),\"top\":[]}"
        }
        try program.folder.write("{\"video\":\"x\",\"scores\":[{\"label\":0,\"name\":\"a\",\"probability\":0.7}]}\n", to: "out.jsonl")
        for lines in [old, new] {
            try program.folder.write(lines.joined(separator: "\n") + "\n", to: "predictions.jsonl")
            let outcome = try program("thresholds", "predictions.jsonl", "--at", "0,0.75", "--accuracy", "90", "--outsiders", "out.jsonl")
            #expect(
                outcome.output == """
                    3 videos, 1 outsider
                    threshold  answered  coverage  right  accuracy  outsiders answered
                         0.00         3   100.0 %      2    66.7 %         1 (100.0 %)
                         0.75         2    66.7 %      2   100.0 %           0 (0.0 %)
                    90 % of the answers are right at --threshold 0.6001, the lowest: 66.7 % answered, 100.0 % of these right, 1 outsider answered
                    most videos are treated correctly at --threshold 0.7001: 66.7 % answered, 100.0 % of these right, 0 outsiders answered

                    """, "\(outcome.messages)")
        }
        #expect(try program("thresholds", "out.jsonl").messages.contains("have no label"))
        try program.folder.write("[1]\n", to: "bad.jsonl")
        #expect(try program("thresholds", "bad.jsonl").status == 65)
        #expect(try program("thresholds", "none.jsonl").status == 66)
        #expect(try program("thresholds", "out.jsonl", "--at", "2").status == 64)
    }
}
