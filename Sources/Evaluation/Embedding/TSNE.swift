import Foundation
import Tensors

/// t-SNE into the plane: exact for few points, Barnes–Hut for many.
///
/// Source: van der Maaten and Hinton 2008; van der Maaten 2014. Step sizes, exaggeration and start are those of
/// scikit-learn 1.2 and later: rate max(n / 48, 50), exaggeration 12 over the first quarter (at most 250 steps), momentum
/// 0.5 then 0.8, gains of each coordinate, a start from the two main components with a deviation of 1e-4.
/// The same points and seed give the same places for any number of threads.
package struct TSNE: Sendable {
    package struct Configuration: Sendable, Equatable {
        /// About how many neighbors count; nil for 30, or a third of the points where there are few.
        package var perplexity: Double?
        package var iterations = 1000
        /// Of the start where the points' components do not give one.
        package var seed: UInt64 = 1
        /// Up to so many points every pair counts.
        package var exactLimit = 2000
        /// Barnes–Hut's angle.
        package var angle: Float = 0.5

        package init() {}
    }

    package struct Result: Sendable {
        /// `[2, count]`, x then y.
        package let positions: Matrix
        /// Kullback–Leibler divergence of the plane's neighbors from the points', in nats.
        package let divergence: Double
        package let perplexity: Double
        package let isExact: Bool
    }

    /// Points that a thread moves before it takes more.
    private static let chunk = 64
    package static let leastCount = 4

    private let configuration: Configuration
    private let affinities: Affinities
    private let count: Int
    private let pool: WorkerPool
    private let perplexity: Double

    /// - Parameter points: `[count, width]`.
    package static func layOut(
        _ points: Matrix, _ configuration: Configuration = Configuration(), pool: WorkerPool
    ) throws(EmbeddingError) -> Result {
        let tsne = try TSNE(points, configuration, pool: pool)
        let start = principalComponents(of: points, seed: configuration.seed)
        return tsne.descend(from: start)
    }

    /// - Throws: `EmbeddingError` where there are too few points, NaN among them, or a perplexity that they do not allow.
    package init(_ points: Matrix, _ configuration: Configuration, pool: WorkerPool) throws(EmbeddingError) {
        count = points.rowCount
        guard count >= Self.leastCount else { throw .tooFewPoints(count: count, needed: Self.leastCount) }
        if let row = (0..<count).first(where: { !points.row($0).values.allSatisfy(\.isFinite) }) { throw .notNumbers(row: row) }
        perplexity = configuration.perplexity ?? min(30, Double(count - 1) / 3)
        guard perplexity >= 1, perplexity <= Double(count - 1) else { throw .perplexity(perplexity, count: count) }
        self.configuration = configuration
        self.pool = pool
        affinities = Affinities(points, perplexity: perplexity, isExact: count <= configuration.exactLimit, pool: pool)
    }

    // MARK: Descent

    private func descend(from start: MutableMatrix) -> Result {
        let positions = start
        let (gradient, normalizers) = (MutableMatrix(rows: 2, columns: count), MutableMatrix(rows: 1, columns: count))
        var updates = [Float](repeating: 0, count: 2 * count)
        var gains = [Float](repeating: 1, count: 2 * count)
        let exaggeration = 12.0
        let exaggerated = min(250, configuration.iterations / 4)
        let rate = Float(max(Double(count) / exaggeration / 4, 50))
        for iteration in 0..<configuration.iterations {
            let isEarly = iteration < exaggerated
            gradients(at: positions.reading, exaggeration: isEarly ? exaggeration : 1, into: gradient, normalizers: normalizers)
            let momentum: Float = isEarly ? 0.5 : 0.8
            var places = positions.values
            let slopes = gradient.values
            for index in places.indices {
                gains[index] = updates[index] * slopes[index] < 0 ? gains[index] + 0.2 : max(gains[index] * 0.8, 0.01)
                updates[index] = momentum * updates[index] - rate * gains[index] * slopes[index]
                places[index] += updates[index]
            }
            positions.fill(with: places)
        }
        Self.turned(positions)
        return Result(
            positions: positions.reading, divergence: divergence(at: positions.reading), perplexity: perplexity, isExact: affinities.isExact)
    }

    /// The divergence's gradient, 4 (exaggeration · attraction − repulsion / Σq), `[2, count]`; overwritten.
    ///
    /// - Parameter normalizers: `[1, count]`, each point's share of Σq; overwritten.
    package func gradients(at positions: Matrix, exaggeration: Double, into gradient: MutableMatrix, normalizers: MutableMatrix) {
        let repulsion = PlaneRepulsion(positions: positions, angle: affinities.isExact ? nil : configuration.angle)
        let pushes = MutableMatrix(rows: 2, columns: count)
        pool.parallelFor((count + Self.chunk - 1) / Self.chunk) { _, item in
            let points = item * Self.chunk..<min(count, (item + 1) * Self.chunk)
            repulsion.push(points, forces: pushes, normalizers: normalizers)
            for point in points {
                let pull = affinities.pull(on: point, positions: positions)
                gradient[0, point] = Float(4 * exaggeration * pull.x)
                gradient[1, point] = Float(4 * exaggeration * pull.y)
            }
        }
        // Summed in the points' order: the same for any number of threads.
        let sum = normalizers.values.reduce(0.0) { $0 + Double($1) }
        for point in 0..<count {
            gradient[0, point] -= Float(4 * Double(pushes[0, point]) / sum)
            gradient[1, point] -= Float(4 * Double(pushes[1, point]) / sum)
        }
    }

    /// The divergence of places from the points.
    package func divergence(at positions: Matrix) -> Double {
        let (gradient, normalizers) = (MutableMatrix(rows: 2, columns: count), MutableMatrix(rows: 1, columns: count))
        gradients(at: positions, exaggeration: 1, into: gradient, normalizers: normalizers)
        return affinities.divergence(positions: positions, normalizer: normalizers.values.reduce(0.0) { $0 + Double($1) })
    }

    /// The same picture about its middle, turned so that it is longest from left to right. t-SNE knows no directions.
    private static func turned(_ positions: MutableMatrix) {
        let count = Double(positions.columnCount)
        let rows = (0..<2).map { row in
            let values = positions.row(row).values.map(Double.init)
            let mean = values.reduce(0, +) / count
            return values.map { $0 - mean }
        }
        func moment(_ one: [Double], _ other: [Double]) -> Double { zip(one, other).reduce(0) { $0 + $1.0 * $1.1 } }
        let angle = 0.5 * atan2(2 * moment(rows[0], rows[1]), moment(rows[0], rows[0]) - moment(rows[1], rows[1]))
        let (cosine, sine) = (cos(angle), sin(angle))
        positions.row(0).fill(with: zip(rows[0], rows[1]).map { Float(cosine * $0 + sine * $1) })
        positions.row(1).fill(with: zip(rows[0], rows[1]).map { Float(cosine * $1 - sine * $0) })
    }

    // MARK: Start

    /// The points' two main components, `[2, count]`, the first with a deviation of 1e-4.
    ///
    /// By subspace iteration. Where the points do not spread at all, by chance.
    private static func principalComponents(of points: Matrix, seed: UInt64) -> MutableMatrix {
        let (count, width) = (points.rowCount, points.columnCount)
        let mean = MutableMatrix(rows: 1, columns: width)
        sumRows(of: points, into: mean)
        let center = mean.values.map { -$0 / Float(count) }
        let centered = MutableMatrix(rows: count, columns: width)
        add(MutableMatrix(rows: 1, columns: width, center), toRowsOf: points, into: centered)

        var source = RandomSource(seed: seed, purpose: .cluster)
        func chance(_ columns: Int) -> MutableMatrix {
            MutableMatrix(rows: 2, columns: columns, (0..<2 * columns).map { _ in source.normal() })
        }
        // Rows are directions.
        let directions = chance(width)
        let scores = MutableMatrix(rows: 2, columns: count)
        let next = MutableMatrix(rows: 2, columns: width)
        for _ in 0..<100 {
            orthonormalize(directions)
            multiply(directions, .asStored, centered, .transposed, into: scores)
            multiply(scores, .asStored, centered, .asStored, into: next)
            directions.copy(next)
        }
        orthonormalize(directions)
        multiply(directions, .asStored, centered, .transposed, into: scores)
        for row in 0..<2 {
            // A component has no sign of its own.
            let values = scores.row(row).values
            if let extreme = values.max(by: { abs($0) < abs($1) }), extreme < 0 { scores.row(row).fill(with: values.map { -$0 }) }
        }
        let deviation = (scores.row(0).values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(count)).squareRoot()
        guard deviation > 1e-20 else {
            let places = chance(count)
            scale(places, by: 1e-4)
            return places
        }
        scale(scores, by: Float(1e-4 / deviation))
        return scores
    }

    /// Gram and Schmidt, over two rows. A row that vanishes stays zero.
    private static func orthonormalize(_ rows: MutableMatrix) {
        func unit(_ row: [Float]) -> [Float] {
            let length = row.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            return length > 1e-30 ? row.map { Float(Double($0) / length) } : row.map { _ in 0 }
        }
        let first = unit(rows.row(0).values)
        let second = rows.row(1).values
        let along = zip(first, second).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        rows.row(0).fill(with: first)
        rows.row(1).fill(with: unit(zip(second, first).map { Float(Double($0) - along * Double($1)) }))
    }
}
