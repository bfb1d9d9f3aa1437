import CLIPModel
import Methods
import Tensors

/// A head's formula as operations of a graph.
///
/// - Precondition: it has one, which whoever exports it asks first.
extension HeadScorer: GraphHead {
    var fixesFrameCount: Bool { false }

    func addLogits(of features: ClipFeatures, to graph: inout GraphBuilder) -> String {
        guard let formula = head.formula else { preconditionFailure("a head without a formula") }
        let video = graph.mean(features.frames, over: 1, name: "video")
        let scores = formula.addScores(of: video, to: &graph)
        let divisor = graph.number(temperature, name: "temperature")
        let logits = graph.add("Div", scores, divisor, name: "calibrated_scores")
        guard columns != Array(0..<formula.classCount) else { return logits }
        return graph.add(
            "Gather", logits, graph.graph.addIntegers(columns), attributes: [("axis", .integer(1))], name: "chosen_scores")
    }
}

extension HeadFormula {
    fileprivate var classCount: Int {
        switch self {
        case .linear(_, let bias): bias.count
        case .kernel(let texts, _, _, _, _), .adapter(_, _, _, let texts, _), .mapped(_, _, _, let texts, _): texts.rowCount
        }
    }

    /// - Parameter video: the clips' mean features, `[clips, width]`, not normalized.
    /// - Returns: `[clips, classes]`.
    fileprivate func addScores(of video: String, to graph: inout GraphBuilder) -> String {
        switch self {
        case .linear(let weight, let bias):
            let unit = graph.normalized(video, name: "unit")
            let product = graph.product(unit, with: weight, name: "class_weights")
            let biases = graph.graph.addConstant("class_biases", shape: [bias.count]) { bias }
            return graph.add("Add", product, biases, name: "scores")
        case .kernel(let texts, let scale, let keys, let sharpness, let values):
            let unit = graph.normalized(video, name: "unit")
            let cosines = graph.product(unit, with: keys, name: "keys")
            let distances = graph.add("Sub", graph.number(1, name: "one"), cosines, name: "distances")
            let exponents = graph.add("Mul", distances, graph.number(-sharpness, name: "sharpness"), name: "exponents")
            let votes = graph.add("MatMul", graph.add("Exp", exponents, name: "affinities"), graph.constant(values, name: "values"), name: "votes")
            return graph.add("Add", graph.cosineScores(of: unit, texts: texts, scale: scale), votes, name: "scores")
        case .adapter(let first, let second, let ratio, let texts, let scale):
            let hidden = graph.add("Relu", graph.product(video, with: first, name: "first"), name: "hidden")
            let changed = graph.add("Relu", graph.product(hidden, with: second, name: "second"), name: "changed")
            let blend = graph.add(
                "Add", graph.add("Mul", changed, graph.number(ratio, name: "ratio"), name: "changed_share"),
                graph.add("Mul", video, graph.number(1 - ratio, name: "rest"), name: "own_share"), name: "blend")
            return graph.cosineScores(of: graph.normalized(blend, name: "unit"), texts: texts, scale: scale)
        case .mapped(let mean, let deviation, let map, let texts, let scale):
            let unit = graph.normalized(video, name: "unit")
            let means = graph.graph.addConstant("feature_mean", shape: [mean.count]) { mean }
            let deviations = graph.graph.addConstant("feature_std", shape: [deviation.count]) { deviation }
            let standard = graph.add("Div", graph.add("Sub", unit, means, name: "centered"), deviations, name: "standard")
            let mapped = graph.add("MatMul", standard, graph.constant(map, name: "map"), name: "mapped")
            return graph.cosineScores(of: graph.normalized(mapped, name: "unit_mapped"), texts: texts, scale: scale)
        }
    }
}

extension GraphBuilder {
    /// `rows · matrixᵀ`.
    fileprivate mutating func product(_ rows: String, with matrix: Matrix, name: String) -> String {
        add("MatMul", rows, transposedConstant(matrix, name: name), name: name + "/product")
    }

    /// - Parameter unit: vectors of unit length.
    fileprivate mutating func cosineScores(of unit: String, texts: Matrix, scale: Float) -> String {
        add("Mul", product(unit, with: texts, name: "class_embeddings"), number(scale, name: "logit_scale"), name: "cosine_scores")
    }
}
