import CLIPModel
import Recipes
import Tensors

/// The model, as far as a recipe does not name it.
package struct ModelInputs: Codable, Equatable, Sendable {
    /// A backbone file, or any CLIP that can be imported.
    package var backbone: String?
    /// CLIP's vocabulary, for backbones that need it.
    package var vocabulary: String?
    /// Of the MLPs, for CLIPs that do not say it.
    package var activation: Activation?
    package var precision: PrecisionChoice?
    /// nil for all processors, shared out among the ranks of a machine.
    package var threads: Int?

    package init(
        backbone: String? = nil, vocabulary: String? = nil, activation: Activation? = nil, precision: PrecisionChoice? = nil,
        threads: Int? = nil
    ) {
        self.backbone = backbone
        self.vocabulary = vocabulary
        self.activation = activation
        self.precision = precision
        self.threads = threads
    }

    package func pool(_ context: RunContext) -> WorkerPool { WorkerPool(threadCount: threads ?? context.threadCount) }

    package func apply(to recipe: inout Recipe) {
        recipe.model.checkpoint = backbone ?? recipe.model.checkpoint
        recipe.model.precision = precision ?? recipe.model.precision
    }
}
