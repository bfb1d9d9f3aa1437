import Glibc
import Tensors

/// A camera's path through one video, drawn before the class is known.
package struct Camera: Equatable, Sendable {
    /// Angle round the figure: 0 faces it, positive sees more of one of its sides. Radians.
    var yaw: Float
    var roll: Float
    var rollSpeed: Float
    /// Picture center in body heights, and how fast it wanders.
    var center: SIMD2<Float>
    var drift: SIMD2<Float>
    /// Body heights that fit into the picture's height, and growth per video.
    var span: Float
    var zoom: Float
    var shake: Float
    var shakePhase: Float

    package init(style: VideoStyle, source: inout RandomSource) {
        let side: Float = source.uniform() < 0.5 ? -1 : 1
        switch style {
        case .lifelike:
            yaw = side * source.uniform(in: 0.4...0.8)
            roll = source.uniform(in: -0.05...0.05)
            rollSpeed = 0
            span = source.uniform(in: 1.4...1.6)
            zoom = source.uniform(in: -0.08...0.08)
            shake = 0
        case .cutOut:
            yaw = side * source.uniform(in: 0.1...0.7)
            roll = source.uniform(in: -0.15...0.15)
            rollSpeed = source.uniform(in: -0.1...0.1)
            span = source.uniform(in: 1.4...1.8)
            zoom = source.uniform(in: -0.2...0.2)
            shake = source.uniform(in: 0...0.02)
        }
        let play: Float = style == .lifelike ? 0.06 : 0.1
        center = SIMD2(source.uniform(in: -play...play), 0.58 + source.uniform(in: -play...play) * 0.6)
        drift = SIMD2(source.uniform(in: -play...play), source.uniform(in: -play...play) * 0.4)
        shakePhase = source.uniform()
    }

    /// Brings the camera before the figure: all the way at 1, not at all at 0.
    mutating func steady(by ease: Float) {
        let play = 1 - ease
        yaw = (yaw < 0 ? -0.35 : 0.35) * ease + yaw * play
        roll *= play
        rollSpeed *= play
        center = SIMD2(0, 0.58) * ease + center * play
        drift *= play
        span = 1.42 * ease + span * play
        zoom *= play
        shake *= play
    }

    /// - Parameter progress: 0 at the video's start, 1 at its end.
    func view(at progress: Float, width: Int, height: Int) -> View {
        let late = progress - 0.5
        let tremble = SIMD2(sine(37 * (progress + shakePhase)), sine(53 * (progress + shakePhase))) * shake
        return View(
            yaw: yaw, roll: roll + rollSpeed * late, center: center + drift * late + tremble,
            scale: Float(height) / (span * (1 + zoom * late)),
            middle: SIMD2(Float(width), Float(height)) * 0.5)
    }
}

/// The camera at one moment: body and world coordinates to pixels (an orthographic projection).
struct View {
    /// Pixels per body height.
    let scale: Float
    /// The world's horizontal, in pixels' axes.
    let level: SIMD2<Float>
    /// 1 seen from the front, 0 from the side.
    let frontality: Float
    private let center: SIMD2<Float>
    private let middle: SIMD2<Float>
    private let turn: SIMD2<Float>

    init(yaw: Float, roll: Float, center: SIMD2<Float>, scale: Float, middle: SIMD2<Float>) {
        self.scale = scale
        self.center = center
        self.middle = middle
        turn = SIMD2(cosine(yaw), sine(yaw))
        level = SIMD2(cosine(roll), sine(roll))
        frontality = abs(cosine(yaw))
    }

    /// Pixel of a point of the body.
    func point(_ body: SIMD3<Float>) -> SIMD2<Float> {
        // Looking slightly down: what is nearer lies lower in the picture.
        point(world: SIMD2(body.x * turn.x + body.z * turn.y, body.y - 0.12 * nearness(body)))
    }

    /// Pixel of a point of the backdrop.
    func point(world: SIMD2<Float>) -> SIMD2<Float> {
        let offset = (world - center) * scale
        return middle + SIMD2(offset.x * level.x + offset.y * level.y, offset.x * level.y - offset.y * level.x)
    }

    /// The inverse of `point(world:)`.
    func world(_ pixel: SIMD2<Float>) -> SIMD2<Float> {
        let offset = (pixel - middle) / scale
        return center + SIMD2(offset.x * level.x + offset.y * level.y, offset.x * level.y - offset.y * level.x)
    }

    /// Greater is nearer to the camera, in body heights.
    func nearness(_ body: SIMD3<Float>) -> Float { body.z * turn.x - body.x * turn.y }
}
