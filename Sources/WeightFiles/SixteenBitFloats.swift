// float16 and bfloat16 by arithmetic on bits. The baseline x86-64 that Swift compiles for has no
// instruction for it, so `Float16` would cost a library call per element.

extension Float {
    /// The nearest IEEE 754 float16, ties to even; infinite from 65,520 on.
    @inline(__always)
    var float16Bits: UInt16 {
        let sign = UInt16(truncatingIfNeeded: bitPattern >> 16) & 0x8000
        let magnitude = bitPattern & 0x7FFF_FFFF
        if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
        if magnitude >= 0x477F_F000 { return sign | 0x7C00 }
        if magnitude < 0x3880_0000 {
            // Subnormal: adding 0.5 leaves the multiple of 2⁻²⁴, rounded to even, in the low bits.
            let shifted = Float(bitPattern: magnitude) + 0.5
            return sign | UInt16(truncatingIfNeeded: shifted.bitPattern - 0x3F00_0000)
        }
        let roundedUp = magnitude + 0x0FFF + (magnitude >> 13 & 1)
        return sign | UInt16(truncatingIfNeeded: (roundedUp - 0x3800_0000) >> 13)
    }

    /// The nearest bfloat16, ties to even: the upper half of the bits.
    @inline(__always)
    var bfloat16Bits: UInt16 {
        if isNaN { return UInt16(truncatingIfNeeded: bitPattern >> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (bitPattern + 0x7FFF + (bitPattern >> 16 & 1)) >> 16)
    }
}
