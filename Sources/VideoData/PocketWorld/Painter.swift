import Glibc

/// A picture in linear floats, painted with anti-aliased shapes: the share of a pixel that a shape
/// covers is taken from the distance between its edge and the pixel's center.
///
/// Positions are in pixels from the top left corner; colors are RGB in `0...1`.
struct Canvas {
    let width: Int
    let height: Int
    /// `width × height`, row by row; the fourth lane is unused.
    private(set) var pixels: [SIMD4<Float>]

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        pixels = [SIMD4<Float>](repeating: SIMD4(), count: width * height)
    }

    subscript(column: Int, row: Int) -> SIMD4<Float> {
        get { pixels[row * width + column] }
        set { pixels[row * width + column] = newValue }
    }

    /// A rounded stroke that tapers from one radius to another, lit from the upper left.
    ///
    /// - Parameter relief: 0 paints flat, 1 as a strongly rounded body.
    mutating func stroke(
        from start: SIMD2<Float>, to end: SIMD2<Float>, radii: (Float, Float), color: SIMD3<Float>, relief: Float
    ) {
        let axis = end - start
        let lengthSquared = max((axis * axis).sum(), 1e-6)
        let reach = max(radii.0, radii.1) + 1
        let paint = SIMD4(color, 0)
        eachPixel(in: start.min(end) - reach, start.max(end) + reach) { point, pixel in
            let offset = point - start
            let along = min(max((offset * axis).sum() / lengthSquared, 0), 1)
            let across = offset - along * axis
            let radius = radii.0 + (radii.1 - radii.0) * along
            let distance = (across * across).sum().squareRoot()
            let coverage = radius - distance + 0.5
            guard coverage > 0 else { return }
            let light = 1 - relief * (across.x + across.y) / max(radius, 0.5) * 0.5
            pixel += (paint * light - pixel) * min(coverage, 1)
        }
    }

    /// An upright ellipse; `opacity` below 1 lets the picture shine through.
    mutating func ellipse(
        center: SIMD2<Float>, radii: SIMD2<Float>, color: SIMD3<Float>, relief: Float = 0, opacity: Float = 1
    ) {
        let paint = SIMD4(color, 0)
        let smaller = min(radii.x, radii.y)
        eachPixel(in: center - radii - 1, center + radii + 1) { point, pixel in
            let offset = (point - center) / radii
            let coverage = (1 - (offset * offset).sum().squareRoot()) * smaller + 0.5
            guard coverage > 0 else { return }
            let light = 1 - relief * (offset.x + offset.y) * 0.5
            pixel += (paint * light - pixel) * (min(coverage, 1) * opacity)
        }
    }

    /// A box whose sides run along `axis` and across it.
    mutating func box(
        center: SIMD2<Float>, halfExtent: SIMD2<Float>, axis: SIMD2<Float>, color: SIMD3<Float>
    ) {
        let reach = SIMD2(repeating: halfExtent.x + halfExtent.y + 1)
        let paint = SIMD4(color, 0)
        eachPixel(in: center - reach, center + reach) { point, pixel in
            let offset = point - center
            let along = abs(offset.x * axis.x + offset.y * axis.y) - halfExtent.x
            let across = abs(offset.y * axis.x - offset.x * axis.y) - halfExtent.y
            let coverage = 0.5 - max(along, across)
            guard coverage > 0 else { return }
            pixel += (paint - pixel) * min(coverage, 1)
        }
    }

    /// Calls `change` with the center of every pixel between two corners.
    private mutating func eachPixel(
        in low: SIMD2<Float>, _ high: SIMD2<Float>, change: (SIMD2<Float>, inout SIMD4<Float>) -> Void
    ) {
        // Shapes far outside the picture are clamped before conversion: a huge float has no Int.
        let limit = SIMD2(Float(width), Float(height))
        let first = low.clamped(lowerBound: SIMD2(), upperBound: limit)
        let last = high.clamped(lowerBound: SIMD2(), upperBound: limit)
        for row in Int(first.y)..<min(Int(last.y) + 1, height) {
            for column in Int(first.x)..<min(Int(last.x) + 1, width) {
                change(SIMD2(Float(column) + 0.5, Float(row) + 0.5), &pixels[row * width + column])
            }
        }
    }

    /// RGB bytes, `width × height × 3`.
    func bytes() -> [UInt8] {
        var bytes = [UInt8]()
        bytes.reserveCapacity(pixels.count * 3)
        for pixel in pixels {
            let scaled = (pixel * 255 + 0.5).clamped(lowerBound: SIMD4(), upperBound: SIMD4(repeating: 255))
            bytes.append(UInt8(scaled.x))
            bytes.append(UInt8(scaled.y))
            bytes.append(UInt8(scaled.z))
        }
        return bytes
    }
}

extension SIMD2<Float> {
    func min(_ other: Self) -> Self { Self(Swift.min(x, other.x), Swift.min(y, other.y)) }
    func max(_ other: Self) -> Self { Self(Swift.max(x, other.x), Swift.max(y, other.y)) }
}
