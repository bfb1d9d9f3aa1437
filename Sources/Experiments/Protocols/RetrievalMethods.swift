import Files
import Recipes
import VideoData

/// What learns from captions, side by side: a grid whose cells are methods, scored by retrieval.
package enum RetrievalMethods {
    /// Those that learn from captions, and the backbone as it is.
    package static let all: [LearningMethod] = [.zeroShot, .prompt, .fineTune]

    /// - Parameters:
    ///   - source: what the command line says, the captions to learn and to test among it.
    ///   - path: of the folder.
    /// - Throws: `ProtocolError` for a method that learns classes only.
    package static func comparison(
        of methods: [LearningMethod], _ source: RecipeSource, seeds: [Int], learning: ProtocolLearning, path: String, context: RunContext,
        draw: @escaping (AblationSummary, String) throws -> Void
    ) throws -> AblationRun {
        if let method = methods.first(where: { !all.contains($0) }) { throw ProtocolError.noCaptions(method: method.rawValue) }
        var source = source
        let given = try source.given()
        let isPocket = given.data.captions == nil && given.data.valCaptions == nil && given.model.checkpoint == nil
            && [nil, PocketHome.name].contains(given.data.testCaptions)
        if isPocket {
            let set = try PocketHome.captionedSet(.small(), pool: learning.model.pool(context), context: context)
            context.note(.data(.pocketWorld(folders: [set.root], .retrieval)))
            (source.flags.data.captions, source.flags.data.valCaptions) = (set.trainCaptions, set.validationCaptions)
            source.flags.data.testCaptions = set.testCaptions
            source.flags.model.checkpoint = try BundledFiles.path(of: "Checkpoints/pocket-bridged.safetensors")
        } else {
            let needed = [("--train-captions", given.data.captions), ("--captions", given.data.testCaptions)]
            let missing = needed.filter { $0.1 == nil }.map(\.0)
            guard missing.isEmpty else { throw SettingsError.incompleteData(missing: missing) }
        }
        let grid = AblationGrid(name: "retrieval", title: "methods that learn captions", methods: methods.map(\.rawValue))
        return try AblationRun(grid, seeds: seeds, path: path, context: context, draw: draw) { cell in
            let method = methods.first { $0.rawValue == cell.method } ?? .zeroShot
            let kind = method.kind ?? .learn
            let recipe = try learning.recipe(for: method, source, own: isPocket ? "pocket/\(kind.rawValue)-captions" : nil)
            return learning.request(method, kind, recipe: recipe)
        }
    }
}
