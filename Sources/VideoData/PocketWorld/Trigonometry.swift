import Glibc

// The C library takes other code for `sinf` and `cosf` on processors with other instructions, and their last bits
// differ. In double precision they differ, too, but far below what is left after rounding to single precision, so
// videos are drawn alike on every machine.

/// Sine of an angle in radians, rounded once.
func sine(_ angle: Float) -> Float { Float(sin(Double(angle))) }

/// Cosine of an angle in radians, rounded once.
func cosine(_ angle: Float) -> Float { Float(cos(Double(angle))) }
