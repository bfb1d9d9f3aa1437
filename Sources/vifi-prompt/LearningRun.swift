import CLIPModel
import Evaluation
import Files
import Foundation
import Tensors
import Training
import VideoData

/// The data of a run: lists checked against labels and disk, ready to be loaded.
struct RunData {
    let classes: ClassNames
    /// What is learned from, after drawing shots.
    let train: AnnotationList
    let val: AnnotationList?
    /// SHA-256 over the training list that shots are drawn from.
    let sourceSHA256: String
    /// What labels stand for where these are captions; there are no classes then, and `val` holds each film once.
    var captions: (train: CaptionList, val: CaptionList?)?

    /// - Throws: `DatasetError` naming list and line, before anything is trained.
    init(settings: Settings, kind: RunKind, options: DataOptions, resumed: ResumedRun? = nil) throws {
        if settings.hasCaptions {
            try self.init(captionsOf: settings, kind: kind, options: options, resumed: resumed)
        } else if let resumed {
            try self.init(resuming: resumed, settings: settings, kind: kind, options: options)
        } else {
            try self.init(settings: settings, kind: kind, options: options)
        }
    }

    /// The lists in the run's folder, checked against the films that are there now.
    private init(resuming run: ResumedRun, settings: Settings, kind: RunKind, options: DataOptions) throws {
        if settings.isPocket { _ = try PocketHome.dataSet(kind == .bridge ? .large() : .small(), pool: settings.pool) }
        let split = run.path.appendingPath("split")
        let classes = try ClassNames.read(split.appendingPath("labels.csv"))
        func list(_ name: String) throws -> AnnotationList? {
            guard let record = run.record.lists[name] else { return nil }
            let list = try AnnotationList.read(split.appendingPath("\(name).txt"), root: record.root, classCount: classes.count)
            try Self.checkUnchanged(list, name: name, split: split, options: options)
            return list
        }
        guard let train = try list("train"), let source = run.record.lists["train"]?.sourceSHA256 else {
            throw RunError.notARun(path: run.path)
        }
        sourceSHA256 = source
        self.classes = classes
        self.train = train
        val = try list("val")
    }

    private init(settings: Settings, kind: RunKind, options: DataOptions) throws {
        var recipe = settings.recipe
        if settings.isPocket {
            let catalogue: PocketCatalogue = kind == .bridge ? .large() : .small()
            let set = try PocketHome.dataSet(catalogue, pool: settings.pool)
            recipe.data.train = set.trainList
            recipe.data.val = set.testList
            recipe.data.labels = set.labels
            Console.note(
                """
                This is the pocket world: drawn films in \(set.root). For your own, pass --train LIST --val LIST \
                --labels CSV and --backbone FILE.
                """)
        }
        let classes = try ClassNames.read(recipe.data.labels ?? "")
        let root = recipe.data.root
        for warning in classes.warnings { Console.warning(warning.description) }
        self.classes = classes
        let all = try Self.list(recipe.data.train ?? "", root: recipe.data.root, classes: classes, options: options)
        sourceSHA256 = Digest.of(AnnotationList.text(of: all.clips))
        if let shots = recipe.training.shots {
            let split = try FewShotSplit(of: all, shotCount: shots, classes: classes, seed: settings.seed)
            for warning in split.warnings { Console.warning(warning.description) }
            train = AnnotationList(path: all.path, root: all.root, clips: split.clips)
        } else {
            train = all
        }
        try train.checkFiles(followsLinks: options.followLinks)
        val = try recipe.data.val.map { path in
            let list = try Self.list(path, root: root, classes: classes, options: options)
            try list.checkFiles(followsLinks: options.followLinks)
            return list
        }
    }

    /// - Throws: where a film of a run that goes on is gone or another one.
    private static func checkUnchanged(_ list: AnnotationList, name: String, split: String, options: DataOptions) throws {
        do {
            try list.checkFiles(followsLinks: options.followLinks)
        } catch {
            // Paths and lists are the run's own here: the usual remedies would break it.
            guard case .missingFiles(let first, let count, _, let root) = error.problem else { throw error }
            throw RunError.filmsGone(first: root.appendingPath(first.first ?? ""), count: count, list: name)
        }
        let before = split.appendingPath(RunDirectory.marksName(list: name))
        let marks = String(decoding: try InputFile.contents(of: before, limit: 1 << 30), as: UTF8.self)
        if let film = FilmMarks(of: list).firstDifference(from: marks) {
            throw RunError.filmChanged(path: list.root.appendingPath(film), list: name)
        }
    }

