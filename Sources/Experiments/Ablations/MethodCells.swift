import Files
import Recipes

/// What the cells of a grid of methods ask for: each method learns by the recipe that it has in few-shot.
package struct MethodCells {
    private let learning: ProtocolLearning
    private let isPocket: Bool

    /// - Parameters:
    ///   - wholeBackbone: that methods start from which train the whole CLIP; nil for that of the settings.
    ///   - isPocket: nobody named a list.
    package init(model: ModelInputs, videos: VideoInputs, wholeBackbone: String?, isPocket: Bool) {
        learning = ProtocolLearning(model: model, videos: videos, memory: MemoryBound(), fineTuneBackbone: wholeBackbone)
        self.isPocket = isPocket
    }

    /// - Parameters:
    ///   - name: of a method, as few-shot takes it.
    ///   - source: what the command line and the cell say.
    ///   - path: of the grid, for the error.
    /// - Throws: `AblationError` for a name that no method has.
    package func request(_ name: String, _ source: RecipeSource, path: String) throws -> RunRequest {
        guard let method = LearningMethod(rawValue: name) else {
            let known = LearningMethod.all.map(\.rawValue)
            throw AblationError.unknownMethod(path: path, name: name, known: known, nearest: name.nearest(among: known))
        }
        let recipe = try learning.recipe(for: method, source, own: method.ownRecipe(isPocket ? .fewShot.onPocket : .fewShot))
        return learning.request(method, method.kind ?? .learn, recipe: recipe)
    }
}
