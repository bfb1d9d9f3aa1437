import Glibc
import Tensors

/// What a figure looks like. Drawn before its class is known, so it can tell nothing about it.
package struct Figure: Equatable, Sendable {
    package enum Hair: CaseIterable, Sendable { case none, short, long, hat }
    package enum Clothes: CaseIterable, Sendable { case trousers, shorts, skirt }

    var shirt: DarkColor
    var trousers: DarkColor
    var shirtColor: SIMD3<Float>
    var trouserColor: SIMD3<Float>
    var skinColor: SIMD3<Float>
    var hairColor: SIMD3<Float>
    /// Mittens and boots have their own colors, nearly the same for everybody: hands and feet tell the
    /// action, and a transformer of this size finds them by color or not at all.
    var mittenColor: SIMD3<Float>
    var bootColor: SIMD3<Float>
    var hair: Hair
    var clothes: Clothes
    var hasLongSleeves: Bool
    var proportions: Proportions
    /// 0 paints flat, as cut-out paper does; 1 as round bodies.
    var relief: Float
    /// Lighter edge round every part, in pixels; 0 has none.
    var outlinePixels: Float

    package init(style: VideoStyle, source: inout RandomSource) {
        shirt = DarkColor.allCases[source.integer(below: DarkColor.allCases.count)]
        trousers = DarkColor.allCases[source.integer(below: DarkColor.allCases.count)]
        shirtColor = shirt.rgb(jitteredBy: &source)
        trouserColor = trousers.rgb(jitteredBy: &source)
        let tan = source.uniform()
        skinColor = SIMD3(0.30, 0.19, 0.13) + tan * SIMD3(0.27, 0.19, 0.14)
        hairColor = SIMD3(repeating: 0.04) + source.uniform() * SIMD3(0.24, 0.13, 0.05)
        let fade: Float = style == .lifelike ? 0.04 : 0.12
        mittenColor = SIMD3(0.62, 0.03, 0.08) + fade * SIMD3(source.uniform(), source.uniform(), source.uniform())
        bootColor = SIMD3(0.04, 0.07, 0.5) + fade * SIMD3(source.uniform(), source.uniform(), source.uniform())
        hair = Hair.allCases[source.integer(below: Hair.allCases.count)]
        clothes = Clothes.allCases[source.integer(below: Clothes.allCases.count)]
        hasLongSleeves = source.uniform() < 0.5
        proportions = Proportions(style: style, source: &source)
        relief = style == .lifelike ? 0.35 : 0
        outlinePixels = style == .lifelike ? 0 : source.uniform(in: 0.4...0.8)
    }
}

/// Named colors of clothes: all darker than any scene.
package enum DarkColor: String, CaseIterable, Sendable {
    case green, teal, olive, brown, gray = "grey", black

    fileprivate var center: SIMD3<Float> {
        switch self {
        case .green: SIMD3(0.05, 0.38, 0.12)
        case .teal: SIMD3(0.03, 0.34, 0.36)
        case .olive: SIMD3(0.3, 0.32, 0.05)
        case .gray: SIMD3(0.3, 0.3, 0.31)
        case .brown: SIMD3(0.36, 0.21, 0.06)
        case .black: SIMD3(0.07, 0.07, 0.09)
        }
    }

    fileprivate func rgb(jitteredBy source: inout RandomSource) -> SIMD3<Float> {
        let brightness = source.uniform(in: 0.75...1.2)
        let shift = SIMD3(source.uniform(), source.uniform(), source.uniform()) * 0.08 - 0.04
        return (center * brightness + shift).clamped(lowerBound: SIMD3(), upperBound: SIMD3(repeating: 1))
    }
}

/// Lengths as shares of the body's height.
package struct Proportions: Equatable, Sendable {
    var headRadius: Float
    var trunk: Float
    var shoulderHalfWidth: Float
    var hipHalfWidth: Float
    var upperArm: Float
    var forearm: Float
    var thigh: Float
    var shin: Float
    var armRadius: Float
    var legRadius: Float

    init(style: VideoStyle, source: inout RandomSource) {
        let isLifelike = style == .lifelike
        let build = source.uniform(in: 0.8...1.25)
        let limbs = source.uniform(in: 0.92...1.1)
        headRadius = isLifelike ? source.uniform(in: 0.07...0.085) : source.uniform(in: 0.08...0.115)
        trunk = source.uniform(in: 0.27...0.32)
        shoulderHalfWidth = 0.105 * (0.6 + 0.4 * build)
        hipHalfWidth = 0.062 * (0.6 + 0.4 * build)
        upperArm = 0.165 * limbs
        forearm = 0.17 * limbs
        thigh = 0.235 * limbs
        shin = 0.235 * limbs
        armRadius = (isLifelike ? 0.034 : source.uniform(in: 0.02...0.045)) * build
        legRadius = (isLifelike ? 0.045 : source.uniform(in: 0.025...0.055)) * build
    }
}

