import Tensors

/// A class of videos: an arm action and a leg action. Only the movement tells it.
package struct PocketClass: Hashable, Sendable {
    package let arm: ArmAction
    package let leg: LegAction

    package init(_ arm: ArmAction, _ leg: LegAction) {
        self.arm = arm
        self.leg = leg
    }

    /// Composed, so that a name never seen in training can still mean something.
    package var name: String { "\(arm.rawValue) while \(leg.rawValue)" }

    /// - Parameter manner: how this video's figure moves, whatever the class.
    package func pose(at seconds: Float, manner: Manner) -> Pose {
        Pose(
            arms: arm.arms(phase: manner.armPhase + seconds * manner.armRate, vigour: manner.vigour),
            stance: leg.stance(phase: manner.legPhase + seconds * manner.legRate, vigour: manner.vigour))
    }
}

/// How somebody moves: drawn without regard to what they do.
package struct Manner: Equatable, Sendable {
    /// Cycles a second, and where in the cycle the video begins.
    package var armRate: Float
    package var legRate: Float
    package var armPhase: Float
    package var legPhase: Float
    /// How far limbs travel; 1 is usual.
    package var vigour: Float
    /// +1 if the right side leads, −1 if the left does.
    package var leadSide: Float

    package init(source: inout RandomSource) {
        armRate = source.uniform(in: 0.7...1.3)
        legRate = source.uniform(in: 0.6...1.1)
        armPhase = source.uniform()
        legPhase = source.uniform()
        vigour = source.uniform(in: 0.85...1.1)
        leadSide = source.uniform() < 0.5 ? -1 : 1
    }
}

/// Everything about a video except its class: figure, manner, scene and camera, a function of
/// (seed, index) alone.
package struct VideoSetting: Equatable, Sendable {
    package let figure: Figure
    package let manner: Manner
    package private(set) var scene: Scene
    package private(set) var camera: Camera

    /// The same figure in a calmer scene before a steadier camera.
    func eased(by ease: Float) -> VideoSetting {
        var eased = self
        eased.scene.calm(by: ease)
        eased.camera.steady(by: ease)
        return eased
    }

    package init(style: VideoStyle, seed: UInt64, index: Int, purpose: RandomPurpose = .video) {
        // One stream for each, so that a change of one does not redraw the others.
        func stream(_ number: Int) -> RandomSource {
            RandomSource(seed: seed, purpose: purpose, epoch: number, item: index)
        }
        var (figures, manners, scenes, cameras) = (stream(0), stream(1), stream(2), stream(3))
        figure = Figure(style: style, source: &figures)
        manner = Manner(source: &manners)
        scene = Scene(style: style, source: &scenes)
        camera = Camera(style: style, source: &cameras)
    }
}

/// A short video of one figure performing one action.
package struct PocketVideo: Sendable {
    // Square, so that corner crops move the figure little.
    package static let width = 80
    package static let height = 80
    package static let frameCount = 24
    package static let framesPerSecond = 12

    package let label: PocketClass
    package let setting: VideoSetting

    /// - Parameter index: which video of its data set; must not be derived from the class alone.
    package init(_ label: PocketClass, style: VideoStyle, seed: UInt64, index: Int) {
        self.label = label
        setting = VideoSetting(style: style, seed: seed, index: index)
    }

    /// All frames, each `height × width × 3` RGB bytes.
    package func frames() -> [[UInt8]] { (0..<Self.frameCount).map(frame(at:)) }

    /// - Parameter index: in `0 ..< frameCount`.
    package func frame(at index: Int) -> [UInt8] {
        setting.picture(
            of: label.pose(at: Float(index) / Float(Self.framesPerSecond), manner: setting.manner),
            progress: Float(index) / Float(Self.frameCount - 1))
    }
}

extension VideoSetting {
    /// One picture, `PocketVideo.height × width × 3` RGB bytes.
    ///
    /// - Parameter progress: where the camera is on its path, in `0...1`.
    package func picture(of pose: Pose, progress: Float) -> [UInt8] {
        var canvas = Canvas(width: PocketVideo.width, height: PocketVideo.height)
        let view = camera.view(at: progress, width: canvas.width, height: canvas.height)
        scene.paint(through: view, on: &canvas)
        figure.paint(pose, leadSide: manner.leadSide, through: view, on: &canvas)
        return canvas.bytes()
    }
}