    /// Captions of films, new or of a run that goes on.
    private init(captionsOf settings: Settings, kind: RunKind, options: DataOptions, resumed: ResumedRun?) throws {
        var paths = (train: settings.recipe.data.captions, val: settings.recipe.data.valCaptions)
        if settings.isPocket {
            let set = try PocketHome.captionedSet(kind == .bridge ? .large() : .small(), pool: settings.pool)
            paths = (set.trainCaptions, paths.val ?? set.testCaptions)
            if resumed == nil {
                Console.note("This is the pocket world: drawn films in \(set.root). For your own, pass --captions LIST and --backbone FILE.")
            }
        }
        func list(_ name: String, _ given: String?) throws -> CaptionList? {
            if let resumed {
                guard let record = resumed.record.lists[name] else { return nil }
                let split = resumed.path.appendingPath("split")
                let list = try CaptionList.read(split.appendingPath("\(name).csv"), root: record.root)
                try Self.checkUnchanged(list.films, name: name, split: split, options: options)
                return list
            }
            guard let given else { return nil }
            let list = try CaptionList.read(given, root: settings.recipe.data.root)
            for warning in list.warnings { Console.warning(warning.description) }
            try list.films.checkFiles(followsLinks: options.followLinks)
            return list
        }
        guard let train = try list("train", paths.train) else { throw RunError.notARun(path: resumed?.path ?? "") }
        let val = try list("val", paths.val)
        if let val {
            let learned = Set(train.videos.map { train.root.appendingPath($0) })
            let shared = val.videos.filter { learned.contains(val.root.appendingPath($0)) }
            if let first = shared.first { Console.warning(DatasetWarning.sharedVideos(first: first, count: shared.count).description) }
        }
        captions = (train, val)
        classes = ClassNames([])
        self.train = train.pairs
        self.val = val?.films
        sourceSHA256 = Digest.of(train.text)
    }

    static func list(_ path: String, root: String?, classes: ClassNames, options: DataOptions) throws -> AnnotationList {
        let list = try AnnotationList.read(path, root: root, classCount: classes.count)
        for warning in list.warnings { Console.warning(warning.description) }
        return list
    }
}

extension DataOptions {
    func loading(cacheByteBudget: Int = 0, badVideoPolicy: BadVideoPolicy? = nil) -> ClipLoader.Configuration {
        films.loading(cacheByteBudget: cacheByteBudget, badVideoPolicy: badVideoPolicy)
    }

    var reader: VideoFileReader { films.reader }
}

extension FilmOptions {
    /// How films are read ahead. The model's workers take turns with one reading thread a processor.
    ///
    /// - Parameter badVideoPolicy: the recipe's, into which flags have gone; nil for the flag alone.
    func loading(cacheByteBudget: Int = 0, badVideoPolicy policy: BadVideoPolicy? = nil) -> ClipLoader.Configuration {
        var configuration = ClipLoader.Configuration()
        configuration.cacheByteBudget = cacheByteBudget
        configuration.badVideoPolicy = policy ?? badVideoPolicy ?? .fail
        return configuration
    }

    var reader: VideoFileReader { .reporting }
}

extension VideoFileReader {
    /// Reads films and says what is odd about them.
    static var reporting: VideoFileReader {
        var reader = VideoFileReader()
        let reported = ReportedFilms()
        reader.report = { path, warnings in
            guard let position = reported.position(of: path), position <= ReportedFilms.limit else { return }
            if position == ReportedFilms.limit {
                Console.warning("more films are like these; they are not named. `vifi-prompt data check` names all damaged ones.")
            } else {
                for warning in warnings { Console.warning("\(path.escapedForDisplay): \(warning)") }
            }
        }
        return reader
    }
}

/// Films whose oddities have been told. Unchecked Sendable: guarded by the lock.
private final class ReportedFilms: @unchecked Sendable {
    private let lock = NSLock()
    private var paths: Set<String> = []

