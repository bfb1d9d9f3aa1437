import CLIPModel
import Tensors

/// A transformer over frames, as a method's authors put it behind the image tower.
package struct TemporalDesign: Sendable {
    package let layerCount: Int
    package let keepsFrames: Bool
    package let normEpsilon: Float
    /// The factor on cosine similarities; the backbone's where nil.
    package let scale: Float?
    package let start: TemporalFusion.Start

    package init(
        layerCount: Int, keepsFrames: Bool, normEpsilon: Float = usualNormEpsilon, scale: Float?, start: TemporalFusion.Start
    ) {
        (self.layerCount, self.keepsFrames, self.normEpsilon, self.scale, self.start) = (layerCount, keepsFrames, normEpsilon, scale, start)
    }

    /// What learning starts from, with heads of 64 as in CLIP, or the next larger that divide the width.
    ///
    /// - Parameters:
    ///   - layerCount: in place of its own.
    ///   - width: of the frames' features.
    ///   - seed: names the random streams.
    ///   - rateFactor: of the learning rate.
    package func fusion(layerCount: Int?, frameCount: Int, width: Int, seed: UInt64, rateFactor: Double = 1) -> TemporalFusion {
        TemporalFusion(
            TemporalFusion.Configuration(
                frameCount: frameCount, layerCount: layerCount ?? self.layerCount,
                headCount: (1...CLIPArchitecture.Tower.usualHeadCount(width: width)).last { width % $0 == 0 } ?? 1, keepsFrames: keepsFrames,
                normEpsilon: normEpsilon, scale: scale),
            start: start, width: width, seed: seed, rateFactor: rateFactor)
    }
}