/// The joints of a body in its pose: x to the body's right hand, y up from the ground, z forwards,
/// in body heights.
struct Skeleton {
    struct Limb {
        var root: SIMD3<Float>
        var middle: SIMD3<Float>
        var end: SIMD3<Float>
    }

    var pelvis: SIMD3<Float>
    var neck: SIMD3<Float>
    var head: SIMD3<Float>
    var leadArm: Limb
    var trailArm: Limb
    var leadLeg: Limb
    var trailLeg: Limb

    /// - Parameter leadSide: +1 if the right side leads, −1 if the left does.
    init(_ pose: Pose, _ body: Proportions, leadSide: Float) {
        let up = SIMD3<Float>(0, cosine(pose.lean), sine(pose.lean))
        func limb(_ angles: LimbAngles, root: SIMD3<Float>, side: Float, _ upper: Float, _ lower: Float) -> Limb {
            let middle = root + upper * angles.upper.direction(side: side)
            return Limb(root: root, middle: middle, end: middle + lower * angles.lower.direction(side: side))
        }
        func leg(_ angles: LimbAngles, side: Float) -> Limb {
            limb(angles, root: SIMD3(side * body.hipHalfWidth, 0, 0), side: side, body.thigh, body.shin)
        }
        leadLeg = leg(pose.leadLeg, side: leadSide)
        trailLeg = leg(pose.trailLeg, side: -leadSide)
        let shoulders = body.trunk * up
        func arm(_ angles: LimbAngles, side: Float) -> Limb {
            limb(
                angles, root: shoulders + SIMD3(side * body.shoulderHalfWidth, -0.02, 0), side: side,
                body.upperArm, body.forearm)
        }
        leadArm = arm(pose.leadArm, side: leadSide)
        trailArm = arm(pose.trailArm, side: -leadSide)
        pelvis = SIMD3()
        neck = shoulders + 0.03 * up
        head = shoulders + (0.05 + body.headRadius) * up

        // Stand the lower foot on the ground, or `lift` above it.
        let rise = SIMD3(0, pose.lift - min(leadLeg.end.y, trailLeg.end.y) + body.legRadius * 0.7, 0)
        for joint in [\Skeleton.pelvis, \.neck, \.head] { self[keyPath: joint] += rise }
        for limb in [\Skeleton.leadArm, \.trailArm, \.leadLeg, \.trailLeg] {
            self[keyPath: limb].root += rise
            self[keyPath: limb].middle += rise
            self[keyPath: limb].end += rise
        }
    }
}

extension Figure {
    /// One stroke of the figure, in body coordinates.
    private struct Part {
        var from: SIMD3<Float>
        var to: SIMD3<Float>
        var radii: (Float, Float)
        var color: SIMD3<Float>
        var nearness: Float
    }

    /// Paints the figure, far parts first.
    func paint(_ pose: Pose, leadSide: Float, through view: View, on canvas: inout Canvas) {
        let skeleton = Skeleton(pose, proportions, leadSide: leadSide)
        let ground = view.point(SIMD3(skeleton.pelvis.x, 0, skeleton.pelvis.z))
        canvas.ellipse(
            center: ground, radii: SIMD2(0.2, 0.035) * view.scale, color: SIMD3(repeating: 0.25), opacity: 0.35)
        var parts = trunkParts(skeleton, view)
        parts += legParts(skeleton.leadLeg, view) + legParts(skeleton.trailLeg, view)
        parts += armParts(skeleton.leadArm, view) + armParts(skeleton.trailArm, view)
        parts.sort { $0.nearness < $1.nearness }
        for part in parts {
            let (start, end) = (view.point(part.from), view.point(part.to))
            let radii = (part.radii.0 * view.scale, part.radii.1 * view.scale)
            if outlinePixels > 0 {
                let edge = (radii.0 + outlinePixels, radii.1 + outlinePixels)
                canvas.stroke(from: start, to: end, radii: edge, color: part.color * 0.35, relief: 0)
            }
            canvas.stroke(from: start, to: end, radii: radii, color: part.color, relief: relief)
        }
    }

