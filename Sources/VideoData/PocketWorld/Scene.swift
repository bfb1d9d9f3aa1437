import Glibc
import Tensors

/// How videos are drawn and shot. The large data set is lifelike, the small one cut out of paper
/// and videoed by a less steady hand.
package enum VideoStyle: String, CaseIterable, Sendable {
    case lifelike
    case cutOut
}

/// Where a video plays: always lighter than the figure, or a small transformer finds no figure at all.
package struct Scene: Equatable, Sendable {
    package enum Place: String, CaseIterable, Sendable { case room, park, street, beach, stage }

    /// A thing that stands about. World coordinates in body heights, the ground at y = 0.
    struct Object: Equatable {
        enum Shape: CaseIterable { case box, ball, pole }
        var shape: Shape
        var center: SIMD2<Float>
        var halfExtent: SIMD2<Float>
        var color: SIMD3<Float>
    }

    var place: Place
    var tint: LightColor
    var horizon: Float
    var upper: (SIMD3<Float>, SIMD3<Float>)
    var ground: (SIMD3<Float>, SIMD3<Float>)
    var stripes: (strength: Float, perUnit: Float, slant: Float)
    var grain: Grain
    var objects: [Object]

    package init(style: VideoStyle, source: inout RandomSource) {
        place = Place.allCases[source.integer(below: Place.allCases.count)]
        tint = LightColor.allCases[source.integer(below: LightColor.allCases.count)]
        horizon = source.uniform(in: -0.05...0.3)
        let wall = tint.rgb(jitteredBy: &source)
        let other = LightColor.allCases[source.integer(below: LightColor.allCases.count)].rgb(jitteredBy: &source)
        upper = (wall * source.uniform(in: 0.9...1.05), wall * source.uniform(in: 0.85...1))
        let floor = (wall + other) * 0.5 * source.uniform(in: 0.78...0.92)
        ground = (floor, floor * source.uniform(in: 0.88...1))
        let isStriped = place == .stage || source.uniform() < (style == .cutOut ? 0.5 : 0.15)
        stripes = (
            isStriped ? source.uniform(in: 0.04...0.1) : 0, source.uniform(in: 2...6), source.uniform(in: -1...1)
        )
        grain = Grain(strength: source.uniform(in: 0.01...(style == .cutOut ? 0.1 : 0.05)), source: &source)
        objects = []
        for _ in 0..<(1 + source.integer(below: 4)) { objects.append(Self.object(in: place, source: &source)) }
    }

    /// Takes things away and patterns back: all of them at 1, none at 0.
    mutating func calm(by ease: Float) {
        objects.removeLast(Int((Float(objects.count) * min(1, 1.5 * ease)).rounded()))
        stripes.strength *= 1 - ease
    }

    package static func == (one: Scene, other: Scene) -> Bool {
        one.place == other.place && one.tint == other.tint && one.horizon == other.horizon
            && one.upper == other.upper && one.ground == other.ground && one.stripes == other.stripes
            && one.grain == other.grain && one.objects == other.objects
    }

    private static func object(in place: Place, source: inout RandomSource) -> Object {
        let x = source.uniform(in: -1...1)
        let width = source.uniform(in: 0.05...0.16)
        let height = source.uniform(in: 0.1...0.35)
        let color = LightColor.allCases[source.integer(below: LightColor.allCases.count)].rgb(jitteredBy: &source) * 0.88
        switch place {
        case .room, .stage:
            return Object(shape: .box, center: SIMD2(x, 0.75), halfExtent: SIMD2(width, height * 0.5), color: color)
        case .park:
            let isTrunk = source.uniform() < 0.4
            return isTrunk
                ? Object(shape: .pole, center: SIMD2(x, 0.3), halfExtent: SIMD2(0.04, 0.4), color: color)
                : Object(shape: .ball, center: SIMD2(x, 0.35 + height), halfExtent: SIMD2(width + 0.1, height), color: color)
        case .street:
            return Object(
                shape: .box, center: SIMD2(x, 0.15 + height), halfExtent: SIMD2(width * 1.5, 0.15 + height), color: color)
        case .beach:
            return Object(shape: .ball, center: SIMD2(x, 0.2 + height * 2.5), halfExtent: SIMD2(width * 1.5, width * 0.7), color: color)
        }
    }
}

