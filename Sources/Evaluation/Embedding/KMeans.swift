import Tensors

/// Lloyd's k-means from k-means++ starts; of several, the one with the least spread.
///
/// Source: Lloyd 1982; Arthur and Vassilvitskii 2007. The same points and seed give the same clusters for any number
/// of threads.
package struct KMeans: Sendable {
    package let clusterCount: Int
    package let seed: UInt64
    package let restarts: Int
    package let iterationLimit: Int

    /// - Parameter clusterCount: at least 1.
    package init(clusterCount: Int, seed: UInt64 = 1, restarts: Int = 10, iterationLimit: Int = 300) {
        precondition(clusterCount >= 1 && restarts >= 1, "no clusters")
        self.clusterCount = clusterCount
        self.seed = seed
        self.restarts = restarts
        self.iterationLimit = iterationLimit
    }

    package struct Result: Sendable {
        /// Of each point, in `0 ..< clusterCount`. Fewer clusters where fewer points differ.
        package let clusters: [Int]
        /// Σ of squared distances to the clusters' centers.
        package let spread: Double
    }

    private static let chunk = 256

    /// - Parameter points: `[count, width]`, finite; at least one.
    package func clusters(of points: Matrix, pool: WorkerPool) -> Result {
        precondition(points.rowCount > 0, "k-means needs points")
        var best: Result?
        for restart in 0..<restarts {
            let result = run(points, restart: restart, pool: pool)
            if best.map({ result.spread < $0.spread }) ?? true { best = result }
        }
        return best ?? Result(clusters: [], spread: 0)
    }

    private func run(_ points: Matrix, restart: Int, pool: WorkerPool) -> Result {
        let count = points.rowCount
        let centers = start(points, restart: restart)
        let nearest = MutableMatrix(rows: 2, columns: count)
        var clusters: [Int] = []
        for _ in 0..<iterationLimit {
            assign(points, to: centers.reading, into: nearest, pool: pool)
            let next = nearest.row(0).values.map { Int($0) }
            if next == clusters { break }
            clusters = next
            move(centers, points: points, clusters: clusters, distances: nearest.row(1).values)
        }
        assign(points, to: centers.reading, into: nearest, pool: pool)
        return Result(
            clusters: nearest.row(0).values.map { Int($0) }, spread: nearest.row(1).values.reduce(0.0) { $0 + Double($1) })
    }

    /// Centers, `[clusterCount, width]`: points drawn with chances proportional to the squared distance to the centers so far.
    private func start(_ points: Matrix, restart: Int) -> MutableMatrix {
        let count = points.rowCount
        var source = RandomSource(seed: seed, purpose: .cluster, epoch: 1, item: restart)
        let centers = MutableMatrix(rows: clusterCount, columns: points.columnCount)
        centers.row(0).copy(points.row(source.integer(below: count)))
        var least = [Float](repeating: .infinity, count: count)
        let distances = MutableMatrix(rows: 1, columns: count)
        for cluster in 1..<max(1, clusterCount) {
            squaredDistances(from: centers.row(cluster - 1).reading, to: points, into: distances)
            for (point, distance) in distances.values.enumerated() { least[point] = min(least[point], distance) }
            let sum = least.reduce(0.0) { $0 + Double($1) }
            var rest = Double(source.uniform()) * sum
            var chosen = least.lastIndex { $0 > 0 } ?? cluster % count
            for (point, distance) in least.enumerated() where distance > 0 {
                rest -= Double(distance)
                if rest < 0 {
                    chosen = point
                    break
                }
            }
            centers.row(cluster).copy(points.row(chosen))
        }
        return centers
    }

    /// - Parameter nearest: `[2, count]`: number of the nearest center, the first of equals; squared distance to it.
    private func assign(_ points: Matrix, to centers: Matrix, into nearest: MutableMatrix, pool: WorkerPool) {
        let count = points.rowCount
        pool.parallelFor((count + Self.chunk - 1) / Self.chunk) { _, item in
            let distances = MutableMatrix(rows: 1, columns: clusterCount)
            for point in item * Self.chunk..<min(count, (item + 1) * Self.chunk) {
                squaredDistances(from: points.row(point), to: centers, into: distances)
                let values = distances.values
                let best = values.indices.min { (values[$0], $0) < (values[$1], $1) } ?? 0
                nearest[0, point] = Float(best)
                nearest[1, point] = values[best]
            }
        }
    }

    /// Centers go to the means of their points; one without points to the point farthest from its own.
    private func move(_ centers: MutableMatrix, points: Matrix, clusters: [Int], distances: [Float]) {
        var counts = [Int](repeating: 0, count: clusterCount)
        let sums = MutableMatrix(rows: clusterCount, columns: points.columnCount)
        for (point, cluster) in clusters.enumerated() {
            add(points.row(point), to: sums.row(cluster))
            counts[cluster] += 1
        }
        var farthest = distances.indices.sorted { (distances[$1], $0) < (distances[$0], $1) }[...]
        for cluster in 0..<clusterCount {
            if counts[cluster] > 0 {
                centers.row(cluster).fill(with: sums.row(cluster).values.map { $0 / Float(counts[cluster]) })
            } else if let point = farthest.popFirst(), distances[point] > 0 {
                centers.row(cluster).copy(points.row(point))
            }
        }
    }
}
