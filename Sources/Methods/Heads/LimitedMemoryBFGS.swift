/// The minimum of a smooth convex function by L-BFGS (Nocedal and Wright 2006, algorithm 7.5).
///
/// It ends where no entry of the gradient exceeds `tolerance`, after `maximumIterations`, or where rounding leaves no step that
/// helps.
///
/// - Parameters:
///   - report: told of each iteration.
///   - evaluate: value and gradient.
func minimize(
    start: [Double], tolerance: Double, maximumIterations: Int,
    report: (_ iteration: Int, _ value: Double) throws(HeadError) -> Void, evaluate: ([Double]) -> (Double, [Double])
) throws(HeadError) -> [Double] {
    let memory = 20
    var pairs: [(step: [Double], change: [Double], curvature: Double)] = []
    var place = start
    var (value, gradient) = evaluate(place)
    for iteration in 1...max(1, maximumIterations) {
        try report(iteration, value)
        if gradient.allSatisfy({ abs($0) <= tolerance }) { break }
        var direction = descent(gradient, pairs: pairs)
        var slope = dot(direction, gradient)
        if !(slope < 0) {
            pairs = []
            direction = gradient.map { -$0 }
            slope = -dot(gradient, gradient)
        }
        var length = pairs.isEmpty ? min(1, 1 / (-slope).squareRoot()) : 1
        var next: (place: [Double], value: Double, gradient: [Double])?
        for _ in 0..<40 {
            var moved = place
            for index in moved.indices { moved[index] += length * direction[index] }
            let (movedValue, movedGradient) = evaluate(moved)
            // Near the minimum the values differ by rounding alone: then the slope decides (Hager and Zhang 2005).
            let isFlat = abs(movedValue - value) <= 1e-13 * abs(value)
            if movedValue <= value + 1e-4 * length * slope || (isFlat && abs(dot(movedGradient, direction)) <= -0.9 * slope) {
                next = (moved, movedValue, movedGradient)
                break
            }
            length *= 0.5
        }
        guard let next else { break }
        let step = direction.map { length * $0 }
        let change = zip(next.gradient, gradient).map { $0 - $1 }
        let curvature = dot(step, change)
        if curvature > 1e-300 {
            pairs.append((step, change, curvature))
            if pairs.count > memory { pairs.removeFirst() }
        }
        (place, value, gradient) = next
    }
    return place
}

/// −H · gradient, H being the approximate inverse that the pairs make (algorithm 7.4).
private func descent(_ gradient: [Double], pairs: [(step: [Double], change: [Double], curvature: Double)]) -> [Double] {
    var direction = gradient.map { -$0 }
    var factors: [Double] = []
    for pair in pairs.reversed() {
        let factor = dot(pair.step, direction) / pair.curvature
        factors.append(factor)
        for index in direction.indices { direction[index] -= factor * pair.change[index] }
    }
    if let last = pairs.last {
        let scale = last.curvature / dot(last.change, last.change)
        for index in direction.indices { direction[index] *= scale }
    }
    for (pair, factor) in zip(pairs, factors.reversed()) {
        let correction = factor - dot(pair.change, direction) / pair.curvature
        for index in direction.indices { direction[index] += correction * pair.step[index] }
    }
    return direction
}

private func dot(_ left: [Double], _ right: [Double]) -> Double {
    var sum = 0.0
    for index in left.indices { sum += left[index] * right[index] }
    return sum
}