    /// How many are named.
    static let limit = 20

    /// How many films were told before this one; nil where it was among them.
    func position(of path: String) -> Int? { lock.withLock { paths.insert(path).inserted ? paths.count - 1 : nil } }
}

/// What `learn` and `bridge` share: the run's folder, the steps, the evaluations, what is said about them.
struct LearningRun {
    let kind: RunKind
    let settings: Settings
    let data: RunData
    let options: DataOptions
    let backbone: Backbone
    /// The recipe as it is run, with what was fitted to the backbone: it can be run again.
    let recipe: Recipe
    /// Of the prompts that learning starts from, where --init gives them.
    var initialDigest: String?
    /// Seconds between two checkpoints.
    let saveInterval: Double
    /// For decoded films that training meets again and again.
    let cacheBytes: Int
    /// Tokens of the test captions, and what turns these and the films into vectors; nil without captions.
    var captionTest: (sequences: [[Int]], encoder: () -> PairEncoder)?

    /// An evaluation that a signal ended.
    struct CutShort: Error {}

    /// The processes that share the steps: only rank 0 writes.
    let group: any ProcessGroup = Ranks.group

    struct Outcome {
        let path: String
        let result: RunResult
    }

    /// Runs to the end, or to the next signal.
    ///
    /// - Parameters:
    ///   - sequences: of the data's classes.
    ///   - freezing: how to compute once what no step changes; nil where there is nothing of the kind.
    ///   - save: writes what was learned into the run's folder; told whether it is the best so far.
    /// - Throws: `TrainingError.interrupted` after a signal, when the run is saved.
    func train(
        _ task: some LearningTask, sequences: [[Int]], start: RunStart, freezing: Freezing? = nil,
        save: @escaping (_ path: String, _ report: EpochReport) throws -> Void
    ) throws -> Outcome {
        guard group.rank == 0 else { return try follow(task, sequences: sequences) }
        // Ranks share clips out anew when one cannot be read, so none of them keeps its own.
        let freezing = group.count == 1 ? freezing : nil
        let configuration = try settings.trainingConfiguration(clipCount: data.train.clips.count)
        try agreeOnInputs(sequences)
        // Once there is a folder, a signal must leave something to go on with.
        Interruption.install()
        var directory = try open(start, sequences: sequences)
        let path = directory.path
        let found = try start.resumed.map { _ in try restore(task.optimiser, in: &directory) } ?? nil
        var state = found?.state ?? TrainingState()
        try shareStart(&state, task.optimiser, isResumed: start.resumed != nil)
        let resume = resumeCommand(kind, path)
        let checkpoints = Checkpoints(run: path)
        var keeper = CheckpointKeeper(checkpoints, newest: found?.path, interval: saveInterval)
        // Films whose clips stay frozen are read once: there is no need to keep them, too.
        let meetsFilmsAgain = freezing.map { !$0.hasRoom(for: data.train.clips.count) } ?? true
        let clips = trainingLoader(cacheBytes: meetsFilmsAgain ? cacheBytes : 0)
        clips.badVideos.restore(state.badVideos)
        let stepCount = configuration.schedule(clipCount: data.train.clips.count).stepCount
        Console.note(
            "\(data.amount), \(settings.frameCount) frames each; "
                + "\(task.parameterCount) of \(backbone.parameterCount + (kind == .learn ? task.parameterCount : 0)) parameters learn; "
                + "\(counted(configuration.epochs, "epoch", "epochs")), \(counted(stepCount, "step", "steps")). Run: \(path)")
        if let other = start.resumed, other.record.ranks ?? 1 != group.count, kind == .bridge {
            Console.warning(
                "the run began on \(other.record.ranks ?? 1) ranks, this is \(group.count): gradients are added in another order, so results "
                    + "agree up to rounding only.")
        }

        let valLoader = data.val.map(evaluationLoader)
        let frozen = freezing.map { FrozenRun($0, train: clips, val: valLoader) }
        let isFilled = try frozen?.fill(stepCount: stepCount - state.step) {
            // Forward only, the second time; backward takes about one and a half times as long.
            task.begin()
            let start = ContinuousClock.now
            task.begin()
            return 2.5 * ((ContinuousClock.now - start) / .seconds(1))
        }
        if isFilled == false { throw TrainingError.interruptedBefore(step: state.step + 1, resume: resume) }
        let progress = ProgressReporter(kind.rawValue, total: stepCount, unit: "steps", from: state.step)
        var meanLoss = 0.0
        var shownSteps = 0.0
        var trainingLoss = 0.0
        let warn: (String) -> Void = { message in
            progress.finish()
            Console.warning(message)
        }
        var events = Trainer.Events()
        events.evaluate = valLoader.map { loader in
            { try captionTest == nil ? evaluate(task, sequences: sequences, loader: loader, frozen: frozen?.val) : evaluateCaptions(loader: loader) }
        }
        events.onStep = { report in
            shownSteps += 1
            meanLoss += (report.loss - meanLoss) / min(20, shownSteps)
            directory.log(report)
            progress.show(report.step, detail: "loss \(ProgressReporter.decimal(meanLoss, places: 3))")
        }
        events.onEpoch = { report in
            trainingLoss = report.trainingLoss
            directory.log(report)
            try keeper.attempt(step: report.step, isLastChance: report.isLast, warn: warn) {
                try save(path, report)
                return nil
            }
            guard let metrics = report.metrics else { return }
            progress.finish()
            Console.note(
                "epoch \(report.epoch): loss \(ProgressReporter.decimal(report.trainingLoss, places: 3)), "
                    + "test \(metrics.title) \(ProgressReporter.decimal(metrics.top1, places: 1)) %")
        }
        events.save = { reached, moment in
            state = reached
            try endEpoch(task, state: reached, moment: moment)
            try keeper.save(reached, moment: moment, optimiser: task.optimiser, flush: { try directory.flushLogs() }, warn: warn)
            // Small enough to be had at once, and of use before the run is finished.
            if moment == .interruption, kind == .learn { try save(path, EpochReport(unfinished: reached)) }
        }
        let classCount = data.captions == nil ? data.classes.count : nil
        let trainer = frozen.map { Trainer(configuration: configuration, classCount: classCount, clips: $0.train) }
            ?? Trainer(configuration: configuration, classCount: classCount, clips: clips, group: group)
        let ending = try trainer.run(task, from: state, events: events)
        progress.finish()
        Console.note("Peak memory: \(ProgressReporter.decimal(Double(Machine.peakMemory) / 1e9, places: 2)) GB.")
        for bad in clips.badVideos.all + (valLoader?.badVideos.all ?? []) { Console.warning("not used: \(bad.reason)") }
        if case .interrupted(let step) = ending {
            throw TrainingError.interrupted(step: step, saved: keeper.newest ?? checkpoints.folder, resume: resume)
        }
        _ = try directory.flushLogs()
        let result = RunResult(
            steps: stepCount, epochs: configuration.epochs, trainingLoss: trainingLoss, best: state.best, last: state.last,
            seconds: state.seconds, peakBytes: Machine.peakMemory)
        try directory.write(result)
        return Outcome(path: path, result: result)
    }

