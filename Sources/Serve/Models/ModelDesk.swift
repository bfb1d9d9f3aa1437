import CLIPModel
import Evaluation
import Experiments
import Files
import Foundation
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
    private let state = Mutex(State())

    private struct State {
        /// In the order of their coming.
        var answerers: [Answerer] = []
        var classSets: [ClassSet] = []
        /// Classifiers that were made, the one that was used last at the end.
        var made: [(key: String, model: VideoModel)] = []
        var nextClassSet = 1
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
    init(base: LoadedModel, settings: Recipe, pool: WorkerPool, context: RunContext) {
        self.base = base
        self.settings = settings
        self.pool = pool
        self.context = context
    }

    var backbone: Backbone { base.backbone }
    var frameCount: Int { base.frameCount(asked: settings.data.frames) }
    var pictures: PictureRules { settings.pictures }
    /// That frames are shrunk to, whatever answers.
    var shortSide: Int { VideoModelSettings(settings, pool: pool).transform(of: base).shortSide }

    // MARK: What answers

    var answerers: [Answerer] { state.withLock { $0.answerers } }

    /// Reads prompts or a head and checks that they belong to the backbone.
    func add(
        id: String, name: String, path: String, origin: Answerer.Origin, dataSet: String? = nil, run: String? = nil, created: Date? = nil
    ) throws {
        let model = try LoadedModel(prompts: path, sharing: base, anyBackbone: false, context: context)
        let answerer = Answerer(
            id: id, name: name, path: model.promptPath ?? path, origin: origin, model: model, dataSet: dataSet, run: run, created: created)
        state.withLock { $0.answerers.append(answerer) }
    }

    func remove(_ id: String) {
        state.withLock { state in
            state.answerers.removeAll { $0.id == id }
            state.made.removeAll { $0.key.hasPrefix("\(id)\n") }
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
        let key = ([answerer?.id ?? ""] + classNames + ["\n"] + noneTexts).joined(separator: "\n")
        let known = state.withLock { state in
            guard let place = state.made.firstIndex(where: { $0.key == key }) else { return nil as VideoModel? }
            let found = state.made.remove(at: place)
            state.made.append(found)
            return found.model
        }
        if let known { return known }
        let model = try VideoModelSettings(settings, noneTexts: noneTexts, pool: pool).model(
            of: answerer?.model ?? base, name: answerer?.id ?? "", classNames: classNames)
        state.withLock { state in
            state.made.append((key, model))
            if state.made.count > Self.madeLimit { state.made.removeFirst() }
        }
        return model
    }
}
