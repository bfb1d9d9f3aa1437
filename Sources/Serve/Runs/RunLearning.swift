import Experiments
import Files
import Foundation
import Recipes
import Training
import VideoData

/// What somebody asks to be learned.
struct RunWish: Decodable {
    let dataSet: String
    let method: ServedRun.Method
    let name: String?
    let steps: Int?
    let seed: Int?
}

/// How the server's runs learn: as `learn` does, from the clips of a data set.
struct RunLearning: Sendable {
    let sets: DataSetStore
    let desk: ModelDesk
    let limits: ServerLimits
    /// The server's.
    let folder: String
    /// As it was named at the start.
    let backbone: String
    let model: ModelInputs

    private static let listsName = "lists"
    private static let learnedName = "learned"

    /// The data set, if something can be learned from it.
    func dataSet(for wish: RunWish) throws -> DataSet {
        let set = try sets.set(wish.dataSet)
        if let name = wish.name { _ = try DataSetStore.checked(name, what: "name of the run", limits: limits) }
        if let steps = wish.steps, !(1...100_000).contains(steps) { throw RequestFault(.badRequest, "steps is \(steps); it must be between 1 and 100000.") }
        if let seed = wish.seed, !(0...Int(Int32.max)).contains(seed) { throw RequestFault(.badRequest, "seed is \(seed); it must be between 0 and \(Int32.max).") }
        let count = set.classesWithClips.count
        guard count >= 2 else {
            throw RequestFault(
                .unprocessable, count == 0 ? "No clip has a class yet. Name at least two classes and put clips into each." : "Only one class has clips. Learning needs at least two.")
        }
        return set
    }

    /// Learns, on the thread that calls.
    ///
    /// - Parameter path: the run's folder.
    /// - Throws: what `learn` throws.
    func learn(_ run: ServedRun, in path: String, watcher: RunWatcher) throws -> ServedRun.Result {
        let set = try sets.set(run.dataSet)
        let names = set.classesWithClips
        guard names.count >= 2 else { throw RequestFault(.unprocessable, "Fewer than two classes have clips by now.") }
        let clips = set.clips.compactMap { clip in
            clip.class.flatMap(names.firstIndex).map { AnnotatedClip(path: clip.file, label: $0) }
        }
        let lists = path.appendingPath(Self.listsName)
        try createDirectory(lists)
        try DurableFile.write(AnnotationList.bytes(of: clips), to: lists.appendingPath("train.txt"))
        try DurableFile.write(ClassNames(names).text, to: lists.appendingPath("labels.csv"))
        var flags = Recipe()
        (flags.data.train, flags.data.labels) = (lists.appendingPath("train.txt"), lists.appendingPath("labels.csv"))
        flags.data.root = sets.root(of: set.id)
        flags.data.frames = desk.frameCount
        flags.model.checkpoint = backbone
        flags.training.seed = run.seed
        flags.training.steps = run.steps
        let source = RecipeSource(flags: flags)
        var videos = VideoInputs()
        videos.isIsolated = true
        var request = RunRequest(.learn, recipe: try source.given(), asked: try source.asked(), videos: videos, model: model)
        if run.method == .auto { request.method = "auto" }
        let outcome = try request.run(output: path.appendingPath(Self.learnedName), context: watcher.context)
        try register(run, in: path)
        return result(run, outcome.result, in: outcome.path, set: set, names: names)
    }

    /// How messages of a run are told to clients: without the places of files, and with clips as their owner calls them.
    func words(of run: ServedRun) -> @Sendable (String) -> String {
        let places = [sets.root(of: run.dataSet), folder].map { $0 + "/" }
        let names = ((try? sets.set(run.dataSet))?.clips ?? []).map { ($0.file, $0.name) }
        return { text in
            var words = text.replacing(backbone, with: backbone.lastPathComponent)
            for place in places { words = words.replacing(place, with: "") }
            for (file, name) in names where words.contains(file) { words = words.replacing(file, with: name) }
            return words
        }
    }

    private func result(_ run: ServedRun, _ result: RunResult, in learned: String, set: DataSet, names: [String]) -> ServedRun.Result {
        let compared = result.compared ?? []
        let files = Dictionary(set.clips.map { ($0.file, $0.id) }) { $1 }
        // What was learned counts, also where nothing can be told of it.
        let answers = (try? HeldOutAnswers(run: learned, classCount: names.count)) ?? nil
        let heldOut = answers.map {
            HeldOut($0.predictions, classNames: names, clips: files, standardError: compared.first { $0.method == result.method }?.standardError)
        }
        return ServedRun.Result(prompts: Self.promptsID(run), method: result.method, seconds: result.seconds, heldOut: heldOut, compared: compared)
    }

    /// What a run that was stopped has learned by then; nil where it is nothing yet.
    func partial(_ run: ServedRun, in path: String) -> ServedRun.Result? {
        guard (try? register(run, in: path)) != nil else { return nil }
        return ServedRun.Result(prompts: Self.promptsID(run), method: nil, seconds: run.began.map { Date().timeIntervalSince($0) } ?? 0, heldOut: nil, compared: [])
    }

    /// Lets requests ask what a run has learned.
    func register(_ run: ServedRun, in path: String) throws {
        let file = RunKind.learn.chosenFile(in: path.appendingPath(Self.learnedName))
        guard fileExists(file) else { throw FileError(path: file, problem: .missing) }
        try desk.add(
            id: Self.promptsID(run), name: run.name, path: file, origin: .learned, dataSet: run.dataSet, run: run.id, created: run.created)
    }

    private static func promptsID(_ run: ServedRun) -> String { "p" + run.id.dropFirst() }
}
