import Files

/// An interleaved RGB picture, rows from the top, 8 bits per channel.
package struct Picture: Sendable, Equatable {
    package let width: Int
    package let height: Int
    package let pixels: [UInt8]

    /// - Precondition: `pixels` holds exactly `width · height · 3` bytes.
    package init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0 && pixels.count == width * height * 3, "pixels do not fill the picture")
        self.width = width
        self.height = height
        self.pixels = pixels
    }
}

/// Frames of a video in a row, and below them what was found in each: a page with headings.
package struct FrameStrip: Sendable, Equatable {
    package struct Row: Sendable, Equatable {
        package var title: String
        /// One for each frame.
        package var pictures: [Picture]

        package init(_ title: String, _ pictures: [Picture]) {
            self.title = title
            self.pictures = pictures
        }
    }

    /// What the colors in the pictures mean.
    package struct Scale: Sendable, Equatable {
        package var colors: [Color]
        package var low: String
        package var high: String
        /// Further words after it.
        package var note: String

        package init(colors: [Color], low: String, high: String, note: String) {
            self.colors = colors
            self.low = low
            self.high = high
            self.note = note
        }
    }

    package var title: String
    /// One for each frame.
    package var columnTitles: [String]
    package var rows: [Row]
    package var scale: Scale?

    /// - Precondition: every row has a picture for each column.
    package init(title: String, columnTitles: [String], rows: [Row], scale: Scale? = nil) {
        precondition(rows.allSatisfy { $0.pictures.count == columnTitles.count }, "a picture for each frame")
        self.title = title
        self.columnTitles = columnTitles
        self.rows = rows
        self.scale = scale
    }

    // Sizes are CSS pixels; a PNG has two picture elements for each.
    private static let pngScale = 2.0
    private static let columnsPerLine = 16
    private static let gap = 3.0
    private static let rowTitle = 20.0
    private static let columnTitle = 16.0
    private static let leastWidth = 880.0
    private static let pngLimit = 30_000.0

    /// Picture elements along a tile's longer side: larger pictures are not worth making.
    package static func tilePixels(frameCount: Int) -> Int { Int(tileSide(frameCount) * pngScale) }

    private static func tileSide(_ frameCount: Int) -> Double {
        min(168, max(88, 1280 / Double(max(1, min(frameCount, columnsPerLine))))).rounded()
    }

    private var lines: [Range<Int>] {
        stride(from: 0, to: columnTitles.count, by: Self.columnsPerLine).map { $0..<min($0 + Self.columnsPerLine, columnTitles.count) }
    }

    /// Width and height of a tile.
    private func tile(_ row: Row) -> (width: Double, height: Double) {
        guard let picture = row.pictures.first else { return (1, 1) }
        let side = Self.tileSide(columnTitles.count)
        let scale = side / Double(max(picture.width, picture.height))
        return (max(1, (Double(picture.width) * scale).rounded()), max(1, (Double(picture.height) * scale).rounded()))
    }

    private var tileWidth: Double { rows.map { tile($0).width }.max() ?? 1 }

    private var extent: (width: Double, height: Double) {
        let columns = Double(min(columnTitles.count, Self.columnsPerLine))
        let across = columns * (tileWidth + Self.gap) - Self.gap
        let line = Self.columnTitle + rows.reduce(0.0) { $0 + Self.rowTitle + tile($1).height + 4 }
        return (
            (2 * Painter.edge + max(Self.leastWidth, across)).rounded(),
            (2 * Painter.edge + Painter.titleHeight + 8 + Double(lines.count) * (line + 8) + (scale == nil ? 0 : 26)).rounded()
        )
    }

    /// A PNG of two picture elements a CSS pixel. The same strip gives the same bytes on one machine.
    package func png() throws(ChartError) -> [UInt8] {
        let extent = extent
        guard max(extent.width, extent.height) * Self.pngScale <= Self.pngLimit else {
            throw ChartError(
                path: title,
                problem: .tooLarge(width: Int(extent.width * Self.pngScale), height: Int(extent.height * Self.pngScale)))
        }
        let canvas = Canvas(width: extent.width, height: extent.height, kind: .pixels(scale: Self.pngScale))
        draw(on: canvas, width: extent.width)
        do throws(Canvas.DrawingFailure) {
            return try canvas.finish()
        } catch {
            throw ChartError(path: title, problem: .drawing(reason: error.reason))
        }
    }

    /// Writes the PNG, whole or not at all.
    package func write(to path: String) throws(ChartError) {
        let bytes = try png()
        do {
            try DurableFile.write(PictureMark.marked(bytes, path: path), to: path)
        } catch {
            throw ChartError(path: path, problem: .file(error))
        }
    }

    private func draw(on canvas: Canvas, width: Double) {
        let (left, inside) = (Painter.edge, width - 2 * Painter.edge)
        var y = Painter.edge
        canvas.writeTitle(title.escapedForDisplay, at: Point(left, y), width: inside)
        y += Painter.titleHeight + 8
        let step = tileWidth + Self.gap
        for line in lines {
            for (place, column) in line.enumerated() {
                let shown = canvas.shortened(columnTitles[column].escapedForDisplay, toWidth: tileWidth, height: 10)
                canvas.write(shown, at: Point(left + Double(place) * step + tileWidth / 2, y + 8), height: 10, anchor: .middle)
            }
            y += Self.columnTitle
            for row in rows {
                let size = tile(row)
                canvas.write(
                    canvas.shortened(row.title.escapedForDisplay, toWidth: inside, height: 12), at: Point(left, y + Self.rowTitle / 2),
                    height: 12)
                y += Self.rowTitle
                for (place, column) in line.enumerated() {
                    let x = left + Double(place) * step + (tileWidth - size.width) / 2
                    canvas.draw(row.pictures[column], in: Rectangle(x, y, size.width, size.height))
                }
                y += size.height + 4
            }
            y += 8
        }
        if let scale { draw(scale, on: canvas, at: Point(left, y + 6), inside: inside) }
    }

    private func draw(_ scale: Scale, on canvas: Canvas, at corner: Point, inside: Double) {
        canvas.write(scale.low.escapedForDisplay, at: Point(corner.x, corner.y + 6))
        let x = corner.x + canvas.width(of: scale.low.escapedForDisplay) + 8
        let across = 160.0
        let step = across / Double(max(1, scale.colors.count))
        for (index, color) in scale.colors.enumerated() {
            canvas.fill([Rectangle(x + Double(index) * step, corner.y, step + 0.5, 12)], color)
        }
        canvas.outline([Rectangle(x, corner.y, across, 12)], width: 0.7)
        canvas.write(scale.high.escapedForDisplay, at: Point(x + across + 8, corner.y + 6))
        let end = x + across + 8 + canvas.width(of: scale.high.escapedForDisplay) + 18
        canvas.write(
            canvas.shortened(scale.note.escapedForDisplay, toWidth: max(40, corner.x + inside - end)), at: Point(end, corner.y + 6))
    }
}

