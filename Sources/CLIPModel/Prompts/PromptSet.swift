import Tensors

/// How many prompt tokens are learned in how many layers.
package struct PromptConfiguration: Sendable, Equatable, Codable {
    package var visionTokens: Int
    package var visionDepth: Int
    package var textTokens: Int
    package var textDepth: Int

    /// Depth 0 or no tokens switch a side off.
    package init(visionTokens: Int, visionDepth: Int, textTokens: Int, textDepth: Int) {
        self.visionTokens = visionDepth > 0 ? visionTokens : 0
        self.visionDepth = visionTokens > 0 ? visionDepth : 0
        self.textTokens = textDepth > 0 ? textTokens : 0
        self.textDepth = textTokens > 0 ? textDepth : 0
    }

    package static let none = PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: 0, textDepth: 0)

    /// Numbers that are learned: tokens × width, summed over the layers of both towers.
    package func parameterCount(for architecture: CLIPArchitecture) -> Int {
        visionTokens * visionDepth * architecture.vision.width + textTokens * textDepth * architecture.text.width
    }

    package func check(against architecture: CLIPArchitecture) throws(ModelError) {
        for (tower, depth, count) in [
            ("vision", visionDepth, architecture.vision.layerCount), ("text", textDepth, architecture.text.layerCount),
        ] where depth > count || depth < 0 {
            throw .promptDepth(tower: tower, depth: depth, layerCount: count)
        }
    }
}

/// The prompt tokens of both towers, one element a layer: values, gradients or moments.
package struct PromptSet<Element: Readable>: Sendable {
    /// `[visionTokens, vision width]` for layers `0 ..< visionDepth`.
    package var vision: [Element]
    /// `[textTokens, text width]` for layers `0 ..< textDepth`.
    package var text: [Element]

    package init(vision: [Element], text: [Element]) {
        self.vision = vision
        self.text = text
    }

    /// Every element under the name that prompt files use.
    package var named: [(name: String, element: Element)] {
        vision.enumerated().map { ("vision.\($0.offset)", $0.element) } + text.enumerated().map { ("text.\($0.offset)", $0.element) }
    }

    package var all: [Element] { vision + text }

    package var reading: PromptSet<Matrix> { PromptSet<Matrix>(vision: vision.map(\.reading), text: text.map(\.reading)) }

    package var configuration: PromptConfiguration {
        PromptConfiguration(
            visionTokens: vision.first?.rowCount ?? 0, visionDepth: vision.count,
            textTokens: text.first?.rowCount ?? 0, textDepth: text.count)
    }
}

extension PromptSet<MutableMatrix> {
    /// Zeros: gradients and moments start here.
    package init(zeros configuration: PromptConfiguration, architecture: CLIPArchitecture) {
        self.init(
            vision: (0..<configuration.visionDepth).map { _ in
                MutableMatrix(rows: configuration.visionTokens, columns: architecture.vision.width)
            },
            text: (0..<configuration.textDepth).map { _ in
                MutableMatrix(rows: configuration.textTokens, columns: architecture.text.width)
            })
    }

    /// Prompts as training starts from: N(0, 0.02²), ViFi-CLIP trainers/vificlip.py.
    package init(random configuration: PromptConfiguration, architecture: CLIPArchitecture, seed: UInt64) {
        self.init(zeros: configuration, architecture: architecture)
        for (index, element) in all.enumerated() {
            var source = RandomSource(seed: seed, purpose: .prompts, item: index)
            element.fill(with: (0..<element.count).map { _ in 0.02 * source.normal() })
        }
    }
}