    /// Runs on captions are no default for commands about classes, which look for names that begin with the kind.
    private var runName: String { data.captions == nil ? kind.rawValue : BackboneFinder.captionRunPrefix + kind.rawValue }

    /// The part of a rank that others see nothing of: steps, evaluations, and nothing written.
    private func follow(_ task: some LearningTask, sequences: [[Int]]) throws -> Outcome {
        let configuration = try settings.trainingConfiguration(clipCount: data.train.clips.count)
        try agreeOnInputs(sequences)
        var state = TrainingState()
        try shareStart(&state, task.optimiser, isResumed: false)
        let clips = trainingLoader(cacheBytes: cacheBytes)
        clips.badVideos.restore(state.badVideos)
        Interruption.install()
        let valLoader = data.val.map(evaluationLoader)
        var trainingLoss = 0.0
        var events = Trainer.Events()
        events.evaluate = valLoader.map { loader in { try evaluate(task, sequences: sequences, loader: loader) } }
        events.onEpoch = { trainingLoss = $0.trainingLoss }
        events.save = { reached, moment in
            state = reached
            try endEpoch(task, state: reached, moment: moment)
        }
        let trainer = Trainer(configuration: configuration, classCount: data.classes.count, clips: clips, group: group)
        if case .interrupted(let step) = try trainer.run(task, from: state, events: events) {
            throw TrainingError.interrupted(step: step, saved: "", resume: "")
        }
        return Outcome(
            path: "",
            result: RunResult(
                steps: state.step, epochs: configuration.epochs, trainingLoss: trainingLoss, best: state.best, last: state.last,
                seconds: state.seconds))
    }

