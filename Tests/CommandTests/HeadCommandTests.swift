import CLIPModel
import Evaluation
import Experiments
import Files
import Foundation
import Methods
import Tensors
import TestSupport
import Testing
import Training
import VideoData

/// `learn --method`: a head on features that are computed once, and what uses it.
@Suite(.serialized) struct HeadCommandTests {
    private let program: Program
    private static let videos = ["--train", "list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2"]

    init() throws {
        var program = try Program.withVideos()
        program.videos = program.folder.path("data")
        self.program = program
    }

    private func learn(_ more: String..., status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        let outcome = try program.run(["learn"] + Self.videos + more, sourceLocation: sourceLocation)
        #expect(outcome.status == status, "\(outcome.messages)", sourceLocation: sourceLocation)
        return outcome
    }

    private func text(_ path: String) throws -> String { try String(contentsOfFile: program.folder.path(path), encoding: .utf8) }
    private func digest(_ path: String) throws -> String { try Digest.ofFile(program.folder.path(path)) }

    @Test func whatARunSaysOfItsHeadEvalSaysToo() throws {
        let outcome = try learn("--method", "cosine-mean", "--test", "list.txt", "--allow-shared-videos", "--output", "run")
        #expect(outcome.output.contains("head: run/head.safetensors") && outcome.output.contains("| cosine-mean "), "\(outcome.output)")
        let file = try HeadFile.load(program.folder.path("run/head.safetensors"))
        let weight = try #require(file.head.linear).weight
        #expect(weight.rowCount == 5 && file.header.classNames == ["waving", "clapping", "jumping", "sitting", "turning"])
        let scored = try program("eval", "--prompts", "run", "--test", "list.txt", "--backbone", "clip.safetensors", "--output", "scores")
        #expect(scored.status == 0, "\(scored.messages)")
        let predicted = try text("scores/predictions.jsonl").split(separator: "\n").map { line in
            let entry = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            return try "\(#require(entry["video"] as? String)),\(#require(entry["label"] as? Int)),\(#require(entry["predicted"] as? Int))"
        }
        #expect(try text("run/test-predictions.csv").split(separator: "\n").dropFirst().map(String.init) == predicted)
        let answer = try program("predict", "video0.mp4", "--prompts", "run/head.safetensors", "--backbone", "clip.safetensors", "--json")
        #expect(answer.status == 0 && answer.output.contains("\"class\""), "\(answer.messages)")
    }

    /// Over windows heads on one backbone share its passes, and answer as each does alone, to the bit.
    @Test func windowsOfSeveralHeadsAreThoseOfEach() throws {
        let heads = ["cosine-mean", "gda"]
        for head in heads { _ = try learn("--method", head, "--output", head) }
        func predict(_ heads: [String]) throws -> String {
            let outcome = try program.run(
                ["predict", "video0.mp4", "--backbone", "clip.safetensors", "--window", "2f", "--stride", "1f", "--json"]
                    + heads.flatMap { ["--prompts", "\($0)/head.safetensors"] })
            #expect(outcome.status == 0, "\(outcome.messages)")
            return outcome.output
        }
        let alone = try heads.map { try predict([$0]) }
        #expect(alone.allSatisfy { $0.contains("\"windows\"") } && alone[0] != alone[1])
        #expect(try predict(heads) == alone.joined())
    }

