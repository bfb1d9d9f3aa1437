import CCairo

struct Point: Equatable {
    var x, y: Double
    init(_ x: Double, _ y: Double) {
        self.x = x
        self.y = y
    }
}

struct Rectangle: Equatable {
    var x, y, width, height: Double
    init(_ x: Double, _ y: Double, _ width: Double, _ height: Double) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }

    var maxX: Double { x + width }
    var maxY: Double { y + height }
    var midX: Double { x + width / 2 }
    var midY: Double { y + height / 2 }
}

/// A page to draw on, in CSS pixels from the upper left corner; cairo behind it, as a picture or as SVG.
///
/// Safe because it owns its surface and context for as long as it lives and lends them to nobody.
@safe final class Canvas {
    enum Kind {
        case svg
        /// Picture elements for one CSS pixel.
        case pixels(scale: Double)
    }

    enum HorizontalAnchor { case left, middle, right }

    private let surface: OpaquePointer?
    private let context: OpaquePointer?
    private let typesetter: Typesetter
    private let output = ByteSink()
    private let kind: Kind

    init(width: Double, height: Double, kind: Kind) {
        self.kind = kind
        switch kind {
        case .svg:
            unsafe surface = cairo_svg_surface_create_for_stream(
                appendToSink, Unmanaged.passUnretained(output).toOpaque(), width, height)
            unsafe cairo_svg_surface_set_document_unit(surface, CAIRO_SVG_UNIT_PX)
            unsafe context = cairo_create(surface)
        case .pixels(let scale):
            unsafe surface = cairo_image_surface_create(
                CAIRO_FORMAT_RGB24, Int32((width * scale).rounded()), Int32((height * scale).rounded()))
            unsafe context = cairo_create(surface)
            unsafe cairo_scale(context, scale, scale)
        }
        // Letters keep their shape and width on every page: hinting would fit them to one grid of pixels.
        let options = unsafe cairo_font_options_create()
        unsafe cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE)
        unsafe cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF)
        unsafe cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY)
        unsafe cairo_set_font_options(context, options)
        unsafe typesetter = Typesetter(context: context, options: options)
        unsafe cairo_font_options_destroy(options)
        fill([Rectangle(0, 0, width, height)], .white)
    }

    deinit {
        unsafe cairo_destroy(context)
        unsafe cairo_surface_destroy(surface)
    }

    /// The finished file. Nothing can be drawn after it.
    func finish() throws(DrawingFailure) -> [UInt8] {
        try check(unsafe cairo_status(context))
        switch kind {
        case .svg:
            unsafe cairo_surface_finish(surface)
        case .pixels:
            unsafe cairo_surface_flush(surface)
            try check(unsafe cairo_surface_write_to_png_stream(
                surface, appendToSink, Unmanaged.passUnretained(output).toOpaque()))
        }
        try check(unsafe cairo_surface_status(surface))
        return output.bytes
    }

    /// What was drawn, `[height, width, 3]` in picture elements. Only of a picture.
    func pixels() throws(DrawingFailure) -> Picture {
        try check(unsafe cairo_status(context))
        unsafe cairo_surface_flush(surface)
        try check(unsafe cairo_surface_status(surface))
        guard let data = unsafe cairo_image_surface_get_data(surface) else { throw DrawingFailure(reason: "no picture") }
        let (width, height) = unsafe (Int(cairo_image_surface_get_width(surface)), Int(cairo_image_surface_get_height(surface)))
        let stride = Int(unsafe cairo_image_surface_get_stride(surface))
        var pixels: [UInt8] = []
        pixels.reserveCapacity(width * height * 3)
        for row in 0..<height {
            for column in 0..<width {
                // RGB24 is a machine word: blue comes first in memory.
                for channel in [2, 1, 0] { unsafe pixels.append(data[row * stride + column * 4 + channel]) }
            }
        }
        return Picture(width: width, height: height, pixels: pixels)
    }

    /// cairo's words for what went wrong.
    struct DrawingFailure: Error { let reason: String }

    private func check(_ status: cairo_status_t) throws(DrawingFailure) {
        guard status != CAIRO_STATUS_SUCCESS else { return }
        let words = unsafe cairo_status_to_string(status).map { unsafe String(cString: $0) }
        throw DrawingFailure(reason: words ?? "status \(status.rawValue)")
    }

    // MARK: Shapes

    private func setColor(_ color: Color) {
        unsafe cairo_set_source_rgb(context, color.red, color.green, color.blue)
    }

    private func trace(_ rectangles: [Rectangle]) {
        for rectangle in rectangles {
            unsafe cairo_rectangle(context, rectangle.x, rectangle.y, rectangle.width, rectangle.height)
        }
    }

    func fill(_ rectangles: [Rectangle], _ color: Color) {
        setColor(color)
        trace(rectangles)
        unsafe cairo_fill(context)
    }

    func outline(_ rectangles: [Rectangle], _ color: Color = .ink, width: Double = 1) {
        setColor(color)
        unsafe cairo_set_line_width(context, width)
        trace(rectangles)
        unsafe cairo_stroke(context)
    }

    /// Lines across the inside of rectangles. All rectangles share one set of lines.
    func hatch(_ rectangles: [Rectangle], _ hatch: Hatch, _ color: Color = .ink) {
        guard hatch != .none, let first = rectangles.first else { return }
        let bounds = rectangles.dropFirst().reduce(first) { bounds, next in
            let (x, y) = (min(bounds.x, next.x), min(bounds.y, next.y))
            return Rectangle(x, y, max(bounds.maxX, next.maxX) - x, max(bounds.maxY, next.maxY) - y)
        }
        unsafe cairo_save(context)
        trace(rectangles)
        unsafe cairo_clip(context)
        setColor(color)
        unsafe cairo_set_line_width(context, 0.8)
        let gap = 5.0
        let high = bounds.height
        if hatch == .level {
            for y in stride(from: bounds.y, through: bounds.maxY, by: gap) { segment(bounds.x, y, bounds.maxX, y) }
        }
        if hatch == .rising || hatch == .crossed {
            for x in stride(from: bounds.x, through: bounds.maxX + high, by: gap) { segment(x, bounds.y, x - high, bounds.maxY) }
        }
        if hatch == .falling || hatch == .crossed {
            for x in stride(from: bounds.x - high, through: bounds.maxX, by: gap) { segment(x, bounds.y, x + high, bounds.maxY) }
        }
        unsafe cairo_stroke(context)
        unsafe cairo_restore(context)
    }

    private func segment(_ fromX: Double, _ fromY: Double, _ toX: Double, _ toY: Double) {
        unsafe cairo_move_to(context, fromX, fromY)
        unsafe cairo_line_to(context, toX, toY)
    }

    func line(_ points: [Point], _ color: Color = .ink, width: Double = 1, dash: [Double] = []) {
        guard let first = points.first else { return }
        setColor(color)
        unsafe cairo_set_line_width(context, width)
        unsafe dash.withUnsafeBufferPointer { unsafe cairo_set_dash(context, $0.baseAddress, Int32($0.count), 0) }
        unsafe cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND)
        unsafe cairo_move_to(context, first.x, first.y)
        for point in points.dropFirst() { unsafe cairo_line_to(context, point.x, point.y) }
        unsafe cairo_stroke(context)
        unsafe cairo_set_dash(context, nil, 0, 0)
        unsafe cairo_set_line_join(context, CAIRO_LINE_JOIN_MITER)
    }

    /// A marker with a thin white edge, so that neighbors stay apart.
    func marker(_ marker: Marker, _ filling: Filling = .solid, at center: Point, radius: Double, _ color: Color) {
        let (x, y) = (center.x, center.y)
        // Writing leaves a point behind that shapes would be joined to.
        unsafe cairo_new_path(context)
        switch marker {
        case .circle:
            unsafe cairo_arc(context, x, y, radius, 0, 2 * Double.pi)
        case .square:
            unsafe cairo_rectangle(context, x - radius * 0.85, y - radius * 0.85, radius * 1.7, radius * 1.7)
        case .triangle, .tip:
            let down = marker == .tip ? -1.0 : 1
            polygon([
                Point(x, y - radius * 1.15 * down), Point(x + radius * 1.05, y + radius * 0.75 * down),
                Point(x - radius * 1.05, y + radius * 0.75 * down),
            ])
        case .diamond:
            polygon([Point(x, y - radius * 1.2), Point(x + radius * 1.2, y), Point(x, y + radius * 1.2), Point(x - radius * 1.2, y)])
        case .cross, .plus:
            let (across, along) = marker == .cross ? (radius, radius) : (radius * 1.3, 0)
            setColor(color)
            unsafe cairo_set_line_width(context, filling == .hollow ? 1 : 2)
            segment(x - across, y - along, x + across, y + along)
            segment(x - along, y + across, x + along, y - across)
            unsafe cairo_stroke(context)
            if filling == .dotted {
                unsafe cairo_arc(context, x, y, radius * 1.5, 0, 2 * Double.pi)
                unsafe cairo_set_line_width(context, 0.8)
                unsafe cairo_stroke(context)
            }
            return
        }
        setColor(filling == .solid ? color : .white)
        unsafe cairo_fill_preserve(context)
        setColor(filling == .solid ? .white : color)
        unsafe cairo_set_line_width(context, filling == .solid ? 0.7 : 1.5)
        unsafe cairo_stroke(context)
        if filling == .dotted {
            setColor(color)
            unsafe cairo_arc(context, x, y, radius * 0.35, 0, 2 * Double.pi)
            unsafe cairo_fill(context)
        }
    }

    private func polygon(_ points: [Point]) {
        for point in points { unsafe cairo_line_to(context, point.x, point.y) }
        unsafe cairo_close_path(context)
    }

    /// A picture, stretched over a rectangle; smoothly where it is shrunk.
    func draw(_ picture: Picture, in box: Rectangle) {
        let stride = Int(cairo_format_stride_for_width(CAIRO_FORMAT_RGB24, Int32(picture.width)))
        var bytes = [UInt8](repeating: 255, count: max(0, stride * picture.height))
        guard bytes.count > 0 else { return }
        for row in 0..<picture.height {
            for column in 0..<picture.width {
                let (source, target) = ((row * picture.width + column) * 3, row * stride + column * 4)
                for channel in 0..<3 { bytes[target + 2 - channel] = picture.pixels[source + channel] }
            }
        }
        unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            let image = unsafe cairo_image_surface_create_for_data(
                buffer.baseAddress, CAIRO_FORMAT_RGB24, Int32(picture.width), Int32(picture.height), Int32(stride))
            unsafe cairo_save(context)
            unsafe cairo_rectangle(context, box.x, box.y, box.width, box.height)
            unsafe cairo_clip(context)
            unsafe cairo_translate(context, box.x, box.y)
            unsafe cairo_scale(context, box.width / Double(picture.width), box.height / Double(picture.height))
            unsafe cairo_set_source_surface(context, image, 0, 0)
            unsafe cairo_pattern_set_extend(cairo_get_source(context), CAIRO_EXTEND_PAD)
            unsafe cairo_paint(context)
            unsafe cairo_restore(context)
            unsafe cairo_surface_destroy(image)
        }
    }

    // MARK: Writing

    func width(of text: String, height: Double = 11, isBold: Bool = false) -> Double {
        typesetter.set(text, height: height, isBold: isBold)
        return typesetter.width
    }

    /// Writes one line, its middle height at `point`.
    ///
    /// - Parameter isUpright: turned a quarter anticlockwise; the anchor turns with it.
    func write(
        _ text: String, at point: Point, height: Double = 11, anchor: HorizontalAnchor = .left, isBold: Bool = false,
        isUpright: Bool = false, color: Color = .ink
    ) {
        typesetter.set(text, height: height, isBold: isBold)
        let advance = typesetter.width
        setColor(color)
        unsafe cairo_save(context)
        unsafe cairo_translate(context, point.x, point.y)
        if isUpright { unsafe cairo_rotate(context, -Double.pi / 2) }
        let start = switch anchor {
        case .left: 0.0
        case .middle: -advance / 2
        case .right: -advance
        }
        // Capitals of DejaVu Sans are 0.73 of the font's size high.
        typesetter.show(atX: start, baseline: height * 0.365)
        unsafe cairo_restore(context)
    }

    /// Writes a heading from `corner` down, bold, in `Painter.titleHeight` where it fits into `width`; else smaller, and
    /// then on two lines, which take 26 pixels.
    func writeTitle(_ text: String, at corner: Point, width: Double) {
        let usual = Painter.titleHeight
        for height in stride(from: usual, through: 12, by: -1) where self.width(of: text, height: height, isBold: true) <= width {
            return write(text, at: Point(corner.x, corner.y + usual / 2), height: height, isBold: true)
        }
        let small = 11.0
        // The longest beginning that fits, cut between words where there are any.
        let letters = Array(text)
        var count = letters.count
        while count > 1, self.width(of: String(letters.prefix(count)), height: small, isBold: true) > width {
            count = letters.prefix(count - 1).lastIndex(of: " ").flatMap { $0 > 0 ? $0 : nil } ?? count - 1
        }
        var rest = String(letters.dropFirst(count).drop { $0 == " " })
        // Regular letters are narrower than bold ones, by which the width is taken.
        rest = shortened(rest, toWidth: width / 1.15, height: small)
        write(String(letters.prefix(count)), at: Point(corner.x, corner.y + small / 2 - 1), height: small, isBold: true)
        write(rest, at: Point(corner.x, corner.y + small * 1.5 + 1), height: small, isBold: true)
    }

    /// The text, or as much of its start and end as fits, with an ellipsis between: names of one data set
    /// often start alike.
    func shortened(_ text: String, toWidth limit: Double, height: Double = 11) -> String {
        guard width(of: text, height: height) > limit else { return text }
        let letters = Array(text)
        var (fits, tooLong) = (0, letters.count)
        while tooLong - fits > 1 {
            let middle = (fits + tooLong) / 2
            if width(of: shortened(letters, to: middle), height: height) <= limit { fits = middle } else { tooLong = middle }
        }
        return shortened(letters, to: fits)
    }

    private func shortened(_ letters: [Character], to count: Int) -> String {
        var (head, tail) = (letters.prefix(count - count * 2 / 5), letters.suffix(count * 2 / 5))
        while head.last == " " { head.removeLast() }
        while tail.first == " " { tail.removeFirst() }
        return String(head) + "…" + String(tail)
    }
}

/// Bytes that cairo hands over.
private final class ByteSink {
    var bytes: [UInt8] = []
}

private func appendToSink(
    closure: UnsafeMutableRawPointer?, data: UnsafePointer<UInt8>?, count: UInt32
) -> cairo_status_t {
    guard let closure = unsafe closure, let data = unsafe data else { return CAIRO_STATUS_WRITE_ERROR }
    let sink = unsafe Unmanaged<ByteSink>.fromOpaque(closure).takeUnretainedValue()
    unsafe sink.bytes.append(contentsOf: UnsafeBufferPointer(start: data, count: Int(count)))
    return CAIRO_STATUS_SUCCESS
}
