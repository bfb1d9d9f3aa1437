import CKernels
import Tensors

/// Random changes of brightness, contrast, saturation and hue, in random order.
///
/// Bit for bit torchvision's `ColorJitter` on an 8-bit Pillow image, given the same factors and order:
/// results are cut, not rounded, to bytes after each change; contrast pivots on the rounded mean luma.
package struct ColorJitter: Sendable, Equatable {
    /// Half-widths around 1 of the brightness, contrast and saturation factors.
    package var brightness: Float
    package var contrast: Float
    package var saturation: Float
    /// Half-width of the hue turn, in circles: at most 0.5.
    package var hue: Float

    package init(brightness: Float, contrast: Float, saturation: Float, hue: Float) {
        precondition(brightness >= 0 && contrast >= 0 && saturation >= 0 && (0...0.5).contains(hue), "no such jitter")
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
    }

    /// One change with its factor; 1 leaves the picture alone, for hue 0 does.
    package enum Change: Sendable, Equatable {
        case brightness(Float)
        case contrast(Float)
        case saturation(Float)
        /// In circles, `-0.5 ... 0.5`.
        case hue(Float)
    }

    /// The changes for one frame. Strengths of zero draw nothing.
    package func changes(using random: inout RandomSource) -> [Change] {
        random.permutation(of: 4).compactMap { kind in
            switch kind {
            case 0: brightness > 0 ? .brightness(factor(brightness, &random)) : nil
            case 1: contrast > 0 ? .contrast(factor(contrast, &random)) : nil
            case 2: saturation > 0 ? .saturation(factor(saturation, &random)) : nil
            default: hue > 0 ? .hue(random.uniform(in: -hue...hue)) : nil
            }
        }
    }

    private func factor(_ width: Float, _ random: inout RandomSource) -> Float {
        random.uniform(in: max(0, 1 - width)...1 + width)
    }
}

extension VideoFrame {
    package mutating func apply(_ change: ColorJitter.Change) {
        let count = width * height
        switch change {
        case .brightness(let factor):
            map { Self.between(0, $0, factor) }
        case .contrast(let factor):
            let sum = unsafe vifi_luma_sum(pixels, count)
            let mean = Int32(Double(sum) / Double(count) + 0.5)
            map { Self.between(mean, $0, factor) }
        case .saturation(let factor):
            unsafe pixels.withUnsafeMutableBufferPointer { unsafe vifi_saturate($0.baseAddress, factor, count) }
        case .hue(let turn):
            let shift = UInt8(truncatingIfNeeded: Int(turn * 255))
            unsafe pixels.withUnsafeMutableBufferPointer { unsafe vifi_turn_hue($0.baseAddress, shift, count) }
        }
    }

    /// Every pixel replaced by its luma.
    package mutating func makeGray() {
        let count = width * height
        unsafe pixels.withUnsafeMutableBufferPointer { unsafe vifi_gray($0.baseAddress, count) }
    }

    private mutating func map(_ value: (Int32) -> UInt8) {
        let table = (0...255).map(value)
        let count = pixels.count
        unsafe pixels.withUnsafeMutableBufferPointer { unsafe vifi_map_bytes($0.baseAddress, table, count) }
    }

    /// `from` at factor 0, `to` at factor 1, beyond it above; cut and clipped to a byte.
    private static func between(_ from: Int32, _ to: Int32, _ factor: Float) -> UInt8 {
        UInt8(min(max(Float(from) + factor * Float(to - from), 0), 255))
    }
}
