import CCairo

/// Sets lines of text with Pango: letters that DejaVu Sans lacks come from whichever other font of the machine has
/// them, and scripts that join their letters or run from right to left come out as they are read.
///
/// Safe because it owns its layout for as long as it lives and lends it to nobody.
@safe struct Typesetter: ~Copyable {
    /// The context is not owned: it must outlive the typesetter.
    private let context: OpaquePointer?
    private let layout: OpaquePointer?
    private let regular: OpaquePointer?
    private let bold: OpaquePointer?

    /// Pango measures in 1024ths.
    private static let unit = Double(PANGO_SCALE)

    /// - Parameter options: of the letters' shapes.
    init(context: OpaquePointer?, options: OpaquePointer?) {
        unsafe self.context = unsafe context
        unsafe layout = pango_cairo_create_layout(context)
        unsafe pango_cairo_context_set_font_options(pango_layout_get_context(layout), options)
        unsafe pango_context_set_round_glyph_positions(pango_layout_get_context(layout), 0)
        unsafe pango_layout_set_single_paragraph_mode(layout, 1)
        unsafe regular = Self.font(PANGO_WEIGHT_NORMAL)
        unsafe bold = Self.font(PANGO_WEIGHT_BOLD)
    }

    deinit {
        unsafe pango_font_description_free(regular)
        unsafe pango_font_description_free(bold)
        unsafe g_object_unref(UnsafeMutableRawPointer(layout))
    }

    private static func font(_ weight: Int32) -> OpaquePointer? {
        let font = unsafe pango_font_description_new()
        unsafe pango_font_description_set_family(font, "DejaVu Sans")
        unsafe pango_font_description_set_weight(font, weight)
        return unsafe font
    }

    /// Takes a line, in letters of `height` CSS pixels.
    func set(_ text: String, height: Double, isBold: Bool) {
        let font = unsafe isBold ? bold : regular
        unsafe pango_font_description_set_absolute_size(font, height * Self.unit)
        unsafe pango_layout_set_font_description(layout, font)
        unsafe pango_layout_set_text(layout, text, Int32(clamping: text.utf8.count))
    }

    /// How far the line that was set reaches, in CSS pixels.
    var width: Double {
        var extents = PangoRectangle()
        unsafe pango_layout_get_extents(layout, nil, &extents)
        return Double(extents.width) / Self.unit
    }

    /// Draws the line that was set in the context's color.
    func show(atX x: Double, baseline: Double) {
        unsafe cairo_move_to(context, x, baseline - Double(pango_layout_get_baseline(layout)) / Self.unit)
        unsafe pango_cairo_show_layout(context, layout)
    }
}
