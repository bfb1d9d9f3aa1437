import Tensors

/// Where prompts come from: from parameters of its own, forward to the prompts of both towers, backward to its
/// parameters. MaPLe's projections and shared contexts are sources; the towers only see the prompts.
package protocol PromptSource {
    /// How many prompts it makes, and for which layers.
    var configuration: PromptConfiguration { get }
    /// Its own parameters.
    var tensors: [LearnedTensor] { get }
    /// Gradients of the prompts, which a step adds to before it calls `backward`.
    var promptGradients: PromptSet<MutableMatrix> { get }
    /// The prompts of the parameters as they are now. Called at the beginning of each step, and between steps; a source whose
    /// `promptGradients` are not the gradients of its tensors fills them with zeros here.
    func forward() -> PromptSet<Matrix>
    /// Adds to the gradients of its tensors what follows from `promptGradients`.
    func backward()
}

/// The prompts themselves learn: the identity among the sources.
package struct DirectPrompts: PromptSource {
    package let values: PromptSet<MutableMatrix>
    package let promptGradients: PromptSet<MutableMatrix>
    package let configuration: PromptConfiguration

    /// - Parameter values: read anew at each step, and never copied.
    package init(_ values: PromptSet<MutableMatrix>, architecture: CLIPArchitecture) {
        self.values = values
        configuration = values.configuration
        promptGradients = PromptSet(zeros: configuration, architecture: architecture)
    }

    package var tensors: [LearnedTensor] {
        zip(values.named, promptGradients.all).map { LearnedTensor(name: $0.name, value: $0.element, gradient: $1) }
    }

    package func forward() -> PromptSet<Matrix> { values.reading }

    package func backward() {}
}
