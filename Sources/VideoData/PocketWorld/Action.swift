import Glibc

/// Where one segment of a limb points, in the body's own frame.
///
/// `elevation` is measured from hanging straight down: π/2 is level, π straight up, and beyond π
/// the limb leans to the other side; negative values lean the other way below. `azimuth` says in
/// which upright plane: 0 sideways, away from the body, π/2 forwards, π across the body. Radians.
package struct SegmentAngles: Equatable, Sendable {
    package var elevation: Float
    package var azimuth: Float

    package init(_ elevation: Float, _ azimuth: Float) {
        self.elevation = elevation
        self.azimuth = azimuth
    }

    /// Unit vector (x to the body's `side`, y up, z forwards); `side` is +1 or −1.
    package func direction(side: Float) -> SIMD3<Float> {
        SIMD3(side * sine(elevation) * cosine(azimuth), -cosine(elevation), sine(elevation) * sine(azimuth))
    }

    func mixed(with other: SegmentAngles, _ share: Float) -> SegmentAngles {
        SegmentAngles(
            elevation + (other.elevation - elevation) * share, azimuth + (other.azimuth - azimuth) * share)
    }
}

/// An arm (upper arm, forearm) or a leg (thigh, shin).
package struct LimbAngles: Equatable, Sendable {
    package var upper: SegmentAngles
    package var lower: SegmentAngles

    func mixed(with other: LimbAngles, _ share: Float) -> LimbAngles {
        LimbAngles(upper: upper.mixed(with: other.upper, share), lower: lower.mixed(with: other.lower, share))
    }
}

/// A whole body at one moment. Which of its two sides leads is the video's choice, not the action's.
package struct Pose: Equatable, Sendable {
    package var leadArm: LimbAngles
    package var trailArm: LimbAngles
    package var leadLeg: LimbAngles
    package var trailLeg: LimbAngles
    /// Forward lean of the trunk, radians.
    package var lean: Float
    /// Height of the lower foot above the ground, in body heights.
    package var lift: Float

    package init(arms: (lead: LimbAngles, trail: LimbAngles), stance: Stance) {
        leadArm = arms.lead
        trailArm = arms.trail
        leadLeg = stance.lead
        trailLeg = stance.trail
        lean = stance.lean
        lift = stance.lift
    }
}

/// What the legs and the trunk do at one moment.
package struct Stance: Equatable, Sendable {
    package var lead: LimbAngles
    package var trail: LimbAngles
    package var lean: Float = 0
    package var lift: Float = 0
}

private let forwards = Float.pi / 2

/// Runs 0 → 1 → 0 once a cycle; `phase` counts cycles.
private func swell(_ phase: Float) -> Float { 0.5 - 0.5 * cosine(2 * .pi * phase) }

/// Runs between −1 and 1 once a cycle.
private func swing(_ phase: Float) -> Float { sine(2 * .pi * phase) }

private func limb(_ upper: (Float, Float), _ lower: (Float, Float)) -> LimbAngles {
    LimbAngles(upper: SegmentAngles(upper.0, upper.1), lower: SegmentAngles(lower.0, lower.1))
}

