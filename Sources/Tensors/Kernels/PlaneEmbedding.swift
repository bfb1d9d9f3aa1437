import CKernels
import Glibc

/// `distances[j] = |point − points[j]|²`
///
/// - Parameters:
///   - point: `[1, width]`.
///   - points: `[count, width]`.
///   - distances: `[1, count]`, overwritten.
package func squaredDistances(from point: Matrix, to points: Matrix, into distances: MutableMatrix) {
    precondition(
        point.rowCount == 1 && point.columnCount == points.columnCount && distances.rowCount == 1
            && distances.columnCount == points.rowCount, "squaredDistances shapes differ")
    unsafe vifi_squared_distances(point.pointer, points.pointer, points.stride, points.rowCount, points.columnCount, distances.pointer)
}

/// How likely a point takes each of its neighbors: a Gaussian as wide as makes the entropy ln(perplexity).
///
/// Source: van der Maaten and Hinton 2008, equation 1; widths by bisection, 100 steps, to 1e-5 of the entropy.
/// - Parameters:
///   - distances: `[1, count]`, squared, finite, without the point's own.
///   - probabilities: `[1, count]`, overwritten; sums to 1.
package func neighborProbabilities(distances: Matrix, perplexity: Double, into probabilities: MutableMatrix) {
    precondition(
        distances.rowCount == 1 && probabilities.rowCount == 1 && probabilities.columnCount == distances.columnCount,
        "neighborProbabilities shapes differ")
    let wanted = log(perplexity)
    var (beta, low, high) = (1.0, 0.0, Double.infinity)
    for _ in 0..<100 {
        let entropy = unsafe vifi_neighbor_probabilities(distances.pointer, distances.columnCount, beta, probabilities.pointer)
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

/// Σⱼ q and Σⱼ q² (y − yⱼ) of one point, with q = 1 / (1 + d²).
///
/// - Parameters:
///   - positions: `[2, count]`, x then y.
///   - nodes: a quadtree over all positions, or none where every pair counts.
///   - angle: from which a square's side seen from the point is as good as one point, at most 0.7.
/// - Returns: the sums over all other points.
package func repulsion(
    of point: Int, positions: Matrix, nodes: [vifi_quad_node], angle: Float
) -> (normalizer: Double, x: Double, y: Double) {
    precondition(positions.rowCount == 2, "repulsion shapes differ")
    var (sum, x, y) = (0.0, 0.0, 0.0)
    let (ownX, ownY) = (positions[0, point], positions[1, point])
    guard !nodes.isEmpty else {
        unsafe vifi_repulsion(
            positions.row(0).pointer, positions.row(1).pointer, positions.columnCount, ownX, ownY, &sum, &x, &y)
        return (sum, x, y)
    }
    unsafe nodes.withUnsafeBufferPointer { unsafe vifi_tree_repulsion($0.baseAddress, ownX, ownY, angle, &sum, &x, &y) }
    // The tree counts the point itself.
    return (sum - 1, x, y)
}

/// Σⱼ pⱼ q (y − yⱼ) of one point, q as in `repulsion`.
///
/// - Parameters:
///   - positions: `[2, count]`, x then y.
///   - probabilities: `[1, count]`.
package func attraction(of point: Int, positions: Matrix, probabilities: Matrix) -> (x: Double, y: Double) {
    let count = positions.columnCount
    precondition(probabilities.rowCount == 1 && probabilities.columnCount == count, "attraction shapes differ")
    var (x, y) = (0.0, 0.0)
    unsafe vifi_attraction(
        positions.row(0).pointer, positions.row(1).pointer, probabilities.pointer, count, positions[0, point], positions[1, point], &x, &y)
    return (x, y)
}
