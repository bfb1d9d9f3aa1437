import Files

/// Names below the slots of a bar chart: level where they fit, else upright; not every one where there
/// are too many.
struct SlotNames {
    private let names: [String]
    private let isUpright: Bool
    /// Every how many slots a name stands.
    let interval: Int
    /// What they take below the axis.
    let height: Double

    init(_ labels: [String], slotWidth: Double, canvas: Canvas) {
        let size = Painter.slotNameHeight
        let plain = labels.map(\.escapedForDisplay)
        let widest = plain.map { canvas.width(of: $0, height: size) }.max() ?? 0
        isUpright = widest > slotWidth - 4
        interval = isUpright ? max(1, Int(((size + 0.5) / slotWidth).rounded(.up))) : 1
        names = isUpright ? plain.map { canvas.shortened($0, toWidth: Painter.nameLimit, height: size) } : plain
        height = isUpright ? min(widest, Painter.nameLimit) : size
    }

    func draw(in plot: Rectangle, slotWidth: Double, canvas: Canvas) {
        for index in stride(from: 0, to: names.count, by: interval) {
            let x = plot.x + (Double(index) + 0.5) * slotWidth
            canvas.line([Point(x, plot.maxY), Point(x, plot.maxY + 3)], width: 0.7)
            if isUpright {
                canvas.write(
                    names[index], at: Point(x, plot.maxY + 6), height: Painter.slotNameHeight, anchor: .right, isUpright: true)
            } else {
                canvas.write(
                    names[index], at: Point(x, plot.maxY + 5 + Painter.slotNameHeight / 2), height: Painter.slotNameHeight,
                    anchor: .middle)
            }
        }
    }
}