/// What the arms do. The raw value is the first half of a class's name.
///
/// Every action is a closed cycle whose poses are its own: none is another run backwards, and none
/// is another with the two arms exchanged.
package enum ArmAction: String, CaseIterable, Sendable {
    case wavingArms = "waving both arms"
    case wavingHand = "waving one hand"
    case clapping = "clapping"
    case punching = "punching"
    case flapping = "flapping both arms"
    case turning = "turning both arms"
    case lifting = "lifting both hands"
    case drumming = "drumming"
    case rowing = "rowing"
    case scratching = "scratching the head"

    /// - Parameters:
    ///   - phase: time in cycles.
    ///   - vigour: scales how far the arms travel; 1 is usual.
    package func arms(phase: Float, vigour: Float) -> (lead: LimbAngles, trail: LimbAngles) {
        switch self {
        case .wavingArms:
            let sway = 0.5 * vigour * swing(phase)
            return (
                limb((2.45 + 0.5 * sway, 0.1), (2.95 + sway, 0.1)), limb((2.45 - 0.5 * sway, 0.1), (2.95 - sway, 0.1))
            )
        case .wavingHand:
            let sway = 0.65 * vigour * swing(phase)
            return (limb((1.5, 0.2), (2.9 + sway, 0.1)), limb((0.12, 0.2), (0.15, 0.6)))
        case .clapping:
            let apart = vigour * swell(phase)
            let arm = limb((0.75 + 0.25 * apart, 1.1 - 0.7 * apart), (1.65, 2.25 - 1.55 * apart))
            return (arm, arm)
        case .punching:
            return (Self.punch(vigour * swell(phase)), Self.punch(vigour * swell(phase + 0.5)))
        case .flapping:
            let beat = 0.65 * vigour * swing(phase)
            let arm = limb((1.5 + beat, 0.05), (1.45 + 1.3 * beat, 0.05))
            return (arm, arm)
        case .turning:
            let turn = 2 * Float.pi * phase
            return (
                limb((turn, forwards - 0.25), (turn, forwards - 0.25)),
                limb((turn + .pi, forwards - 0.25), (turn + .pi, forwards - 0.25))
            )
        case .lifting:
            let up = vigour * swell(phase)
            let arm = limb((0.75 + 1.9 * up, 0.15), (2.6 + 0.4 * up, 0.3))
            return (arm, arm)
        case .drumming:
            return (Self.beat(vigour * swing(phase)), Self.beat(-vigour * swing(phase)))
        case .rowing:
            let arm = limb((0.9, -1.0), (1.5, 1.2)).mixed(with: limb((1.35, 1.4), (1.5, 1.5)), swell(phase) * vigour)
            return (arm, arm)
        case .scratching:
            let rub = 0.15 * vigour * swing(2 * phase)
            return (limb((1.95 + 0.5 * rub, 0.3), (3.95 + rub, 0.2)), limb((0.75, -0.3), (0.75, 2.9)))
        }
    }

    private static func punch(_ reach: Float) -> LimbAngles {
        limb((0.55, -0.9), (2.2, 1.2)).mixed(with: limb((1.5, 1.35), (1.55, 1.45)), reach)
    }

    private static func beat(_ height: Float) -> LimbAngles {
        limb((0.4 + 0.1 * height, 1.0), (1.15 + 0.5 * height, 1.45))
    }
}

/// What the legs do. The raw value is the second half of a class's name.
package enum LegAction: String, CaseIterable, Sendable {
    case standing
    case walking
    case jumping
    case squatting
    case kicking
    case stepping = "stepping aside"
    case lunging
    case marching

    package func stance(phase: Float, vigour: Float) -> Stance {
        let still = limb((0.08, 0), (0.05, 0))
        switch self {
        case .standing:
            let sway = 0.03 * swing(phase)
            return Stance(lead: limb((0.1 + sway, 0), (0.07 + sway, 0)), trail: limb((0.1 - sway, 0), (0.07 - sway, 0)))
        case .walking:
            return Stance(lead: Self.stride(phase, vigour), trail: Self.stride(phase + 0.5, vigour), lean: 0.08)
        case .jumping:
            let air = max(0, swing(phase)) * vigour
            let crouch = max(0, -swing(phase)) * vigour
            let leg = limb((0.08 + 0.75 * air + 0.6 * crouch, 1.3 * crouch), (0.08 + 0.75 * air - 0.55 * crouch, 1.3 * crouch))
            return Stance(lead: leg, trail: leg, lean: 0.2 * crouch, lift: 0.17 * air)
        case .squatting:
            let deep = swell(phase) * vigour
            let leg = limb((0.08 + 1.4 * deep, 1.0), (0.05 - 0.75 * deep, 1.2))
            return Stance(lead: leg, trail: leg, lean: 0.4 * deep)
        case .kicking:
            let high = swell(phase) * vigour
            return Stance(lead: limb((1.55 * high, forwards), (1.45 * high, forwards)), trail: still, lean: -0.15 * high)
        case .stepping:
            let wide = swell(phase) * vigour
            let leg = limb((0.05 + 0.6 * wide, 0), (0.05 + 0.55 * wide, 0))
            return Stance(lead: leg, trail: limb((0.05 + 0.25 * wide, 0), (0.05 + 0.25 * wide, 0)), lean: 0)
        case .lunging:
            let deep = swell(phase) * vigour
            return Stance(
                lead: limb((1.3 * deep, forwards), (-0.05, forwards)),
                trail: limb((-0.3 * deep, forwards), (-1.25 * deep, forwards)), lean: 0.15 * deep)
        case .marching:
            return Stance(lead: Self.kneeUp(phase, vigour), trail: Self.kneeUp(phase + 0.5, vigour))
        }
    }

    private static func stride(_ phase: Float, _ vigour: Float) -> LimbAngles {
        let thigh = 0.55 * vigour * swing(phase)
        // The knee bends while the leg comes forward.
        let bend = 0.12 + 0.75 * max(0, cosine(2 * .pi * phase))
        return limb((thigh, forwards), (thigh - bend, forwards))
    }

    private static func kneeUp(_ phase: Float, _ vigour: Float) -> LimbAngles {
        let height = max(0, swing(phase)) * vigour
        return limb((0.05 + 1.5 * height, forwards), (0.05 - 0.35 * height, forwards))
    }
}
