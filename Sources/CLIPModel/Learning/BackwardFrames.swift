import Tensors

/// Sends the backward pass of each clip through some of its frames only.
///
/// The forward pass covers all frames, so the loss and its gradient at every frame's features are exact. What is
/// sampled is the way from there back through the vision tower: of each of `count` consecutive parts of the clip one
/// frame is drawn, and its gradient counts for its whole part. The mean over all draws is the exact gradient.
package struct BackwardFrames: Sendable, Equatable {
    /// Frames that are drawn of each clip.
    package let count: Int
    package let seed: UInt64

    package init(count: Int, seed: UInt64) {
        self.count = count
        self.seed = seed
    }

    /// The draw of one clip. It depends on its arguments alone, so that threads, ranks and a resumed run draw the same.
    ///
    /// - Parameters:
    ///   - frameCount: frames of the clip, at least `count`.
    ///   - step: steps that the optimizer has taken before.
    ///   - clip: place of the clip in its step, below 2²⁴.
    package func draw(of frameCount: Int, step: Int, clip: Int) -> FrameDraw {
        var random = RandomSource(seed: seed, purpose: .backwardFrames, item: step << 24 | clip)
        return FrameDraw(
            chosen: FrameDraw.parts(of: frameCount, count: count).map { $0.lowerBound + random.integer(below: $0.count) }, of: frameCount)
    }
}

/// The frames of a clip in the order in which the vision tower takes them: those that are drawn come first.
package struct FrameDraw: Sendable, Equatable {
    /// Every frame of the clip once.
    package let order: [Int]
    /// Of each drawn frame: how many frames its gradient counts for.
    package let weights: [Float]

    /// - Parameter chosen: one frame of each of the clip's `parts`.
    init(chosen: [Int], of frameCount: Int) {
        let parts = Self.parts(of: frameCount, count: chosen.count)
        precondition(zip(chosen, parts).allSatisfy { $1.contains($0) }, "one frame of each part of a clip is drawn")
        order = chosen + (0..<frameCount).filter { !chosen.contains($0) }
        weights = parts.map { Float($0.count) }
    }

    /// A clip in `count` consecutive parts, as equal as can be.
    static func parts(of frameCount: Int, count: Int) -> [Range<Int>] {
        (0..<count).map { $0 * frameCount / count..<($0 + 1) * frameCount / count }
    }

    /// The rows of some frames of a clip, one frame after the other.
    ///
    /// - Parameters:
    ///   - positions: of the frames in `order`.
    ///   - frameRows: rows of a frame.
    func gathered(_ positions: Range<Int>, of clip: Matrix, frameRows: Int) -> Matrix {
        let result = MutableMatrix(rows: positions.count * frameRows, columns: clip.columnCount)
        for (index, frame) in order[positions].enumerated() {
            result.rows(index * frameRows..<(index + 1) * frameRows).copy(clip.rows(frame * frameRows..<(frame + 1) * frameRows))
        }
        return result.reading
    }

    /// Puts the features of some frames where they belong among those of the clip.
    func scatter(_ features: MutableMatrix, from positions: Range<Int>, into clip: MutableMatrix) {
        for (index, frame) in order[positions].enumerated() { clip.row(frame).copy(features.row(index)) }
    }

    /// The features' gradient at some drawn frames, each for its whole part.
    func weighted(_ positions: Range<Int>, of gradient: MutableMatrix) -> Matrix {
        let result = MutableMatrix(rows: positions.count, columns: gradient.columnCount)
        for (index, position) in positions.enumerated() {
            let weight = weights[position]
            result.row(index).fill(with: gradient.row(order[position]).values.map { weight * $0 })
        }
        return result.reading
    }
}
