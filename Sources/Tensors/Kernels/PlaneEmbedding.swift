import CKernels

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

/// Probabilities proportional to exp(−beta · (distance − least distance)).
///
/// - Parameters:
///   - distances: `[1, count]`, squared, finite.
///   - probabilities: `[1, count]`, overwritten; sums to 1.
/// - Returns: their entropy in nats.
package func gaussianProbabilities(distances: Matrix, beta: Double, into probabilities: MutableMatrix) -> Double {
    precondition(
        distances.rowCount == 1 && probabilities.rowCount == 1 && probabilities.columnCount == distances.columnCount,
        "gaussianProbabilities shapes differ")
    return unsafe vifi_neighbor_probabilities(distances.pointer, distances.columnCount, beta, probabilities.pointer)
}

/// Σⱼ q and Σⱼ q² (y − yⱼ) of one point, with q = 1 / (1 + d²).
///
/// - Parameter positions: `[2, count]`, x then y.
/// - Returns: the sums over all other points.
package func repulsion(of point: Int, positions: Matrix) -> (normalizer: Double, x: Double, y: Double) {
    precondition(positions.rowCount == 2, "repulsion shapes differ")
    var (sum, x, y) = (0.0, 0.0, 0.0)
    unsafe vifi_repulsion(
        positions.row(0).pointer, positions.row(1).pointer, positions.columnCount, positions[0, point], positions[1, point], &sum, &x, &y)
    return (sum, x, y)
}

/// The same over a quadtree, of which far squares count as one point.
///
/// - Parameters:
///   - nodes: at least one.
///   - angle: from which a square's side seen from the place is as good as one point, at most 0.7.
/// - Returns: the sums over all points of the tree; one at the place itself adds 1 to the normalizer.
package func repulsion(
    fromX x: Float, y: Float, nodes: [vifi_quad_node], angle: Float
) -> (normalizer: Double, x: Double, y: Double) {
    precondition(!nodes.isEmpty, "a quadtree has a root")
    var sums = (0.0, 0.0, 0.0)
    unsafe nodes.withUnsafeBufferPointer { unsafe vifi_tree_repulsion($0.baseAddress, x, y, angle, &sums.0, &sums.1, &sums.2) }
    return sums
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
