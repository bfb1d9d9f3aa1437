import Files
import Foundation

extension Painter {
    /// Shades told apart in one map; neighbors of one shade in a row become one rectangle.
    private static let shadeCount = 64
    private static let scaleWidth = 16.0

    func drawHeatMap(_ map: HeatMap) {
        let finite = map.values.joined().filter(\.isDrawable)
        let range = chart.vertical.usableRange ?? min(0, finite.min() ?? 0)...max(finite.max() ?? 1, min(0, finite.min() ?? 0) + 1e-9)
        let top = drawHead([]) { _, _ in }
        let size = Self.slotNameHeight
        let rowNames = map.rowLabels.map { canvas.shortened($0.escapedForDisplay, toWidth: Self.nameLimit, height: size) }
        let left = leftMargin(rowNames)
        let ticks = Ticks(range, count: 6)
        let scaleRoom = Self.scaleWidth + 46 + (map.scaleTitle.isEmpty ? 0 : 18)
        let across = width - left - Self.edge - scaleRoom
        let cellWidth = across / Double(max(1, map.columnLabels.count))
        let names = SlotNames(map.columnLabels, slotWidth: cellWidth, canvas: canvas)
        let plot = Rectangle(left, top, across, height - top - bottomMargin(names.height))
        let cellHeight = plot.height / Double(max(1, map.rowLabels.count))

        drawCells(map, plot: plot, range: range, cellWidth: cellWidth, cellHeight: cellHeight)
        canvas.outline([plot])
        names.draw(in: plot, slotWidth: cellWidth, canvas: canvas)
        let rowInterval = max(1, Int(((size + 0.5) / cellHeight).rounded(.up)))
        for row in stride(from: 0, to: rowNames.count, by: rowInterval) {
            let y = plot.y + (Double(row) + 0.5) * cellHeight
            canvas.write(rowNames[row], at: Point(plot.x - 6, y), height: size, anchor: .right)
        }
        drawScale(map, ticks, range, Rectangle(plot.maxX + 14, plot.y, Self.scaleWidth, min(plot.height, 320)))
        drawAxisTitles(plot)
    }

    private func drawCells(
        _ map: HeatMap, plot: Rectangle, range: ClosedRange<Double>, cellWidth: Double, cellHeight: Double
    ) {
        func share(_ value: Double) -> Double {
            value.isDrawable ? min(max((value - range.lowerBound) / (range.upperBound - range.lowerBound), 0), 1) : 0
        }
        // One shape for all cells of one shade.
        var boxes = [[Rectangle]](repeating: [], count: Self.shadeCount + 1)
        for (row, values) in map.values.enumerated() {
            let shades = values.map { Int((share($0) * Double(Self.shadeCount)).rounded()) }
            var start = 0
            while start < shades.count {
                let end = shades[start...].firstIndex { $0 != shades[start] } ?? shades.endIndex
                if shades[start] > 0 {
                    boxes[shades[start]].append(
                        Rectangle(
                            plot.x + Double(start) * cellWidth, plot.y + Double(row) * cellHeight,
                            Double(end - start) * cellWidth, cellHeight))
                }
                start = end
            }
        }
        for (shade, boxes) in boxes.enumerated() where !boxes.isEmpty {
            canvas.fill(boxes, .shade(Double(shade) / Double(Self.shadeCount)))
        }
        guard let decimals = map.cellDecimals, cellHeight >= 12 else { return }
        for (row, values) in map.values.enumerated() {
            for (column, value) in values.enumerated() where value.isDrawable && value != 0 {
                let text = String(format: "%.\(decimals)f", value)
                guard canvas.width(of: text, height: 9) <= cellWidth - 2 else { continue }
                let middle = Point(plot.x + (Double(column) + 0.5) * cellWidth, plot.y + (Double(row) + 0.5) * cellHeight)
                let isDark = Color.shade(share(value)).lightness < 0.45
                canvas.write(text, at: middle, height: 9, anchor: .middle, color: isDark ? .white : .ink)
            }
        }
    }

    private func drawScale(_ map: HeatMap, _ ticks: Ticks, _ range: ClosedRange<Double>, _ box: Rectangle) {
        for step in 0..<Self.shadeCount {
            let height = box.height / Double(Self.shadeCount)
            // A little overlap hides the seams.
            canvas.fill(
                [Rectangle(box.x, box.maxY - Double(step + 1) * height, box.width, height + (step > 0 ? 0.5 : 0))],
                .shade((Double(step) + 0.5) / Double(Self.shadeCount)))
        }
        canvas.outline([box])
        for (value, label) in zip(ticks.values, ticks.labels) {
            let y = box.maxY - (value - range.lowerBound) / (range.upperBound - range.lowerBound) * box.height
            canvas.line([Point(box.maxX, y), Point(box.maxX + 3, y)])
            canvas.write(label, at: Point(box.maxX + 6, y), height: Self.slotNameHeight)
        }
        let title = map.scaleTitle.escapedForDisplay
        if !title.isEmpty {
            canvas.write(
                canvas.shortened(title, toWidth: box.height), at: Point(box.maxX + 50, box.midY), anchor: .middle, isUpright: true)
        }
    }
}