extension Picture {
    /// A PNG of the same size. The same picture gives the same bytes on one machine.
    package func png() throws(ChartError) -> [UInt8] {
        let canvas = Canvas(width: Double(width), height: Double(height), kind: .pixels(scale: 1))
        canvas.draw(self, in: Rectangle(0, 0, Double(width), Double(height)))
        do throws(Canvas.DrawingFailure) {
            return try canvas.finish()
        } catch {
            throw ChartError(path: "picture", problem: .drawing(reason: error.reason))
        }
    }
}

/// One line of writing as a picture of a given size: a heading over videos beside each other.
///
/// - Parameter texts: the first that fits is written, else what fits of the last.
package func bannerPicture(_ texts: [String], width: Int, height: Int) throws(ChartError) -> Picture {
    let canvas = Canvas(width: Double(width), height: Double(height), kind: .pixels(scale: 1))
    let (size, room) = (Double(height) * 0.55, Double(width) - 6)
    let plain = texts.map(\.escapedForDisplay)
    let shown = plain.first { canvas.width(of: $0, height: size) <= room } ?? canvas.shortened(plain.last ?? "", toWidth: room, height: size)
    canvas.write(shown, at: Point(3, Double(height) / 2), height: size)
    do throws(Canvas.DrawingFailure) {
        return try canvas.pixels()
    } catch {
        throw ChartError(path: shown, problem: .drawing(reason: error.reason))
    }
}