    /// The second pass finds everything in the cache and comes to the same file; another seed, view or backbone does not.
    @Test func featuresAreComputedOnce() throws {
        let first = try learn("--method", "gda", "--views", "3", "--output", "a")
        #expect(!first.messages.contains("in the cache"))
        let second = try learn("--method", "gda", "--views", "3", "--output", "b")
        #expect(!second.messages.contains("features: "), "\(second.messages)")
        #expect(try digest("a/head.safetensors") == digest("b/head.safetensors"))
        #expect(try learn("--method", "gda", "--views", "4", "--output", "c").messages.contains("30 of 40 features are in the cache"))
        #expect(try learn("--method", "gda", "--views", "3", "--seed", "2", "--output", "d").messages.contains("10 of 30 features are in the cache"))
        // What is damaged is computed anew, to the same numbers.
        let folder = try #require(try directoryEntries(program.folder.path("data/features")).first)
        let log = "data/features/\(folder)/features.log"
        var lines = try text(log).split(separator: "\n").map(String.init)
        lines[0] = String(lines[0].dropLast(3)) + "AAA"
        lines[1] = String(lines[1].prefix(40))
        try program.folder.write(lines.joined(separator: "\n"), to: log)
        let mended = try learn("--method", "gda", "--views", "3", "--output", "e")
        #expect(mended.messages.contains("28 of 30 features are in the cache"), "\(mended.messages)")
        #expect(try digest("e/head.safetensors") == digest("a/head.safetensors"))
    }

    @Test func everyMethodIsLearnedAndRead() throws {
        for kind in HeadKind.allCases {
            _ = try learn("--method", kind.rawValue, "--output", kind.rawValue)
            let file = try HeadFile.load(program.folder.path("\(kind.rawValue)/head.safetensors"))
            #expect(file.header.kind == kind && file.header.crossValidatedTop1 != nil && file.header.temperature > 0)
            let answer = try program(
                "predict", "video1.mp4", "--prompts", kind.rawValue, "--backbone", "clip.safetensors", "--json")
            #expect(answer.status == 0, "\(kind.rawValue): \(answer.messages)")
        }
    }

    @Test func aGraphIsReadFromItsFile() throws {
        try program.folder.write("waving\tclapping\njumping\tsitting\n", to: "graph.tsv")
        _ = try learn("--method", "gcn", "--graph", "graph.tsv", "--output", "given")
        #expect(try HeadFile.load(program.folder.path("given/head.safetensors")).header.settings.contains("\"edges\":[0,1,2,3]"))
        try program.folder.write("waving\tflying\n", to: "wrong.tsv")
        let refused = try learn("--method", "gcn", "--graph", "wrong.tsv", "--output", "wrong", status: 65)
        #expect(refused.messages.contains("line 1 of the graph"), "\(refused.messages)")
        _ = try learn("--method", "gda", "--graph", "graph.tsv", "--output", "other", status: 64)
    }

    /// The class matrix says what the program says: its own product with the features that `embed` writes.
    @Test func aLinearHeadIsExportedAsItsClassMatrix() throws {
        for method in ["gda", "prolip"] {
            _ = try learn("--method", method, "--output", method)
            let exported = try program("export", "--prompts", method, "--to", "npz", "--output", "\(method).npz")
            #expect(exported.status == 0, "\(exported.messages)")
            let embedded = try program("embed", "list.txt", "--backbone", "clip.safetensors", "--frames", "2", "--output", "list.npz", "--force")
            #expect(embedded.status == 0, "\(embedded.messages)")
            let scored = try program("eval", "--prompts", method, "--test", "list.txt", "--backbone", "clip.safetensors", "--output", "scores-\(method)")
            #expect(scored.status == 0, "\(scored.messages)")
            let lines = try text("scores-\(method)/predictions.jsonl").split(separator: "\n")
            let own = try probabilities(head: "\(method).npz", features: "list.npz")
            #expect(own.count == lines.count)
            for (line, expected) in zip(lines, own) {
                let entry = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                let found = try #require(entry["probability"] as? Double ?? (entry["probabilities"] as? [Double])?.max())
                #expect(abs(found - (expected.max() ?? 0)) < 1e-4, "\(method): \(line)")
            }
        }
        _ = try learn("--method", "tip-adapter", "--output", "tip")
        let refused = try program("export", "--prompts", "tip", "--to", "npz", "--output", "tip.npz")
        #expect(refused.status == 65 && refused.messages.contains("no product with a class matrix"), "\(refused.messages)")
        let copied = try program("export", "--prompts", "tip", "--output", "tip.safetensors")
        #expect(copied.status == 0, "\(copied.messages)")
        #expect(try digest("tip.safetensors") == digest("tip/head.safetensors"))
        #expect(copied.output.contains("tip.safetensors: head, "), "\(copied.output)")
        #expect(try program("export", "--prompts", "tip", "--to", "peft").status == 64)
    }

