import Foundation
import Tensors

/// How much each two points are neighbors: pᵢⱼ = (pⱼ|ᵢ + pᵢ|ⱼ) / 2n, summing to 1 over all pairs.
struct Affinities: Sendable {
    private enum Storage {
        /// `[count, count]`
        case all(Matrix)
        /// Of each point its neighbors, ascending, and what they count.
        case some([[(neighbor: Int, probability: Float)]])
    }

    private let storage: Storage

    var isExact: Bool { if case .all = storage { true } else { false } }

    /// - Parameter isExact: over all pairs; else over each point's 3 · perplexity nearest, as van der Maaten 2014 section 4.1.
    init(_ points: Matrix, perplexity: Double, isExact: Bool, pool: WorkerPool) {
        storage = isExact ? .all(Self.all(points, perplexity, pool)) : .some(Self.nearest(points, perplexity, pool))
    }

    private static func all(_ points: Matrix, _ perplexity: Double, _ pool: WorkerPool) -> Matrix {
        let count = points.rowCount
        let conditional = MutableMatrix(rows: count, columns: count)
        pool.parallelFor(count) { _, point in
            let distances = MutableMatrix(rows: 1, columns: count)
            squaredDistances(from: points.row(point), to: points, into: distances)
            var others = distances.values
            others.remove(at: point)
            let probabilities = MutableMatrix(rows: 1, columns: count - 1)
            neighborProbabilities(
                distances: MutableMatrix(rows: 1, columns: count - 1, others).reading, perplexity: perplexity, into: probabilities)
            var row = probabilities.values
            row.insert(0, at: point)
            conditional.row(point).fill(with: row)
        }
        let joint = MutableMatrix(rows: count, columns: count)
        let share = 1 / Float(2 * count)
        pool.parallelFor(count) { _, point in
            let row = conditional.row(point).values
            joint.row(point).fill(with: row.indices.map { (row[$0] + conditional[$0, point]) * share })
        }
        return joint.reading
    }

    /// How likely a point takes each of its neighbors: a Gaussian as wide as makes the entropy ln(perplexity).
    ///
    /// Source: van der Maaten and Hinton 2008, equation 1; widths by bisection, 100 steps, to 1e-5 of the entropy.
    /// - Parameters:
    ///   - distances: `[1, count]`, squared, finite, without the point's own.
    ///   - probabilities: `[1, count]`, overwritten; sums to 1.
    private static func neighborProbabilities(distances: Matrix, perplexity: Double, into probabilities: MutableMatrix) {
        let wanted = log(perplexity)
        var (beta, low, high) = (1.0, 0.0, Double.infinity)
        for _ in 0..<100 {
            let entropy = gaussianProbabilities(distances: distances, beta: beta, into: probabilities)
            if abs(entropy - wanted) < 1e-5 { return }
            if entropy > wanted {
                low = beta
                beta = high.isFinite ? (beta + high) / 2 : beta * 2
            } else {
                high = beta
                beta = (beta + low) / 2
            }
        }
    }

    private static func nearest(
        _ points: Matrix, _ perplexity: Double, _ pool: WorkerPool
    ) -> [[(neighbor: Int, probability: Float)]] {
        let count = points.rowCount
        let neighborCount = min(count - 1, Int(3 * perplexity) + 1)
        // Numbers of neighbors fit a float up to 2²⁴ points.
        let neighbors = MutableMatrix(rows: count, columns: neighborCount)
        let conditional = MutableMatrix(rows: count, columns: neighborCount)
        pool.parallelFor(count) { _, point in
            let distances = MutableMatrix(rows: 1, columns: count)
            squaredDistances(from: points.row(point), to: points, into: distances)
            let values = distances.values
            // Sorting numbers alone is much faster than sorting points by them.
            var others = values
            others.remove(at: point)
            let farthest = others.sorted()[neighborCount - 1]
            let nearest = values.indices.filter { $0 != point && values[$0] <= farthest }
                .sorted { (values[$0], $0) < (values[$1], $1) }.prefix(neighborCount)
            neighbors.row(point).fill(with: nearest.map(Float.init))
            neighborProbabilities(
                distances: MutableMatrix(rows: 1, columns: neighborCount, nearest.map { values[$0] }).reading, perplexity: perplexity,
                into: conditional.row(point))
        }
        var joint = [[Int: Float]](repeating: [:], count: count)
        let share = 1 / Float(2 * count)
        for point in 0..<count {
            for place in 0..<neighborCount {
                let other = Int(neighbors[point, place])
                let probability = conditional[point, place] * share
                joint[point][other, default: 0] += probability
                joint[other][point, default: 0] += probability
            }
        }
        return joint.map { row in row.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
    }

    /// Σⱼ pᵢⱼ q (yᵢ − yⱼ), `PlaneRepulsion`'s q.
    func pull(on point: Int, positions: Matrix) -> (x: Double, y: Double) {
        switch storage {
        case .all(let joint): return attraction(of: point, positions: positions, probabilities: joint.row(point))
        case .some(let joint):
            var (x, y) = (0.0, 0.0)
            let (ownX, ownY) = (positions[0, point], positions[1, point])
            for (other, probability) in joint[point] {
                let (dx, dy) = (ownX - positions[0, other], ownY - positions[1, other])
                let pull = Double(probability / (1 + dx * dx + dy * dy))
                x += pull * Double(dx)
                y += pull * Double(dy)
            }
            return (x, y)
        }
    }

    /// Σ p ln(p / q), q being normalized by `normalizer`.
    func divergence(positions: Matrix, normalizer: Double) -> Double {
        let (xs, ys) = (positions.row(0).values, positions.row(1).values)
        func term(_ point: Int, _ other: Int, _ probability: Float) -> Double {
            guard probability > 0 else { return 0 }
            let (dx, dy) = (Double(xs[point] - xs[other]), Double(ys[point] - ys[other]))
            let q = 1 / (1 + dx * dx + dy * dy) / normalizer
            return Double(probability) * log(Double(probability) / max(q, .leastNormalMagnitude))
        }
        var sum = 0.0
        switch storage {
        case .all(let joint):
            for point in xs.indices { for (other, p) in joint.row(point).values.enumerated() { sum += term(point, other, p) } }
        case .some(let joint):
            for (point, row) in joint.enumerated() { for (other, p) in row { sum += term(point, other, p) } }
        }
        return sum
    }
}
