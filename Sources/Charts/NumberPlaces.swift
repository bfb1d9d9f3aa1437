import Foundation

/// Finds room for numbers among points, so that they hide as little as can be.
struct NumberPlaces {
    private let points: [Point]
    private let radius: Double
    private let plot: Rectangle
    private var taken: [Rectangle] = []

    /// - Parameter radius: of the points' markers.
    init(points: [Point], radius: Double, plot: Rectangle) {
        self.points = points
        self.radius = radius
        self.plot = plot
    }

    /// How far from the wanted place is looked, in CSS pixels.
    private static let reach = 70.0

    /// The nearest free box; without one that which covers the fewest points and no other number.
    mutating func take(near wanted: Point, width: Double, height: Double) -> Rectangle {
        let span = Self.reach + radius + width
        let near = points.filter { abs($0.x - wanted.x) < span && abs($0.y - wanted.y) < span }
        func box(_ x: Double, _ y: Double) -> Rectangle {
            Rectangle(
                min(max(x - width / 2, plot.x + 1), plot.maxX - width - 1), min(max(y - height / 2, plot.y + 1), plot.maxY - height - 1),
                width, height)
        }
        func covered(_ box: Rectangle) -> Int {
            near.count {
                $0.x > box.x - radius && $0.x < box.maxX + radius && $0.y > box.y - radius && $0.y < box.maxY + radius
            }
        }
        func isTaken(_ box: Rectangle) -> Bool {
            taken.contains { $0.x < box.maxX && box.x < $0.maxX && $0.y < box.maxY && box.y < $0.maxY }
        }
        var best: (box: Rectangle, count: Int)?
        for distance in stride(from: 0, through: Self.reach, by: 5) {
            let turns = distance == 0 ? 1 : 16
            for turn in 0..<turns {
                let angle = 2 * Double.pi * Double(turn) / Double(turns)
                let candidate = box(wanted.x + distance * cos(angle), wanted.y + distance * sin(angle))
                if isTaken(candidate) { continue }
                let count = covered(candidate)
                if count < best?.count ?? .max { best = (candidate, count) }
                if count == 0 { break }
            }
            if best?.count == 0 { break }
        }
        let found = best?.box ?? box(wanted.x, wanted.y)
        taken.append(found)
        return found
    }
}
