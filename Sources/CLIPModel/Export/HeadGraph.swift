import Tensors
import WeightFiles

/// The features of clips in a graph.
package struct ClipFeatures {
    /// `[clips, frames, embeddingWidth]`, not normalized.
    package let frames: String
    package let width: Int
    /// Frames of a clip, for those that score clips of one number of frames only.
    let frameCount: Int
}

/// A head whose scores are operations of a graph.
package protocol GraphHead: ClassifierHead {
    /// Whether clips of one number of frames only are scored.
    var fixesFrameCount: Bool { get }
    /// - Returns: `[clips, classes]`, the same numbers as `logits` has.
    func addLogits(of features: ClipFeatures, to graph: inout GraphBuilder) -> String
}

/// An aggregator whose way of putting frames together is operations of a graph.
package protocol GraphAggregator: VideoAggregator {
    /// Whether it puts one number of frames only together.
    var fixesFrameCount: Bool { get }
    /// - Returns: `[clips, width]` where frames are mixed, otherwise the frames as they are; not normalized.
    func addPooled(_ features: ClipFeatures, to graph: inout GraphBuilder) -> String
}

extension Fusion: GraphAggregator {
    package var fixesFrameCount: Bool { false }

    package func addPooled(_ features: ClipFeatures, to graph: inout GraphBuilder) -> String {
        mixesFrames ? graph.mean(features.frames, over: 1, name: "video") : features.frames
    }
}

extension TemporalFusion: GraphAggregator {
    package var fixesFrameCount: Bool { true }

    package func addPooled(_ features: ClipFeatures, to graph: inout GraphBuilder) -> String {
        let parameters = transformer.parameters
        return graph.within("frames") { graph in
            var rows = graph.add("Add", features.frames, graph.constant(parameters.positions.rows(0..<features.frameCount).reading, name: "positions"), name: "placed")
            for (layer, block) in parameters.blocks.enumerated() {
                let description = BlockGraph(
                    parameters: block.map(\.reading), headCount: configuration.headCount, activation: .quickGELU,
                    normEpsilon: configuration.normEpsilon)
                rows = description.add(rows, to: &graph, name: "blocks.\(layer)")
            }
            if configuration.keepsFrames { rows = graph.add("Add", rows, features.frames, name: "sum") }
            return graph.mean(rows, over: 1, name: "video")
        }
    }
}

extension VideoHead: GraphHead where Aggregator: GraphAggregator {
    package var fixesFrameCount: Bool { aggregator.fixesFrameCount }

    package func addLogits(of features: ClipFeatures, to graph: inout GraphBuilder) -> String {
        let unit = graph.normalized(aggregator.addPooled(features, to: &graph), name: "unit")
        let classes = graph.constant(text.unit.reading, name: "class_embeddings")
        let across = graph.add("Transpose", classes, attributes: [("perm", .integers([1, 0]))], name: "class_columns")
        let cosines = graph.add("MatMul", unit, across, name: "cosines")
        let scores = graph.add("Mul", cosines, graph.number(scale, name: "logit_scale"), name: "scores")
        return aggregator.mixesFrames ? scores : graph.mean(scores, over: 1, name: "mean_scores")
    }
}

extension TemplateHead: GraphHead where Aggregator: GraphAggregator {
    package var fixesFrameCount: Bool { texts.fixesFrameCount }

    package func addLogits(of features: ClipFeatures, to graph: inout GraphBuilder) -> String {
        let scores = texts.addLogits(of: features, to: &graph)
        let cut = graph.add("Reshape", scores, graph.integers(0, templateCount, classCount), name: "scores_of_templates")
        let shares = graph.add("Softmax", cut, attributes: [("axis", .integer(-1))], name: "shares_of_templates")
        let mean = graph.mean(shares, over: 1, name: "shares")
        let least = graph.number(.leastNormalMagnitude, name: "least_share")
        return graph.add("Log", graph.add("Max", mean, least, name: "positive_shares"), name: "log_shares")
    }
}

extension CLIPClassifier {
    /// Whether there is a graph of it.
    package var hasGraph: Bool { head is any GraphHead && !pass.layout.mixesFrames && pass.layout.mergedTokens == 0 }

    /// What it computes, from pixels to logits.
    ///
    /// One input, `frames` `[batch, frames, 3, side, side]`: RGB in 0 … 1, which the graph normalizes; one output, `logits`
    /// `[batch, classes]`, the same numbers as `logits(clips:)` up to rounding.
    ///
    /// - Parameters:
    ///   - mean, deviation: of pixels in 0 … 1, for each channel.
    /// - Returns: nil where head or tower are none that has a graph.
    package func graph(mean: [Float], deviation: [Float]) -> ONNXGraph? {
        guard hasGraph, let head = head as? any GraphHead else { return nil }
        let (side, width) = (backbone.architecture.imagePixels, backbone.architecture.embeddingWidth)
        var graph = GraphBuilder(name: "vifi-prompt")
        let frameSize = head.fixesFrameCount ? ONNXGraph.Dimension.fixed(frameCount) : .named("frames")
        let frames = graph.graph.addInput("frames", [.named("batch"), frameSize, .fixed(3), .fixed(side), .fixed(side)])
        let flat = graph.add("Reshape", frames, graph.integers(-1, 3, side, side), name: "single_frames")
        let tower = VisionGraph(tower: pass.tower, layout: pass.layout, context: context, mean: mean, deviation: deviation)
        let features = tower.add(frames: flat, to: &graph)
        let clipShape = graph.add("Shape", frames, attributes: [("start", .integer(0)), ("end", .integer(2))], name: "clip_shape")
        let shape = graph.concatenated(clipShape, graph.integers(width), axis: 0, name: "feature_shape")
        let clips = ClipFeatures(
            frames: graph.add("Reshape", features, shape, name: "features_of_clips"), width: width, frameCount: frameCount)
        graph.graph.addOutput("logits", [.named("batch"), .fixed(head.classCount)], from: head.addLogits(of: clips, to: &graph))
        return graph.graph
    }
}
