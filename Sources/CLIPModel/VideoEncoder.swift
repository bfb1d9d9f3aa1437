import Tensors

/// A backbone's vision tower with or without prompts: clips in, the features of their frames out.
package final class VideoEncoder: Sendable {
    package let frameCount: Int
    let pass: VisionPass
    let context: VisionPromptContext?
    /// Names what it computes: encoders of one identity make the same features of the same clips.
    package let identity: String

    /// - Parameters:
    ///   - prompts: none for plain CLIP.
    ///   - frameCount: frames of every clip.
    package init(backbone: Backbone, prompts: PromptSet<Matrix>, frameCount: Int, pool: WorkerPool) {
        self.frameCount = frameCount
        identity = "\(backbone.visionIdentity) \(frameCount) \(prompts.visionSide.digest)"
            + (prompts.mergedTokens == 0 ? "" : " merging \(prompts.mergedTokens)") + (prompts.isBehindNorm ? " behind norm" : "")
            + (prompts.pixels.map { " in pixels, \($0.area.words)" } ?? "")
        pass = VisionPass(
            tower: backbone.vision, prompts: prompts.configuration, frameCount: frameCount, keeping: .nothing, pool: pool)
        context = prompts.configuration.promptsVision
            ? backbone.vision.promptContext(for: prompts, layout: pass.layout) : nil
    }

    /// `[frames, featureWidth]` of each clip, not normalized.
    ///
    /// - Parameter clips: `[frames, 3 × side × side]` each, normalized pixels, or what `input` says. Threads that share
    ///   an encoder take turns: it has scratch memory once.
    package func frameFeatures(of clips: [Matrix], input: ClipInput = .pixels) -> [MutableMatrix] {
        pass.forward(clips: clips, input: input, context: context)
    }

    /// The vectors of each clip's frames on both sides of the projection.
    ///
    /// - Parameter clips: as in `frameFeatures`.
    package func frameVectors(of clips: [Matrix]) -> [FrameVectors] {
        let unprojected = clips.map { _ in MutableMatrix(rows: frameCount, columns: pass.tower.architecture.vision.width) }
        let projected = pass.forward(clips: clips, context: context, unprojected: unprojected)
        return zip(projected, unprojected).map { FrameVectors(projected: $0, unprojected: $1) }
    }

    /// Whether a clip's frames see each other, so that none has features of its own.
    package var mixesFrames: Bool { pass.layout.mixesFrames }

    /// The features of single frames, for windows that share them.
    ///
    /// - Precondition: frames do not see each other.
    /// - Parameter frames: `[frames, 3 × side × side]`, normalized pixels, any number of frames.
    /// - Returns: `[frames, embeddingWidth]`, not normalized.
    package func features(frames: Matrix) -> MutableMatrix {
        let count = frames.rowCount
        let features = MutableMatrix(rows: count, columns: pass.tower.architecture.embeddingWidth)
        var clips = (0..<count / frameCount).map { frames.rows($0 * frameCount..<($0 + 1) * frameCount) }
        let rest = count % frameCount
        if rest > 0 {
            // The pass takes whole clips: the last one is filled up with black.
            let padded = MutableMatrix(rows: frameCount, columns: frames.columnCount)
            padded.rows(0..<rest).copy(frames.rows(count - rest..<count))
            clips.append(padded.reading)
        }
        for (index, clip) in frameFeatures(of: clips).enumerated() {
            let rows = index * frameCount..<min(count, (index + 1) * frameCount)
            features.rows(rows).copy(clip.rows(0..<rows.count))
        }
        return features
    }

    /// The mean of each clip's frames as a unit vector, `[clips, embeddingWidth]`: what embedding fusion compares.
    ///
    /// - Throws: `ModelError` where weights or prompts are so large that these are not numbers.
    package func embeddings(of clips: [Matrix]) throws(ModelError) -> MutableMatrix {
        let features = frameFeatures(of: clips)
        let means = MutableMatrix(rows: clips.count, columns: features.first?.columnCount ?? 0)
        for (row, frames) in features.enumerated() { meanRow(of: frames, into: means.row(row)) }
        let unit = TextFeatures(means).unit
        guard nonFiniteCount(in: unit) == 0 else { throw .notNumbers(what: "the video embeddings") }
        return unit
    }
}

