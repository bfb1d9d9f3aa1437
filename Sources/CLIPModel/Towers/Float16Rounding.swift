import Tensors

/// What ViFi-CLIP rounds to float16 though its weights are float32 (`methods.md` 1.1, 1.2). Off by default.
///
/// Only values are rounded; gradients stay float32 and go to the unrounded parameters.
package struct Float16Rounding: OptionSet, Sendable {
    package let rawValue: Int

    package init(rawValue: Int) { self.rawValue = rawValue }

    /// Vision prompts of all layers and text prompts from the second layer on, in each forward pass.
    /// The reference leaves the first layer's text prompts as they are.
    package static let prompts = Float16Rounding(rawValue: 1)
    /// Token embeddings and the text tower's positions.
    package static let textInputs = Float16Rounding(rawValue: 2)
}

extension MutableMatrix {
    /// Copies `source` rounded to float16.
    func copyRounded(_ source: some Readable) { fill(with: source.values.map { Float(Float16($0)) }) }
}

extension Readable {
    /// With every value rounded to float16.
    func roundedToFloat16() -> MutableMatrix {
        let result = MutableMatrix(rows: rowCount, columns: columnCount)
        result.copyRounded(self)
        return result
    }
}

extension PromptSet {
    /// The prompts as `rounding` has the towers see them.
    package func rounded(_ rounding: Float16Rounding) -> PromptSet<MutableMatrix> {
        let isRounding = rounding.contains(.prompts)
        func copy(_ element: Element, rounds: Bool) -> MutableMatrix {
            if rounds { return element.roundedToFloat16() }
            let result = MutableMatrix(rows: element.rowCount, columns: element.columnCount)
            result.copy(element)
            return result
        }
        return PromptSet<MutableMatrix>(
            vision: vision.map { copy($0, rounds: isRounding) },
            text: text.enumerated().map { copy($0.element, rounds: isRounding && $0.offset + textStart > 0) },
            visionStart: visionStart, textStart: textStart, replacedWords: replacedWords, mergedTokens: mergedTokens, isBehindNorm: isBehindNorm,
            words: words.map { PromptSet<MutableMatrix>.Words(copy($0.table, rounds: false), places: $0.places) },
            metaNet: metaNet?.map { copy($0, rounds: false) }, pixels: pixels?.map { copy($0, rounds: false) })
    }
}

extension Backbone {
    /// The same backbone, with the same parameters and digest, whose text tower works as `rounding` has it.
    package func rounded(_ rounding: Float16Rounding) -> Backbone {
        guard rounding.contains(.textInputs) else { return self }
        var result = self
        var inputs = parameters.text
        inputs.tokenEmbedding = inputs.tokenEmbedding.roundedToFloat16().reading
        inputs.positionalEmbedding = inputs.positionalEmbedding.roundedToFloat16().reading
        result.text = TextTower(architecture: architecture, parameters: inputs, precision: precision.besideProducts)
        return result
    }
}
