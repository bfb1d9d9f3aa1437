import Foundation
import Tensors

/// Classes that are read in several templates: the probabilities of each template's texts are averaged (`methods.md` 5).
package struct TemplateHead<Aggregator: VideoAggregator>: ClassifierHead {
    /// Over the texts of all templates, one template's classes after the other's.
    let texts: VideoHead<Aggregator>
    package let classCount: Int

    /// - Parameter text: `[templates × classes, embeddingWidth]`.
    package init(_ aggregator: Aggregator, scale: Float, text: TextFeatures, classCount: Int) {
        precondition(text.classCount % classCount == 0, "each template has a text of every class")
        texts = VideoHead(aggregator, scale: scale, text: text)
        self.classCount = classCount
    }

    var templateCount: Int { texts.classCount / classCount }

    /// The logarithms of the mean probabilities: their softmax is these.
    package func logits(features: Matrix) -> [Float] {
        let all = texts.logits(features: features)
        var means = [Double](repeating: 0, count: classCount)
        for template in 0..<templateCount {
            let logs = logProbabilities(of: Array(all[template * classCount..<(template + 1) * classCount]))
            for (label, log) in logs.enumerated() { means[label] += exp(Double(log)) / Double(templateCount) }
        }
        return means.map { Float(log(max($0, .leastNormalMagnitude))) }
    }

    /// Of the mean of the templates' logits.
    package func logitGradient(features: Matrix, label: Int) -> MutableMatrix {
        texts.meanLogitGradient(features: features, texts: (0..<templateCount).map { $0 * classCount + label })
    }

    package func embedding(features: Matrix) -> [Float] { texts.embedding(features: features) }
}