    private func trunkParts(_ skeleton: Skeleton, _ view: View) -> [Part] {
        let nearness = view.nearness(skeleton.pelvis)
        // Seen from the side a trunk is narrower than from the front.
        let breadth = 0.7 + 0.3 * view.frontality
        let chest = proportions.shoulderHalfWidth * breadth
        let waist = (proportions.hipHalfWidth + 0.015) * breadth
        let top = skeleton.neck - (skeleton.neck - skeleton.pelvis) * 0.3
        var parts = [
            Part(from: skeleton.neck, to: skeleton.head, radii: (0.03, 0.03), color: skinColor, nearness: nearness - 0.001),
            Part(from: top, to: skeleton.pelvis, radii: (chest, waist), color: shirtColor, nearness: nearness),
            Part(
                from: skeleton.pelvis, to: skeleton.pelvis, radii: (waist * 1.02, waist), color: trouserColor,
                nearness: nearness + 0.001),
        ]
        let head = proportions.headRadius
        let crown = skeleton.head + SIMD3(0, head * 0.35, -head * 0.3)
        switch hair {
        case .none: break
        case .short:
            parts.append(Part(from: crown, to: crown, radii: (head, head), color: hairColor, nearness: nearness + 0.010))
        case .long:
            let nape = skeleton.neck + SIMD3(0, -0.05, -head * 0.9)
            parts.append(Part(from: crown, to: nape, radii: (head, head * 0.7), color: hairColor, nearness: nearness - 0.002))
            parts.append(Part(from: crown, to: crown, radii: (head, head), color: hairColor, nearness: nearness + 0.010))
        case .hat:
            let brim = skeleton.head + SIMD3(0, head * 0.6, 0)
            let wide = SIMD3(head * 1.2, 0, 0)
            parts.append(
                Part(from: brim - wide, to: brim + wide, radii: (head * 0.28, head * 0.28), color: hairColor, nearness: nearness + 0.012))
            parts.append(
                Part(from: brim, to: brim + SIMD3(0, head * 0.5, 0), radii: (head * 0.8, head * 0.7), color: hairColor, nearness: nearness + 0.011))
        }
        let face = skeleton.head + SIMD3(0, -head * 0.1, head * 0.15)
        parts.append(Part(from: face, to: face, radii: (head * 0.92, head * 0.92), color: skinColor, nearness: nearness + 0.0105))
        return parts
    }

    private func legParts(_ leg: Skeleton.Limb, _ view: View) -> [Part] {
        let radius = proportions.legRadius
        let nearness = view.nearness((leg.root + leg.middle + leg.end) / 3)
        let lower = clothes == .trousers ? trouserColor : skinColor
        let thighRadius = clothes == .skirt ? (radius * 1.3, radius * 1.5) : (radius * 1.15, radius)
        let toe = leg.end + SIMD3(0, -0.005, 0.06)
        return [
            Part(from: leg.end, to: toe, radii: (max(radius, 0.045), max(radius * 0.9, 0.04)), color: bootColor, nearness: nearness + 0.0002),
            Part(from: leg.middle, to: leg.end, radii: (radius * 0.9, radius * 0.65), color: lower, nearness: nearness - 0.0001),
            Part(from: leg.root, to: leg.middle, radii: thighRadius, color: trouserColor, nearness: nearness),
        ]
    }

    private func armParts(_ arm: Skeleton.Limb, _ view: View) -> [Part] {
        let radius = proportions.armRadius
        let nearness = view.nearness(arm.middle * 0.5 + arm.end * 0.5)
        let lower = hasLongSleeves ? shirtColor * 0.7 : skinColor
        return [
            Part(from: arm.root, to: arm.middle, radii: (radius * 1.1, radius), color: shirtColor * 0.7, nearness: nearness),
            Part(from: arm.middle, to: arm.end, radii: (radius * 0.95, radius * 0.75), color: lower, nearness: nearness + 0.0001),
            Part(from: arm.end, to: arm.end, radii: (max(radius * 1.4, 0.052), max(radius * 1.2, 0.05)), color: mittenColor, nearness: nearness + 0.0002),
        ]
    }
}