/// Named tints of scenes.
package enum LightColor: String, CaseIterable, Sendable {
    case white, pink, yellow, mint, azure, orange

    private var center: SIMD3<Float> {
        switch self {
        case .white: SIMD3(0.93, 0.93, 0.92)
        case .pink: SIMD3(0.97, 0.75, 0.83)
        case .yellow: SIMD3(0.96, 0.92, 0.6)
        case .mint: SIMD3(0.7, 0.93, 0.75)
        case .azure: SIMD3(0.66, 0.84, 0.97)
        case .orange: SIMD3(0.98, 0.78, 0.55)
        }
    }

    func rgb(jitteredBy source: inout RandomSource) -> SIMD3<Float> {
        let shift = SIMD3(source.uniform(), source.uniform(), source.uniform()) * 0.08 - 0.04
        return center * source.uniform(in: 0.92...1.03) + shift
    }
}

/// Soft irregular texture: a tile of random values, smoothly joined and repeated.
struct Grain: Equatable, Sendable {
    private static let side = 16
    private var tile: [Float]

    init(strength: Float, source: inout RandomSource) {
        tile = (0..<Self.side * Self.side).map { _ in strength * (2 * source.uniform() - 1) }
    }

    /// Both coordinates in tiles' cells, any value.
    func value(at point: SIMD2<Float>) -> Float {
        let corner = point.rounded(.down)
        let part = point - corner
        let left = Int(corner.x) & (Self.side - 1)
        let top = (Int(corner.y) & (Self.side - 1)) * Self.side
        let right = (left + 1) & (Self.side - 1)
        let bottom = (top + Self.side) & (Self.side * Self.side - 1)
        let upper = tile[top + left] + (tile[top + right] - tile[top + left]) * part.x
        let lower = tile[bottom + left] + (tile[bottom + right] - tile[bottom + left]) * part.x
        return upper + (lower - upper) * part.y
    }
}

extension Scene {
    /// Paints the whole picture: wall or sky, ground, then the things that stand about.
    func paint(through view: View, on canvas: inout Canvas) {
        let upperLow = SIMD4(upper.0, 0), upperRise = SIMD4(upper.1 - upper.0, 0)
        let groundLow = SIMD4(ground.0, 0), groundRise = SIMD4(ground.1 - ground.0, 0)
        for row in 0..<canvas.height {
            for column in 0..<canvas.width {
                let world = view.world(SIMD2(Float(column) + 0.5, Float(row) + 0.5))
                let above = min(max((world.y - horizon) * view.scale + 0.5, 0), 1)
                var wall = upperLow + upperRise * min(max(world.y - horizon, 0), 1)
                if stripes.strength > 0 {
                    wall -= stripes.strength * (0.5 + 0.5 * sine((world.x + world.y * stripes.slant) * stripes.perUnit * 2 * .pi))
                }
                let floor = groundLow + groundRise * min(max(horizon - world.y, 0) * 2, 1)
                let texture = grain.value(at: world * SIMD2(9, 14))
                canvas[column, row] = floor + (wall - floor) * above + texture
            }
        }
        for object in objects {
            let center = view.point(world: object.center)
            let extent = object.halfExtent * view.scale
            switch object.shape {
            case .box: canvas.box(center: center, halfExtent: extent, axis: view.level, color: object.color)
            case .ball: canvas.ellipse(center: center, radii: extent, color: object.color, relief: 0.1)
            case .pole:
                let half = SIMD2(0, object.halfExtent.y)
                canvas.stroke(
                    from: view.point(world: object.center - half), to: view.point(world: object.center + half),
                    radii: (extent.x, extent.x), color: object.color, relief: 0.1)
            }
        }
    }
}