    // MARK: What ranks do together

    /// Shows where the ranks run, and checks that all have read the same.
    private func agreeOnInputs(_ sequences: [[Int]]) throws {
        guard group.count > 1 else { return }
        guard data.captions == nil else { throw AgreedFailure(TrainingError.notForRanks) }
        let places = try Ranks.places.get()
        let threads = try group.gathered(value: settings.pool.threadCount)
        Console.note(places.table(threads: threads))
        for host in places.narrowHosts {
            Console.warning(
                "the ranks on \(host.escapedForDisplay) may use less than half of its processors: mpirun binds ranks to cores unless it is told "
                    + "otherwise. Pass it --bind-to none, or --map-by ppr:1:socket --bind-to socket.")
        }
        if places.hasSeveralProcessors {
            Console.warning("the ranks run on different processors: what they learn is made the same after every epoch, and depends on rank 0's.")
        }
        let lists = [("train", data.train)] + (data.val.map { [("val", $0)] } ?? [])
        try RankInputs(
            version: vifiPromptVersion, recipe: Digest.of(recipe.yaml), backbone: backbone.digest,
            classes: Digest.of(data.classes.text + Self.digest(sequences) + (initialDigest ?? "")),
            lists: Dictionary(uniqueKeysWithValues: lists.map { ($0.0, Digest.of(AnnotationList.text(of: $0.1.clips))) })
        ).check(over: group, places: places)
        try Ranks.tellWarnings()
    }

    /// All go on from rank 0's state.
    private func shareStart(_ state: inout TrainingState, _ optimiser: Optimiser, isResumed: Bool) throws {
        guard group.count > 1 else { return }
        state = try group.told(value: state)
        let mustSend = try group.told(value: isResumed) || Ranks.places.get().hasSeveralProcessors
        if mustSend { try share(optimiser, stepCount: state.optimiserSteps) }
    }

    private func share(_ optimiser: Optimiser, stepCount: Int) throws {
        for (_, matrix) in optimiser.tensors { try group.broadcast(matrix) }
        optimiser.restore(stepCount: stepCount)
    }

    /// After an epoch all ranks must hold the same numbers, down to the last bit.
    private func endEpoch(_ task: some LearningTask, state: TrainingState, moment: SaveMoment) throws {
        guard group.count > 1, moment == .epoch || moment == .end else { return }
        try Ranks.tellWarnings()
        let places = try Ranks.places.get()
        if places.hasSeveralProcessors { return try share(task.optimiser, stepCount: state.optimiserSteps) }
        let digests = try group.gathered(value: task.optimiser.valueDigest())
        guard let odd = digests.firstIndex(where: { $0 != digests[0] }) else { return }
        throw AgreedFailure(TrainingError.ranksDrifted(step: state.step, rank: odd, host: places.places[odd].host))
    }

    /// The run's folder, new or found.
    private func open(_ start: RunStart, sequences: [[Int]]) throws -> RunDirectory {
        switch start {
        case .new(let arguments, let output, let first):
            let path = output ?? RunDirectory.next(in: BackboneFinder.runsFolder, name: runName)
            let directory = try RunDirectory(newAt: path, resume: resumeCommand(kind, path))
            try describe(directory, arguments: arguments, sequences: sequences, like: first)
            return directory
        case .resumed(let run):
            guard Self.digest(sequences) == run.record.sequencesSHA256 else { throw RunError.otherTokens }
            return try RunDirectory(resuming: run.path)
        }
    }

