import CLIPModel
import Evaluation
import Experiments
import Files
import Foundation
import Logging
import Recipes
import Synchronization
import Tensors
import VideoData

/// The backbone, read once, and whatever answers on it.
final class ModelDesk: Sendable {
    let base: LoadedModel
    let pool: WorkerPool
    let settings: Recipe
    private let context: RunContext
    /// That are watched.
    private let folders: [PromptFolder]
    private let looking = DispatchQueue(label: "vifi-prompt.folders")
    private let state = Mutex(State())

    private struct State {
        /// Those that are in no folder, in the order of their coming.
        var answerers: [Answerer] = []
        var classSets: [ClassSet] = []
        /// Classifiers that were made, the one that was used last at the end.
        var made: [Made] = []
        var nextClassSet = 1
    }

    private struct Made: Sendable {
        /// Nil for the backbone as it is.
        let answerer: Answerer?
        let texts: String
        let model: VideoModel

        func isSame(_ answerer: Answerer?, _ texts: String) -> Bool {
            guard self.texts == texts else { return false }
            guard let own = self.answerer, let answerer else { return self.answerer == nil && answerer == nil }
            return own.isSame(as: answerer)
        }
    }

    struct ClassSet: Encodable, Sendable {
        let id: String
        let names: [String]
    }

    /// Classifiers that are kept: each holds its classes' texts.
    private static let madeLimit = 32
    private static let classSetLimit = 256

    /// - Parameters:
    ///   - base: the backbone without prompts.
    ///   - settings: how videos are looked at.
    ///   - folders: whose files answer while they are there.
    init(base: LoadedModel, settings: Recipe, folders: [String], pool: WorkerPool, context: RunContext, logger: Logger) {
        self.base = base
        self.settings = settings
        self.pool = pool
        self.context = context
        self.folders = folders.enumerated().map { index, path in
            PromptFolder(path: path, idPrefix: "w\(index + 1)x", base: base, context: context, logger: logger)
        }
        for folder in self.folders {
            folder.look()
            context.note(.model(.folderWatched(path: folder.path, answering: folder.answerers.count, faults: folder.faults.count)))
        }
    }

    var backbone: Backbone { base.backbone }
    var frameCount: Int { base.frameCount(asked: settings.data.frames) }
    var pictures: PictureRules { settings.pictures }
    /// That frames are shrunk to, whatever answers.
    var shortSide: Int { VideoModelSettings(settings, pool: pool).transform(of: base).shortSide }

    // MARK: What answers

    /// Those of the start, then those of folders, then what was learned here.
    var answerers: [Answerer] { state.withLock { all($0) } }

    private func all(_ state: borrowing State) -> [Answerer] {
        let own = state.answerers
        return own.filter { $0.origin == .given } + folders.flatMap(\.answerers) + own.filter { $0.origin != .given }
    }

    /// Files of folders that do not answer; nil where none is watched.
    var faults: [PromptFolder.Fault]? { folders.isEmpty ? nil : folders.flatMap(\.faults) }

    /// Sees what has changed in the folders, before what answers is asked for. Reading files keeps a thread, so it is not done
    /// on those that serve connections; whoever comes meanwhile waits, for it may be what they ask for.
    func lookIntoFolders() async {
        guard !folders.isEmpty else { return }
        await withCheckedContinuation { done in
            looking.async { [self] in
                for folder in folders { folder.look() }
                // What was made of prompts that are gone goes with them.
                state.withLock { state in
                    let all = all(state)
                    state.made.removeAll { made in made.answerer.map { answerer in !all.contains { $0.isSame(as: answerer) } } ?? false }
                }
                done.resume()
            }
        }
    }

    /// Reads prompts or a head and checks that they belong to the backbone.
    func add(
        id: String, name: String, path: String, origin: Answerer.Origin, dataSet: String? = nil, run: String? = nil, created: Date? = nil
    ) throws {
        let model = try LoadedModel(prompts: path, sharing: base, anyBackbone: false, context: context)
        // Of a run's folder, the file in it.
        let file = model.head == nil && !PromptAdapter.isAdapter(path) ? try PromptAdapter.tensorsPath(of: path) : model.promptPath ?? path
        let answerer = Answerer(
            id: id, name: name, path: file, origin: origin, model: model, dataSet: dataSet, run: run, created: created,
            version: nil)
        state.withLock { $0.answerers.append(answerer) }
    }

    func remove(_ id: String) {
        state.withLock { state in
            state.answerers.removeAll { $0.id == id }
            state.made.removeAll { $0.answerer?.id == id }
        }
    }

    /// - Parameter name: an id, or the name of one.
    func answerer(_ name: String) throws(RequestFault) -> Answerer {
        let found = answerers
        guard let answerer = found.first(where: { $0.id == name }) ?? found.last(where: { $0.name == name }) else {
            throw RequestFault(.notFound, "There are no prompts \"\(name.prefix(100))\". GET /v1/prompts names those that there are.")
        }
        return answerer
    }

    // MARK: Classes

    var classSets: [ClassSet] { state.withLock { $0.classSets } }

    /// Keeps a list of names, or finds the one that has been kept.
    func keep(_ names: [String]) -> ClassSet {
        state.withLock { state in
            if let known = state.classSets.first(where: { $0.names == names }) { return known }
            // The oldest makes room.
            if state.classSets.count >= Self.classSetLimit { state.classSets.removeFirst() }
            let set = ClassSet(id: "c\(state.nextClassSet)", names: names)
            state.nextClassSet += 1
            state.classSets.append(set)
            return set
        }
    }

    // MARK: Classifiers

    /// What answers as `predict` would.
    ///
    /// - Parameters:
    ///   - answerer: nil for the backbone as it is.
    ///   - classNames: to choose from.
    ///   - noneTexts: stand for none of them.
    /// - Throws: `ModelError`, `HeadUseError`.
    func model(_ answerer: Answerer?, classNames: [String], noneTexts: [String] = []) throws -> VideoModel {
        let texts = (classNames + ["\n"] + noneTexts).joined(separator: "\n")
        let known = state.withLock { state in
            guard let place = state.made.firstIndex(where: { $0.isSame(answerer, texts) }) else { return nil as VideoModel? }
            let found = state.made.remove(at: place)
            state.made.append(found)
            return found.model
        }
        if let known { return known }
        let model = try VideoModelSettings(settings, noneTexts: noneTexts, pool: pool).model(
            of: answerer?.model ?? base, name: answerer?.id ?? "", classNames: classNames)
        state.withLock { state in
            // A request ends with the prompts that it began with; of those that have gone meanwhile nothing is kept.
            if let answerer, !all(state).contains(where: { $0.isSame(as: answerer) }) { return }
            state.made.append(Made(answerer: answerer, texts: texts, model: model))
            if state.made.count > Self.madeLimit { state.made.removeFirst() }
        }
        return model
    }
}
