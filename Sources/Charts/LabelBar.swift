import Files

/// What is written over the lower edge of a video: a label on the left and how sure it is on the right, white on dark.
package struct LabelBar: Sendable, Equatable {
    package var label: String
    /// Such as "53.3 %"; empty where there is nothing to say.
    package var value: String

    package init(label: String, value: String) {
        self.label = label
        self.value = value
    }

    private static let background = Color(gray: 0.05)
    /// Of the bar's height.
    private static let letterHeight = 0.58
    /// In which letters can still be read.
    private static let leastHeight = 16

    /// Rows of the bar in a picture of these sides: a 14th of the shorter one. Even, so that coarse chroma above it stays as
    /// it is.
    package static func height(width: Int, height: Int) -> Int {
        min(height / 2 * 2, max(leastHeight, min(width, height) / 28 * 2))
    }

    /// Where there is no room for both, the label is shortened, and at last stands alone.
    package func picture(width: Int, height: Int) throws(ChartError) -> Picture {
        let canvas = Canvas(width: Double(width), height: Double(height), kind: .pixels(scale: 1))
        let (across, middle) = (Double(width), Double(height) / 2)
        let letters = Double(height) * Self.letterHeight
        let margin = letters / 3
        canvas.fill([Rectangle(0, 0, across, Double(height))], Self.background)
        let valueWidth = value.isEmpty ? 0 : canvas.width(of: value, height: letters) + margin
        let hasRoom = valueWidth < (across - 2 * margin) * 0.6
        if hasRoom, !value.isEmpty { canvas.write(value, at: Point(across - margin, middle), height: letters, anchor: .right, color: .white) }
        let room = max(0, across - 2 * margin - (hasRoom ? valueWidth : 0))
        canvas.write(
            canvas.shortened(label.escapedForDisplay, toWidth: room, height: letters), at: Point(margin, middle), height: letters, color: .white)
        do throws(Canvas.DrawingFailure) {
            return try canvas.pixels()
        } catch {
            throw ChartError(path: label, problem: .drawing(reason: error.reason))
        }
    }
}