    /// Python's own arithmetic with both archives.
    private func probabilities(head: String, features: String) throws -> [[Double]] {
        let script = NumpyArchiveReading.script + """

            head, features = arrays(sys.argv[1]), arrays(sys.argv[2])
            (count, _), rows = matrix(features, "embeddings")
            if "projection" in head:
                _, inner = matrix(features, "unprojected")
                _, projection = matrix(head, "projection")
                rows = [[sum(x * p[j] for x, p in zip(row, projection)) for j in range(len(projection[0]))] for row in inner]
            _, weight = matrix(head, "weight")
            bias, temperature = head["bias"][1], head["temperature"][1][0]
            result = []
            for row in rows:
                length = sum(x * x for x in row) ** 0.5
                logits = [(sum(w * x / length for w, x in zip(line, row)) + b) / temperature for line, b in zip(weight, bias)]
                powers = [math.exp(l - max(logits)) for l in logits]
                result.append([p / sum(powers) for p in powers])
            print(json.dumps(result))
            """
        return try JSONDecoder().decode([[Double]].self, from: NumpyArchiveReading.run(script, [head, features].map(program.folder.path)))
    }

    @Test func autoComparesAndTakesOne() throws {
        let outcome = try learn("--method", "auto", "--output", "auto")
        for kind in HeadChoice.order { #expect(outcome.output.contains("| \(kind.rawValue) "), "\(outcome.output)") }
        #expect(outcome.output.contains("| zero-shot ") && outcome.output.contains(" is taken"), "\(outcome.output)")
        // Nothing but the training list was read: neither list nor video of a test is there.
        let alone = try learn("--method", "auto", "--shots", "1", "--output", "one")
        #expect(alone.messages.contains("has one clip only") && alone.messages.contains("rocchio is taken"), "\(alone.messages)")
    }

    /// Where some class has no clips, those heads are compared that can score it by its text.
    @Test func classesWithoutClipsAreScoredByTheirTexts() throws {
        let some = try text("list.txt").split(separator: "\n").filter { !$0.hasSuffix("4") }.joined(separator: "\n") + "\n"
        try program.folder.write(some, to: "some.txt")
        let flags = ["--train", "some.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2"]
        for method in ["auto", "gda"] {
            let outcome = try program.run(["learn"] + flags + ["--method", method, "--output", method])
            #expect(outcome.status == 0 && outcome.output.contains("| gda "), "\(outcome.messages)")
            #expect(!outcome.output.contains("| nearest-mean ") && !outcome.output.contains("| logistic "), "\(outcome.output)")
            #expect(try HeadFile.load(program.folder.path("\(method)/head.safetensors")).header.classNames.count == 5)
        }
        let named = try program.run(["learn"] + flags + ["--method", "logistic", "--output", "no"])
        #expect(named.status == 65 && named.messages.contains("class 4 has no clips"), "\(named.messages)")
    }

    /// Within a budget prompts and heads on them are compared with the best head on the same folds; a stopped run goes on.
    @Test func aBudgetTriesPromptsToo() throws {
        let flags = ["learn"] + Self.videos + ["--method", "auto", "--budget", "1h", "--epochs", "2", "--output", "run"]
        #expect(try program.signal(SIGTERM, whenThere: "run/tried-prompts/plan.json", flags) == 75)
        let outcome = try program("learn", "--resume", "run")
        #expect(outcome.status == 0 && outcome.output.contains("Learned without each of 5 parts of the clips"), "\(outcome.messages)")
        // What is learned already is not learned again.
        let chosen = try #require(try RunResult.read(run: program.folder.path("run"))).comparedWithPrompts?.map(\.logLoss)
        try FileManager.default.removeItem(atPath: program.folder.path("run/finished.json"))
        let again = try program("learn", "--resume", "run")
        #expect(again.status == 0 && !again.messages.contains("learn: "), "\(again.messages)")
        #expect(try RunResult.read(run: program.folder.path("run"))?.comparedWithPrompts?.map(\.logLoss) == chosen)
        let result = try #require(try RunResult.read(run: program.folder.path("run")))
        let names = try #require(result.comparedWithPrompts).map(\.method)
        for name in ["prompts", "late-prompts", "quick-prompts", "gda on prompts", "rocchio on late-prompts"] { #expect(names.contains(name), "\(names)") }
        #expect(names.first == result.method && names.count { !$0.contains("prompts") } == 1, "\(names)")
        // The prompts of a fold were learned from the clips of the others.
        func clips(_ name: String) throws -> [String] { try text("run/tried-prompts/\(name).txt").split(separator: "\n").map(String.init).sorted() }
        let folds = try (1...5).map { try clips("prompts-without-\($0)-of-5") }
        #expect(folds.allSatisfy { $0.count == 8 })
        let all = try text("list.txt").split(separator: "\n").map(String.init).sorted()
        #expect(folds.flatMap { fold in all.filter { !fold.contains($0) } }.sorted() == all)

        let short = try program.run(["learn"] + Self.videos + ["--method", "auto", "--budget", "0.01s", "--output", "short"])
        #expect(short.status == 0 && short.messages.contains("too little for prompts"), "\(short.messages)")
        #expect(fileExists(program.folder.path("short/head.safetensors")))
    }

    /// Two classes of two clips have no more than three parts without an empty one.
    @Test func aBudgetIsSpentOnFewClips() throws {
        try program.folder.write("video0.mp4 0\nvideo1.mp4 1\nvideo5.mp4 0\nvideo6.mp4 1\n", to: "four.txt")
        try program.folder.write("id,name\n0,waving\n1,clapping\n", to: "two.csv")
        let outcome = try program(
            "learn", "--train", "four.txt", "--labels", "two.csv", "--backbone", "clip.safetensors", "--frames", "2", "--method", "auto", "--budget", "1h",
            "--epochs", "1", "--output", "few")
        #expect(outcome.status == 0 && outcome.output.contains("without each of 3 parts"), "\(outcome.messages)")
    }

    /// A file that holds a head and the prompts that its features go through says what both say together.
    @Test func aHeadOnPromptsIsOneFile() throws {
        let model = SmallModel()
        _ = try learn("--method", "rocchio", "--output", "run")
        let plain = try HeadFile.load(program.folder.path("run/head.safetensors"))
        let path = program.folder.path("both.safetensors")
        try HeadFile(header: plain.header, head: plain.head, prompts: model.prompts).save(to: path)
        let read = try HeadFile.load(path)
        #expect(read.prompts?.prompts.digest == model.prompts.prompts.digest && read.digest != plain.digest)
        let answer = try program("predict", "video0.mp4", "--prompts", "both.safetensors", "--backbone", "clip.safetensors", "--json")
        #expect(answer.status == 0, "\(answer.messages)")
        // With the prompts' own vision tower and the head's class matrix.
        let pool = WorkerPool(threadCount: 1)
        let list = try AnnotationList.read(program.folder.path("list.txt"), classCount: 5)
        var transform = ClipTransform.Configuration()
        transform.normalization = .clip
        let loader = ClipLoader(
            list: list, reader: VideoFileReader(), sampler: FrameSampler(sampleCount: 2),
            transform: .testing(side: model.backbone.architecture.imagePixels, transform), seed: 1, configuration: .init())
        let clip = try #require(try loader.clips(at: [0]).next(1).first?.views.first).matrix
        let encoder = VideoEncoder(
            backbone: model.backbone, prompts: PromptSet(vision: model.prompts.prompts.vision, text: []), frameCount: 2, pool: pool)
        let features = encoder.frameFeatures(of: [clip])[0]
        let mean = (0..<features.columnCount).map { (features[0, $0] + features[1, $0]) / 2 }
        let logits = try plain.head.logits(of: HeadFeatures(projected: MutableMatrix(rows: 1, columns: mean.count, mean))).values
        let powers = logits.map { exp(Double($0) / plain.header.temperature) }
        let expected = powers.map { $0 / powers.reduce(0, +) }
        struct Answer: Decodable {
            struct Score: Decodable {
                let `class`: String
                let probability: Double
            }
            let scores: [Score]
        }
        let scores = try JSONDecoder().decode(Answer.self, from: Data(answer.output.utf8)).scores
        for score in scores {
            let label = try #require(plain.header.classNames.firstIndex(of: score.class))
            #expect(abs(score.probability - expected[label]) < 1e-4, "\(score) \(expected[label])")
        }
        let evaluated = try program("eval", "--prompts", "both.safetensors", "--test", "list.txt", "--backbone", "clip.safetensors", "--output", "scores")
        #expect(evaluated.status == 0, "\(evaluated.messages)")
        #expect(try program("export", "--prompts", "both.safetensors", "--to", "npz", "--output", "no.npz").status == 65)
    }

    @Test func whatFitsIntoABudgetIsTried() {
        let prices: [(variant: PromptVariant, seconds: Double)] = [(.quick, 10), (.late, 60), (.all, 100)]
        // Two folds of all three cost 170 + 100, of which nine tenths of the budget must be enough.
        #expect(PromptPlan(prices, within: 300) == PromptPlan(prices, within: 301))
        #expect(PromptPlan(prices, within: 300).variants == [.quick, .late, .all] && PromptPlan(prices, within: 300).folds == 2)
        #expect(PromptPlan(prices, within: 299).variants == [.quick, .late])
        #expect(PromptPlan(prices, within: 1000).folds == 5)
        #expect(PromptPlan(prices, within: 23).variants == [.quick] && PromptPlan(prices, within: 22).variants.isEmpty)
        #expect(abs(PromptPlan.leastBudget(prices) - 20 / 0.9) < 1e-9)
    }

    /// Classes that are added from their own clips give the head that all clips give.
    @Test func classesAreAdded() throws {
        let lines = try text("list.txt").split(separator: "\n").map(String.init)
        func isOld(_ line: String) -> Bool { ["0", "1", "2"].contains(line.suffix(1)) }
        try program.folder.write(lines.filter(isOld).joined(separator: "\n") + "\n", to: "old.txt")
        try program.folder.write(lines.filter { !isOld($0) }.joined(separator: "\n") + "\n", to: "new.txt")
        try program.folder.write("id,name\n0,waving\n1,clapping\n2,jumping\n", to: "old.csv")
        let model = ["--backbone", "clip.safetensors", "--frames", "2"]
        func learn(_ flags: [String], status: Int32 = 0) throws -> Program.Outcome {
            let outcome = try program.run(["learn"] + flags + model)
            #expect(outcome.status == status, "\(flags) \(outcome.messages)")
            return outcome
        }
        for method in ["nearest-mean", "cosine-mean"] {
            _ = try learn(["--method", method, "--train", "old.txt", "--labels", "old.csv", "--output", "\(method)-old"])
            let added = try learn(["--extend", "\(method)-old", "--train", "new.txt", "--labels", "labels.csv", "--output", "\(method)-new"])
            #expect(added.messages.contains("5 classes, of which 2 are new"), "\(added.messages)")
            _ = try learn(["--method", method, "--train", "list.txt", "--labels", "labels.csv", "--output", "\(method)-all"])
            let new = try HeadFile.load(program.folder.path("\(method)-new/head.safetensors"))
            let all = try HeadFile.load(program.folder.path("\(method)-all/head.safetensors"))
            #expect(new.header.classNames == all.header.classNames && new.header.crossValidatedTop1 == nil)
            #expect(try #require(new.head.linear).weight.values == #require(all.head.linear).weight.values)
        }
        let again = try learn(["--extend", "nearest-mean-old", "--train", "list.txt", "--labels", "labels.csv", "--output", "x"], status: 78)
        #expect(again.messages.contains("knows the class \"waving\""), "\(again.messages)")
        let none = try learn(["--extend", "nearest-mean-old", "--train", "old.txt", "--labels", "old.csv", "--output", "x"], status: 78)
        #expect(none.messages.contains("knows all of these classes"), "\(none.messages)")
        _ = try learn(["--method", "gda", "--train", "old.txt", "--labels", "old.csv", "--output", "gda"])
        let other = try learn(["--extend", "gda", "--train", "new.txt", "--labels", "labels.csv", "--output", "x"], status: 78)
        #expect(other.messages.contains("Learn it anew from the clips of all"), "\(other.messages)")
        #expect(try learn(["--extend", "gda", "--method", "gda", "--train", "new.txt", "--labels", "labels.csv"], status: 64).messages.contains("leave out --method"))
    }

    private struct Plan: Decodable {
        struct Work: Decodable {
            let clips, features, cachedFeatures, headParameters: Int
        }
        struct Time: Decodable {
            let view, features, evaluation, total: Double
        }
        struct Arithmetic: Decodable {
            let view, total: Double
        }
        let work: Work
        let arithmetic: Arithmetic
        let time: Time?
    }

    private func plan(_ more: String...) throws -> Plan {
        let outcome = try program.run(["plan", "learn"] + Self.videos + more + ["--json"])
        #expect(outcome.status == 0, "\(outcome.messages)")
        return try ResultJSON.decoder.decode(Plan.self, from: Data(outcome.output.utf8))
    }

    /// A plan counts what the run then finds, computes and keeps.
    @Test func aPlanKnowsTheCacheAndTheHead() throws {
        let before = try plan("--method", "gda", "--views", "3")
        #expect(before.work.clips == 10 && before.work.features == 30 && before.work.cachedFeatures == 0)
        let time = try #require(before.time)
        #expect(time.view > 0 && time.features > 29 * time.view && time.evaluation == 0)
        let run = try learn("--method", "gda", "--output", "run")
        #expect(run.messages.contains("gda: \(before.work.headParameters) numbers"), "\(run.messages)")
        let after = try plan("--method", "gda", "--views", "3", "--no-timing")
        #expect(after.work.cachedFeatures == 10 && after.time == nil)
        #expect(abs(before.arithmetic.total - after.arithmetic.total - 10 * after.arithmetic.view) < 1e-6 * before.arithmetic.total)
        let scored = try plan("--method", "gda", "--test", "list.txt", "--allow-shared-videos")
        // The scored list has the same videos, seen as in testing: they are in the cache, too.
        #expect(scored.work.cachedFeatures == 10 && scored.time?.features == 0 && scored.time?.evaluation == 0)
        try program.folder.write("video0.mp4 0\nvideo1.mp4 1\n", to: "two.txt")
        let other = try plan("--method", "gda", "--frames", "1", "--test", "two.txt", "--allow-shared-videos")
        #expect(other.work.cachedFeatures == 0 && (other.time?.evaluation ?? 0) > (other.time?.view ?? 0))
        // The views as in testing are the same for all seeds, the two others of each clip are not.
        let seeds = try plan("--method", "gda", "--views", "3", "--seeds", "1,2,3", "--no-timing").arithmetic
        let texts = after.arithmetic.total - 20 * after.arithmetic.view
        #expect(abs(seeds.total - 60 * seeds.view - 3 * texts) < 1e-6 * seeds.total)
        let kernel = try learn("--method", "proker", "--views", "2", "--output", "kernel")
        #expect(try plan("--method", "auto", "--views", "2", "--no-timing").work.headParameters > after.work.headParameters)
        #expect(try kernel.messages.contains("proker: \(plan("--method", "proker", "--views", "2", "--no-timing").work.headParameters) numbers"))
    }

    /// A head has no epochs, no steps and no loss: nothing tells of these.
    @Test func aSummaryLeavesOutWhatAHeadLacks() throws {
        let outcome = try learn("--method", "cosine-mean", "--seeds", "1,2", "--val", "list.txt", "--allow-shared-videos", "--output", "seeds")
        #expect(outcome.output.contains("| validation top-1 % |") && outcome.output.contains("held-out top-1 %"), "\(outcome.output)")
        for word in ["training loss", "best", "last"] { #expect(!outcome.output.contains(word), "\(outcome.output)") }
        let summary = try text("seeds/summary.json")
        #expect(summary.contains("\"method\" : \"cosine-mean\""))
        for word in ["loss", "best", "steps"] { #expect(!summary.contains(word), "\(summary)") }
        #expect(try !text("seeds/seed1/finished.json").contains("trainingLoss"))
    }

    /// A run of many hours says what a head would take instead; a short one says nothing.
    @Test func aLongRunTellsOfTheShorterWay() throws {
        let short = Self.videos + ["--vision-tokens", "2", "--text-tokens", "2", "--epochs", "1", "--output", "short"]
        let quick = try program.run(["learn"] + short)
        #expect(quick.status == 0 && !quick.messages.contains("--method auto"), "\(quick.messages)")
        let long = Self.videos.dropLast() + ["128", "--vision-tokens", "2", "--text-tokens", "2", "--epochs", "100000", "--output", "long"]
        #expect(try program.signal(SIGTERM, whenThere: "long/metrics.jsonl", ["learn"] + long) == 75)
        #expect(program.lastMessages.contains("With --method auto in the same command"), "\(program.lastMessages)")
    }

    @Test func whatAHeadCannotDoIsSaid() throws {
        #expect(try learn("--method", "auto", "--budget", "20", status: 64).messages.contains("'20' is no time"))
        #expect(try learn("--method", "gda", "--budget", "20m", status: 64).messages.contains("nothing to choose"))
        #expect(try learn("--budget", "20m", status: 64).messages.contains("--budget is for --method auto"))
        #expect(try learn("--method", "gdaa", status: 64).messages.contains("did you mean \"gda\"?"))
        #expect(try learn("--views", "3", status: 64).messages.contains("--views is for --method"))
        #expect(try learn("--method", "gda", "--views", "11", status: 64).messages.contains("between 1 and 10"))
        #expect(try learn("--method", "gda", "--quick", status: 64).messages.contains("are for prompts"))
        #expect(try learn("--method", "gda", "--vision-tokens", "2", status: 64).messages.contains("Leave out --method to learn prompts"))
        _ = try learn("--method", "gda", "--output", "run")
        try SmallModel(seed: 9).backbone.save(to: program.folder.path("other.safetensors"))
        let other = try program("predict", "video0.mp4", "--prompts", "run", "--backbone", "other.safetensors")
        #expect(other.status == 78 && other.messages.contains("the head was learned on"), "\(other.messages)")
        try program.folder.write("id,name\n0,waving\n1,clappin\n", to: "few.csv")
        let unknown = try program("predict", "video0.mp4", "--prompts", "run", "--backbone", "clip.safetensors", "--labels", "few.csv")
        #expect(unknown.status == 78 && unknown.messages.contains("did you mean \"clapping\"?"), "\(unknown.messages)")
        var bytes = try InputFile.contents(of: program.folder.path("run/head.safetensors"), limit: 1 << 20)
        bytes.removeLast(20)
        try program.folder.write(bytes, to: "cut.safetensors")
        let cut = try program("predict", "video0.mp4", "--prompts", "cut.safetensors", "--backbone", "clip.safetensors")
        #expect(cut.status == 65, "\(cut.status) \(cut.messages)")
    }
}