    /// Goes back to the newest sound checkpoint: the optimiser, the logs, and the state that is returned; nil
    /// where there is none.
    private func restore(
        _ optimiser: Optimiser, in directory: inout RunDirectory
    ) throws -> (state: TrainingState, path: String)? {
        let checkpoints = Checkpoints(run: directory.path)
        directory.sweep()
        let found = try checkpoints.restore(into: optimiser) { path, reason in
            Console.warning("\(path.escapedForDisplay) is damaged (\(reason)): the one before it is looked at.")
        }
        try directory.cutLogs(to: found?.state.logBytes ?? [:])
        Console.note(
            found.map { "Going on after step \($0.state.step), from \($0.path.escapedForDisplay)." }
                ?? "There is no \(checkpoints.names.isEmpty ? "checkpoint yet" : "sound checkpoint"): the run starts from its beginning.")
        return found
    }

    /// Writes down everything that the run needs to go on after being stopped.
    ///
    /// - Parameter first: the first run of the group that this one belongs to.
    private func describe(
        _ directory: borrowing RunDirectory, arguments: [String], sequences: [[Int]], like first: RunRecord?
    ) throws {
        let configuration = try directory.writeConfiguration(recipe.yaml)
        try directory.writeEnvironment(
            version: vifiPromptVersion, threads: settings.pool.threadCount,
            ranks: group.count > 1 ? Ranks.places.get().places.map(\.host) : [])
        let labels = data.captions == nil ? try directory.writeSplit("labels.csv", text: data.classes.text) : ""
        var lists: [String: RunRecord.List] = [:]
        for (name, text, films) in data.lists {
            let file = name + (data.captions == nil ? ".txt" : ".csv")
            let digest = try directory.writeSplit(file, text: text)
            let marks = try directory.writeSplit(RunDirectory.marksName(list: name), text: FilmMarks(of: films).text)
            lists[name] = .init(
                sha256: digest, root: films.root, filmsSHA256: marks, sourceSHA256: name == "train" ? data.sourceSHA256 : digest)
        }
        var record = try RunRecord(
            kind: kind.rawValue, arguments: arguments, workingDirectory: FileManager.default.currentDirectoryPath,
            isPocket: settings.isPocket, backbone: settings.backbonePath(kind: kind), backboneSHA256: backbone.digest,
            configurationSHA256: configuration, labelsSHA256: labels, sequencesSHA256: Self.digest(sequences),
            initialSHA256: initialDigest, lists: lists, hasCaptions: data.captions != nil, version: vifiPromptVersion, threads: settings.pool.threadCount)
        record.ranks = group.count > 1 ? group.count : nil
        if let first, let other = record.otherInput(than: first) { throw RunError.otherInGroup(path: directory.path, input: other) }
        try directory.write(record)
    }

    private static func digest(_ sequences: [[Int]]) -> String { Digest.of("\(sequences)") }

    /// - Returns: nil where a signal cut it short.
    private func evaluate(
        _ task: some LearningTask, sequences: [[Int]], loader: ClipLoader, frozen: FrozenClips? = nil
    ) throws -> Scores? {
        let evaluator = Evaluator(task.classifier(sequences: sequences))
        let predictions: [Prediction]?
        if let frozen {
            do {
                predictions = try evaluator.predictions(of: frozen) { _ in if Interruption.isRequested { throw CutShort() } }
            } catch is CutShort {
                predictions = nil
            }
        } else {
            predictions = try evaluator.predictions(of: loader, sharedBy: group) { Interruption.isRequested }
        }
        return predictions.map { Scores(ClassificationMetrics(predictions: $0, classNames: data.classes.names)) }
    }

    /// Training clips, drawn and blended as the recipe says.
    func trainingLoader(cacheBytes: Int) -> ClipLoader {
        ClipLoader(
            list: data.train, reader: options.reader, sampler: settings.sampler,
            transform: settings.trainingTransform(for: backbone), seed: settings.seed,
            configuration: options.loading(cacheByteBudget: cacheBytes, badVideoPolicy: settings.recipe.data.onBadVideo))
    }

    /// Test clips, seen once in the middle.
    func evaluationLoader(_ list: AnnotationList) -> ClipLoader {
        ClipLoader(
            list: list, reader: options.reader, sampler: settings.sampler,
            transform: settings.testTransform(for: backbone), seed: settings.seed,
            configuration: options.loading(badVideoPolicy: settings.recipe.data.onBadVideo))
    }
}
