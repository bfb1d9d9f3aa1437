import Files

extension Painter {
    static let groupsWidth = 920.0
    private static let groupsPlotHeight = 600.0
    private static let keyLine = 16.0
    /// Up to so many points are written as the number of their group where markers are too few.
    private static let writtenPointLimit = 2500

    /// As many as leave room for the longest name, whose letters are about six pixels wide.
    private static func keyColumns(_ groups: [Curve]) -> Int {
        let longest = groups.map(\.name.count).max() ?? 0
        return min(4, max(1, Int((groupsWidth - 2 * edge) / (54 + 6 * Double(longest)))))
    }

    private static func keyRows(_ groups: [Curve]) -> Int { (groups.count + keyColumns(groups) - 1) / keyColumns(groups) }

    static func groupsHeight(_ groups: [Curve]) -> Double {
        2 * edge + titleHeight + 10 + groupsPlotHeight + 14 + keyLine * Double(keyRows(groups))
    }

    /// Groups are numbered from 1: in the key, and in the plot where each has its middle.
    func drawGroups(_ groups: [Curve]) {
        let top = drawHead([]) { _, _ in }
        let plot = Rectangle(Self.edge, top, width - 2 * Self.edge, Self.groupsPlotHeight)
        canvas.outline([plot], .grid)
        let shown = groups.map { $0.points.filter(\.isDrawable) }
        let place = placement(of: shown.flatMap(\.self), in: plot)
        let hasMarkers = groups.count <= GroupStyle.distinctCount
        let isWritten = !hasMarkers && shown.reduce(0) { $0 + $1.count } <= Self.writtenPointLimit
        let radius = shown.reduce(0) { $0 + $1.count } < 600 ? 4.2 : 2.8
        for (index, points) in shown.enumerated() {
            let style = GroupStyle.at(index)
            for point in points {
                if isWritten {
                    canvas.write(
                        "\(index + 1)", at: place(point), height: 8.5, anchor: .middle, color: style.color.mixed(with: .ink, 0.35))
                } else {
                    canvas.marker(style.marker, style.filling, at: place(point), radius: radius, style.color)
                }
            }
        }
        if !isWritten {
            var numbers = NumberPlaces(points: shown.flatMap(\.self).map(place), radius: radius, plot: plot)
            for (index, points) in shown.enumerated() { drawNumber(index + 1, beside: fromMiddle(points).map(place), &numbers) }
        }
        drawKey(groups, top: plot.maxY + 14, hasMarkers: hasMarkers)
    }

    /// Near the group's middle, where it covers nothing; a line leads to the point that it stands for.
    private func drawNumber(_ number: Int, beside places: [Point], _ numbers: inout NumberPlaces) {
        guard let first = places.first else { return }
        let text = "\(number)"
        let across = canvas.width(of: text, height: 10, isBold: true) + 4
        let box = numbers.take(near: first, width: across, height: 12)
        let middle = Point(box.midX, box.midY)
        func distance(_ point: Point) -> Double { (point.x - middle.x) * (point.x - middle.x) + (point.y - middle.y) * (point.y - middle.y) }
        if let nearest = places.min(by: { distance($0) < distance($1) }), distance(nearest) > across * across {
            canvas.line([middle, nearest], .ink, width: 0.6)
        }
        canvas.fill([box], .white)
        canvas.write(text, at: middle, height: 10, anchor: .middle, isBold: true)
    }

    /// The group's points from its middle outwards: a number at one of them never falls between two clusters.
    private func fromMiddle(_ points: [Curve.Point]) -> [Curve.Point] {
        guard !points.isEmpty else { return [] }
        let (x, y) = (points.map(\.x).sorted()[points.count / 2], points.map(\.y).sorted()[points.count / 2])
        func distance(_ point: Curve.Point) -> Double { (point.x - x) * (point.x - x) + (point.y - y) * (point.y - y) }
        return points.sorted { distance($0) < distance($1) }
    }

    /// One scale both ways, so that distances are comparable.
    private func placement(of points: [Curve.Point], in plot: Rectangle) -> (Curve.Point) -> Point {
        let (xs, ys) = (points.map(\.x), points.map(\.y))
        let (left, right, bottom, top) = (xs.min() ?? 0, xs.max() ?? 1, ys.min() ?? 0, ys.max() ?? 1)
        let inset = 14.0
        let scale = min(
            (plot.width - 2 * inset) / max(right - left, 1e-30), (plot.height - 2 * inset) / max(top - bottom, 1e-30))
        let (centerX, centerY) = ((left + right) / 2, (top + bottom) / 2)
        return { Point(plot.midX + ($0.x - centerX) * scale, plot.midY - ($0.y - centerY) * scale) }
    }

    private func drawKey(_ groups: [Curve], top: Double, hasMarkers: Bool) {
        let rows = Self.keyRows(groups)
        let columnWidth = (width - 2 * Self.edge) / Double(Self.keyColumns(groups))
        for (index, group) in groups.enumerated() {
            let left = Self.edge + Double(index / max(1, rows)) * columnWidth
            let y = top + (Double(index % max(1, rows)) + 0.5) * Self.keyLine
            let style = GroupStyle.at(index)
            if hasMarkers {
                canvas.marker(style.marker, style.filling, at: Point(left + 6, y), radius: 4.2, style.color)
            } else {
                canvas.fill([Rectangle(left + 1, y - 5, 10, 10)], style.color)
            }
            canvas.write("\(index + 1)", at: Point(left + 36, y), height: 10, anchor: .right, isBold: true)
            canvas.write(
                canvas.shortened(group.name.escapedForDisplay, toWidth: columnWidth - 50, height: 10), at: Point(left + 41, y), height: 10)
        }
    }
}