/// A clip's frames on both sides of the vision tower's projection, not normalized.
package struct FrameVectors: Sendable {
    /// `[frames, embeddingWidth]`
    package let projected: MutableMatrix
    /// `[frames, width]`
    package let unprojected: MutableMatrix
}

/// A backbone's text tower with or without prompts, for any number of texts.
package struct TextEncoder: Sendable {
    /// Texts that go through the tower together; their activations are in memory at once.
    private static let blockSize = 256

    private let backbone: Backbone
    private let prompts: PromptSet<Matrix>
    private let pool: WorkerPool

    package init(backbone: Backbone, prompts: PromptSet<Matrix>, pool: WorkerPool) {
        self.backbone = backbone
        self.prompts = prompts
        self.pool = pool
    }

    /// Numbers of an embedding.
    package var width: Int { backbone.architecture.embeddingWidth }

    /// Unit vectors, `[texts, embeddingWidth]`.
    ///
    /// - Parameters:
    ///   - sequences: tokens of each text, with room for the text prompts.
    ///   - report: called with the number of texts done so far.
    /// - Throws: `ModelError` where the vectors are not numbers, or what `report` throws.
    package func embeddings(of sequences: [[Int]], report: (Int) throws -> Void = { _ in }) throws -> MutableMatrix {
        TextFeatures(try features(of: sequences, report: report)).unit
    }

    /// The same before they are made unit vectors.
    package func features(of sequences: [[Int]], report: (Int) throws -> Void = { _ in }) throws -> MutableMatrix {
        // Equal texts have equal vectors to the bit, wherever they stand: each goes through the tower once.
        var places: [[Int]: Int] = [:]
        var unique: [[Int]] = []
        let placeOfText = sequences.map { sequence in
            if let place = places[sequence] { return place }
            places[sequence] = unique.count
            unique.append(sequence)
            return unique.count - 1
        }
        let features = MutableMatrix(rows: unique.count, columns: backbone.architecture.embeddingWidth)
        for start in stride(from: 0, to: unique.count, by: Self.blockSize) {
            let block = start..<min(start + Self.blockSize, unique.count)
            let layout = TextTowerLayout(
                sequences: Array(unique[block]), promptTokens: prompts.configuration.textTokens, promptLayers: prompts.configuration.textLayers,
                architecture: backbone.architecture)
            let memory = TextActivations(
                layout: layout, architecture: backbone.architecture, keeping: .nothing, threadCount: pool.threadCount)
            backbone.text.forward(prompts: prompts.text, words: prompts.words?.table, saved: memory, pool: pool)
            features.rows(block).copy(memory.features)
            try report(placeOfText.count { $0 < block.upperBound })
        }
        guard nonFiniteCount(in: features) == 0 else { throw ModelError.notNumbers(what: "the text embeddings") }
        guard unique.count < sequences.count else { return features }
        let result = MutableMatrix(rows: sequences.count, columns: features.columnCount)
        for (text, place) in placeOfText.enumerated() { result.row(text).copy(features.row(place)) }
        return result
    }
}

/// Both towers, for videos and captions that are to find each other.
package struct PairEncoder: Sendable {
    package let videos: VideoEncoder
    package let captions: TextEncoder

    package init(
        backbone: Backbone, prompts: PromptSet<Matrix> = PromptSet(vision: [], text: []), frameCount: Int, pool: WorkerPool
    ) {
        videos = VideoEncoder(backbone: backbone, prompts: prompts, frameCount: frameCount, pool: pool)
        captions = TextEncoder(backbone: backbone, prompts: prompts, pool: pool)
    }
}
