import CKernels
import Tensors

/// Points of a plane that push each other apart as in t-SNE: with q = 1 / (1 + d²), each leaves
/// Σ q in `normalizers` and Σ q² (y − yⱼ) in `forces`.
///
/// Source: van der Maaten 2014, equation 8.
struct PlaneRepulsion: Sendable {
    /// Nodes of the quadtree; empty where every pair counts.
    private let nodes: [vifi_quad_node]
    private let angle: Float
    /// `[2, count]`, x then y.
    private let positions: Matrix

    /// - Parameters:
    ///   - positions: `[2, count]`, x then y.
    ///   - angle: from which a square's side seen from a point is as good as one point, at most 0.7; nil for all pairs.
    init(positions: Matrix, angle: Float?) {
        self.positions = positions
        self.angle = angle ?? 0
        nodes = angle == nil ? [] : QuadTree(xs: positions.row(0).values, ys: positions.row(1).values).nodes
    }

    /// - Parameters:
    ///   - points: which are pushed.
    ///   - forces: `[2, count]`, overwritten at `points`.
    ///   - normalizers: `[1, count]`, overwritten at `points`.
    func push(_ points: Range<Int>, forces: MutableMatrix, normalizers: MutableMatrix) {
        for point in points {
            let sums = sums(of: point)
            normalizers[0, point] = Float(sums.normalizer)
            forces[0, point] = Float(sums.x)
            forces[1, point] = Float(sums.y)
        }
    }

    private func sums(of point: Int) -> (normalizer: Double, x: Double, y: Double) {
        guard !nodes.isEmpty else { return repulsion(of: point, positions: positions) }
        let sums = repulsion(fromX: positions[0, point], y: positions[1, point], nodes: nodes, angle: angle)
        // The tree holds the point itself.
        return (sums.normalizer - 1, sums.x, sums.y)
    }
}

/// Squares within squares down to single places.
private struct QuadTree {
    private(set) var nodes: [vifi_quad_node] = []
    /// Below this the plane's float32 coordinates have no room for further halves.
    private static let depthLimit = 48

    private struct Square {
        let node: Int
        let members: Range<Int>
        let (x, y, side): (Float, Float, Float)
        let depth: Int
    }

    init(xs: [Float], ys: [Float]) {
        var order = Array(xs.indices)
        var sorted = order
        let (left, right, top, bottom) = (xs.min() ?? 0, xs.max() ?? 0, ys.min() ?? 0, ys.max() ?? 0)
        var waiting = [
            Square(node: 0, members: 0..<xs.count, x: left, y: top, side: max(right - left, bottom - top), depth: 0)
        ]
        nodes.reserveCapacity(2 * xs.count)
        nodes.append(vifi_quad_node(x: 0, y: 0, count: 0, side: 0, first_child: -1))
        while let square = waiting.popLast() {
            var (sumX, sumY) = (0.0, 0.0)
            var isOnePlace = true
            for member in square.members {
                let point = order[member]
                sumX += Double(xs[point])
                sumY += Double(ys[point])
                let first = order[square.members.lowerBound]
                if xs[point] != xs[first] || ys[point] != ys[first] { isOnePlace = false }
            }
            let count = square.members.count
            let divides = !isOnePlace && square.depth < Self.depthLimit
            nodes[square.node] = vifi_quad_node(
                x: Float(sumX / Double(max(1, count))), y: Float(sumY / Double(max(1, count))), count: Int32(count), side: square.side,
                first_child: divides ? Int32(nodes.count) : -1)
            guard divides else { continue }
            let half = square.side / 2
            let (middleX, middleY) = (square.x + half, square.y + half)
            func quarter(_ point: Int) -> Int { (xs[point] >= middleX ? 1 : 0) + (ys[point] >= middleY ? 2 : 0) }
            var starts = [0, 0, 0, 0, 0]
            for member in square.members { starts[quarter(order[member]) + 1] += 1 }
            for index in 1...4 { starts[index] += starts[index - 1] }
            var next = starts
            for member in square.members {
                let place = quarter(order[member])
                sorted[square.members.lowerBound + next[place]] = order[member]
                next[place] += 1
            }
            for member in square.members { order[member] = sorted[member] }
            for index in 0..<4 {
                let members = square.members.lowerBound + starts[index]..<square.members.lowerBound + starts[index + 1]
                if !members.isEmpty {
                    waiting.append(
                        Square(
                            node: nodes.count, members: members, x: square.x + (index & 1 == 1 ? half : 0),
                            y: square.y + (index & 2 == 2 ? half : 0), side: half, depth: square.depth + 1))
                }
                nodes.append(vifi_quad_node(x: 0, y: 0, count: 0, side: half, first_child: -1))
            }
        }
    }
}
