import VideoData

/// One frame's attention map as a picture of the video's size shows it.
///
/// As the notebook that the paper's authors adapted does it (`methods.md` 8.8): the patches' values bilinearly to the
/// model's picture, least to largest as 0 to 1, JET colors, added to the frame's own least to largest, divided by the
/// largest sum. What the model does not see is shown gray and dark.
package struct HeatOverlay: Sendable {
    /// `[gridSide × gridSide]`, `0 ... 1`.
    private var values: [Float]
    private let gridSide: Int

    /// - Parameters:
    ///   - map: `[gridSide × gridSide]`, rows from the top; a flat or not finite map becomes 0.
    ///   - side: of the model's picture: the range is taken from the map as large as this.
    package init(map: [Float], gridSide: Int, side: Int) {
        precondition(map.count == gridSide * gridSide && gridSide > 0 && side > 0, "a map has a value a patch")
        self.gridSide = gridSide
        values = map
        var (least, most) = (Float.infinity, -Float.infinity)
        for row in 0..<side {
            let y = Self.place(Double(row) + 0.5, extent: Double(side), gridSide: gridSide)
            for column in 0..<side {
                let value = interpolated(x: Self.place(Double(column) + 0.5, extent: Double(side), gridSide: gridSide), y: y)
                least = min(least, value)
                most = max(most, value)
            }
        }
        let range = most - least
        values = map.map { range > 0 && range.isFinite ? ($0 - least) / range : 0 }
    }

    private init(values: [Float], gridSide: Int) {
        self.values = values
        self.gridSide = gridSide
    }

    /// `share` of the way from this map to another of the same grid.
    package func mixed(with other: HeatOverlay, _ share: Float) -> HeatOverlay {
        precondition(gridSide == other.gridSide, "maps of different grids")
        return HeatOverlay(values: zip(values, other.values).map { $0 + ($1 - $0) * share }, gridSide: gridSide)
    }

    /// What the map says at a place of the seen region, `0 ... 1` both ways.
    package func value(x: Double, y: Double) -> Float {
        min(max(interpolated(x: x * Double(gridSide) - 0.5, y: y * Double(gridSide) - 0.5), 0), 1)
    }

    /// A pixel's center among the patches' centers.
    private static func place(_ pixel: Double, extent: Double, gridSide: Int) -> Double { pixel / extent * Double(gridSide) - 0.5 }

    private func interpolated(x: Double, y: Double) -> Float {
        let (x, y) = (min(max(x, 0), Double(gridSide - 1)), min(max(y, 0), Double(gridSide - 1)))
        let (column, row) = (min(Int(x), max(0, gridSide - 2)), min(Int(y), max(0, gridSide - 2)))
        let (nextColumn, nextRow) = (min(column + 1, gridSide - 1), min(row + 1, gridSide - 1))
        let (across, down) = (Float(x - Double(column)), Float(y - Double(row)))
        let upper = values[row * gridSide + column] * (1 - across) + values[row * gridSide + nextColumn] * across
        let lower = values[nextRow * gridSide + column] * (1 - across) + values[nextRow * gridSide + nextColumn] * across
        return upper * (1 - down) + lower * down
    }

    /// The frame with the map on it.
    ///
    /// - Parameters:
    ///   - region: the part of the frame that the model saw.
    ///   - contour: draws a line around what has half of the largest value and more, for eyes and prints without color.
    package func drawn(on frame: VideoFrame, region: PictureRegion, contour: Bool) -> VideoFrame {
        let (columns, rows) = (Self.pixels(region.left, region.width, limit: frame.width), Self.pixels(region.top, region.height, limit: frame.height))
        var output = Self.dimmed(frame)
        guard !columns.isEmpty, !rows.isEmpty else { return output }
        let (least, most) = Self.range(of: frame, columns: columns, rows: rows)
        let scale = most > least ? 1 / Float(most - least) : 0
        let heats = rows.map { row in
            columns.map { column in
                value(
                    x: (Double(column) + 0.5 - region.left) / region.width, y: (Double(row) + 0.5 - region.top) / region.height)
            }
        }
        var sums = [Float](repeating: 0, count: columns.count * rows.count * 3)
        var largest: Float = 0
        var place = 0
        for (rowIndex, row) in rows.enumerated() {
            for (columnIndex, column) in columns.enumerated() {
                let color = jet(heats[rowIndex][columnIndex])
                for channel in 0..<3 {
                    let own = Float(frame.pixels[(row * frame.width + column) * 3 + channel]) - Float(least)
                    sums[place] = own * scale + color[channel]
                    largest = max(largest, sums[place])
                    place += 1
                }
            }
        }
        place = 0
        for row in rows {
            for column in columns {
                for channel in 0..<3 {
                    output.pixels[(row * frame.width + column) * 3 + channel] = UInt8(255 * (largest > 0 ? sums[place] / largest : 0))
                    place += 1
                }
            }
        }
        if contour { Self.drawContour(heats, columns: columns, rows: rows, on: &output) }
        return output
    }

    /// Where the map crosses one half: a white pixel on the high side, two black ones on the low side.
    private static func drawContour(_ heats: [[Float]], columns: Range<Int>, rows: Range<Int>, on frame: inout VideoFrame) {
        let (height, width) = (rows.count, columns.count)
        /// Whether the other side is at most so many pixels away, across or down.
        func isEdge(_ row: Int, _ column: Int, within reach: Int) -> Bool {
            let isHigh = heats[row][column] >= 0.5
            for distance in -reach...reach {
                let (near, below) = (column + distance, row + distance)
                if near >= 0, near < width, (heats[row][near] >= 0.5) != isHigh { return true }
                if below >= 0, below < height, (heats[below][column] >= 0.5) != isHigh { return true }
            }
            return false
        }
        for row in 0..<height {
            for column in 0..<width {
                let isHigh = heats[row][column] >= 0.5
                guard isEdge(row, column, within: isHigh ? 1 : 2) else { continue }
                let pixel = ((row + rows.lowerBound) * frame.width + column + columns.lowerBound) * 3
                for channel in 0..<3 { frame.pixels[pixel + channel] = isHigh ? 255 : 0 }
            }
        }
    }

    /// Pixels whose centers lie in a stretch.
    private static func pixels(_ start: Double, _ length: Double, limit: Int) -> Range<Int> {
        let first = min(max(Int((start - 0.5).rounded(.up)), 0), limit)
        let end = min(max(Int((start + length - 0.5).rounded(.up)), first), limit)
        return first..<end
    }

    private static func range(of frame: VideoFrame, columns: Range<Int>, rows: Range<Int>) -> (least: UInt8, most: UInt8) {
        var (least, most) = (UInt8.max, UInt8.min)
        for row in rows {
            for index in (row * frame.width + columns.lowerBound) * 3..<(row * frame.width + columns.upperBound) * 3 {
                least = min(least, frame.pixels[index])
                most = max(most, frame.pixels[index])
            }
        }
        return (least, most)
    }

    /// Gray at half its brightness.
    private static func dimmed(_ frame: VideoFrame) -> VideoFrame {
        var result = frame
        for pixel in stride(from: 0, to: frame.pixels.count, by: 3) {
            let (red, green, blue) = (Int(frame.pixels[pixel]), Int(frame.pixels[pixel + 1]), Int(frame.pixels[pixel + 2]))
            let gray = UInt8((299 * red + 587 * green + 114 * blue) / 2000)
            for channel in 0..<3 { result.pixels[pixel + channel] = gray }
        }
        return result
    }
}

/// The JET colors, from dark blue over green to dark red, each `0 ... 1`; OpenCV's `COLORMAP_JET` to 1/255.
package func jet(_ value: Float) -> SIMD3<Float> {
    // Color maps of 256 steps, as `np.uint8(255 * mask)` makes them.
    let level = (255 * min(max(value, 0), 1)).rounded(.down) / 255
    func ramp(_ peak: Float) -> Float { min(max(1.5 - abs(4 * level - peak), 0), 1) }
    return SIMD3(ramp(3), ramp(2), ramp(1))
}
