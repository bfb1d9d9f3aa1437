/// What a chart shows. `svg()`, `png()` and `write(to:)` draw it, all with the same code.
///
/// The same chart gives the same bytes on one machine. Series differ in lightness and in hatch, dash or
/// marker, so that a black-and-white print and color-blind eyes can tell them apart.
package struct Chart: Sendable, Equatable {
    package var title: String
    /// What the chart says, for those who cannot see it; the `<desc>` of the SVG.
    package var summary: String
    package var horizontal: Axis
    package var vertical: Axis
    package var content: Content

    package init(
        title: String, summary: String = "", horizontal: Axis = Axis(), vertical: Axis = Axis(), content: Content
    ) {
        self.title = title
        self.summary = summary
        self.horizontal = horizontal
        self.vertical = vertical
        self.content = content
    }

    package enum Content: Sendable, Equatable {
        case bars(Bars)
        case lines([Curve])
        case scatter([Curve])
        /// Points of a plane without axes, each group with a marker or number of its own and a key below.
        case groups([Curve])
        case heatMap(HeatMap)
        case lanes(Lanes)
    }
}

/// One side of a chart.
package struct Axis: Sendable, Equatable {
    package var title: String
    /// From the data where nil.
    package var range: ClosedRange<Double>?
    /// What no value can leave: a range that is taken from the data does not reach beyond it.
    package var limits: ClosedRange<Double>?
    /// No ticks between whole numbers.
    package var isWhole: Bool

    package init(
        _ title: String = "", range: ClosedRange<Double>? = nil, limits: ClosedRange<Double>? = nil, isWhole: Bool = false
    ) {
        self.title = title
        self.range = range
        self.limits = limits
        self.isWhole = isWhole
    }

    /// Shares in percent.
    package static func percent(_ title: String) -> Axis { Axis(title, limits: 0...100) }
}

/// Upright bars from zero, a slot for each label.
package struct Bars: Sendable, Equatable {
    package struct Series: Sendable, Equatable {
        package var name: String
        /// One for each label; nil leaves no bar, and its room in the slot to the other series.
        package var values: [Double?]

        package init(_ name: String, _ values: [Double?]) {
            self.name = name
            self.values = values
        }
    }

    package var labels: [String]
    package var series: [Series]

    /// - Precondition: every series has a value or nil for each label.
    package init(labels: [String], series: [Series]) {
        precondition(series.allSatisfy { $0.values.count == labels.count }, "a value for each label")
        self.labels = labels
        self.series = series
    }
}

/// Points of one series, joined in their order in a line chart.
package struct Curve: Sendable, Equatable {
    package struct Point: Sendable, Equatable {
        package var x: Double
        package var y: Double

        package init(_ x: Double, _ y: Double) {
            self.x = x
            self.y = y
        }

        var isDrawable: Bool { x.isDrawable && y.isDrawable }
    }

    package var name: String
    /// What is not finite, or beyond 1e100, is left out and leaves a gap in a line.
    package var points: [Point]

    package init(_ name: String, _ points: [Point]) {
        self.name = name
        self.points = points
    }
}

/// A table of numbers as shades, from white for the least to dark for the largest.
package struct HeatMap: Sendable, Equatable {
    package var rowLabels: [String]
    package var columnLabels: [String]
    /// `[row][column]`; what is not finite stays white.
    package var values: [[Double]]
    /// What the shades mean.
    package var scaleTitle: String
    /// Decimals of the numbers written into the cells, where there is room; nil writes none.
    package var cellDecimals: Int?

    /// - Precondition: a row for each row label, each as long as the column labels.
    package init(
        rowLabels: [String], columnLabels: [String], values: [[Double]], scaleTitle: String = "", cellDecimals: Int? = nil
    ) {
        precondition(
            values.count == rowLabels.count && values.allSatisfy { $0.count == columnLabels.count }, "a number for each cell")
        self.rowLabels = rowLabels
        self.columnLabels = columnLabels
        self.values = values
        self.scaleTitle = scaleTitle
        self.cellDecimals = cellDecimals
    }
}

extension Double {
    /// Finite, and with room to add up ranges without overflow.
    var isDrawable: Bool { abs(self) < 1e100 }
}

extension Axis {
    /// The range asked for, if it is one that values can be spread over.
    var usableRange: ClosedRange<Double>? {
        range.flatMap { $0.lowerBound.isDrawable && $0.upperBound.isDrawable && $0.lowerBound < $0.upperBound ? $0 : nil }
    }
}
