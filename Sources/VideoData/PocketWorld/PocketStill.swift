import Tensors

/// A single picture and a caption that tells what can be seen in it: color, posture and place, but
/// no movement. What the pocket CLIP learns from, so that it knows appearance and not action.
package struct PocketStill: Sendable {
    package let setting: VideoSetting
    package let pose: Pose
    package let caption: String
    private let progress: Float

    /// Stills are drawn in both styles: pictures on the web are of every kind.
    ///
    /// - Parameter index: which still; the stream of stills is endless.
    ///   - ease: 1 for an empty scene before a steady camera, 0 for scenes as videos have them.
    ///   - fullCaptionChance: chance that the caption tells color and place besides posture.
    package init(seed: UInt64, index: Int, fullCaptionChance: Float, ease: Float) {
        var source = RandomSource(seed: seed, purpose: .caption, epoch: 4, item: index)
        let style: VideoStyle = source.uniform() < 0.5 ? .lifelike : .cutOut
        setting = VideoSetting(style: style, seed: seed, index: index, purpose: .caption).eased(by: ease)
        let vigour = setting.manner.vigour
        func arms() -> (lead: LimbAngles, trail: LimbAngles) {
            let action = ArmAction.allCases[source.integer(below: ArmAction.allCases.count)]
            return action.arms(phase: source.uniform(), vigour: vigour)
        }
        // Every third figure holds its two arms as no single action would.
        let both = arms()
        let other = arms()
        let trail = source.uniform() < 0.33 ? other.trail : both.trail
        let legs = LegAction.allCases[source.integer(below: LegAction.allCases.count)]
        pose = Pose(arms: (both.lead, trail), stance: legs.stance(phase: source.uniform(), vigour: vigour))
        progress = source.uniform()
        caption = Self.caption(of: pose, in: setting, isFull: source.uniform() < fullCaptionChance)
    }

    /// `PocketVideo.height × width × 3` RGB bytes.
    package func picture() -> [UInt8] { setting.picture(of: pose, progress: progress) }

    /// Such as "a photo of a green figure, arms up and out, knees bent, pink room."; at most 75 bytes.
    private static func caption(of pose: Pose, in setting: VideoSetting, isFull: Bool) -> String {
        let words = Set([ArmPosture(pose.leadArm), ArmPosture(pose.trailArm)])
        let arms = ArmPosture.allCases.filter(words.contains).map(\.rawValue).joined(separator: " and ")
        let posture = "arms \(arms), \(LegPosture(pose, setting.figure.proportions).rawValue)"
        guard isFull else { return "a photo of a figure, \(posture)." }
        let place = "\(setting.scene.tint.rawValue) \(setting.scene.place.rawValue)"
        return "a photo of a \(setting.figure.shirt.rawValue) figure, \(posture), \(place)."
    }
}

/// How one arm is held, by where its hand is.
private enum ArmPosture: String, CaseIterable {
    case up, out, ahead, bent, down

    init(_ arm: LimbAngles) {
        let reach = arm.upper.direction(side: 1) + arm.lower.direction(side: 1)
        self =
            if reach.y > 0.7 { .up }
            else if reach.y < -1.3 { .down }
            else if reach.x > 1.1 { .out }
            else if reach.z > 1.1 { .ahead }
            else { .bent }
    }
}

/// How somebody stands, by where the feet and knees are.
private enum LegPosture: String {
    case air = "in the air"
    case knees = "knees bent"
    case foot = "foot up"
    case apart = "feet apart"
    case upright = "upright"

    init(_ pose: Pose, _ body: Proportions) {
        let skeleton = Skeleton(pose, body, leadSide: 1)
        let gap = skeleton.leadLeg.end - skeleton.trailLeg.end
        self =
            if pose.lift > 0.04 { .air }
            else if abs(gap.y) > 0.08 { .foot }
            else if skeleton.pelvis.y < (body.thigh + body.shin) * 0.82 { .knees }
            else if (gap * gap).sum() > 0.06 { .apart }
            else { .upright }
    }
}
