import Foundation
import FoundationXML
import TestSupport
import Testing

import Charts

/// One chart of each kind, as later pages will want them.
///
/// To look at them: `VIFI_PROMPT_CHARTS=folder swift test -c release --filter ChartTests`.
private let samples: [Sample] = [
    Sample("bars", methods()), Sample("lines", losses()), Sample("scatter", clusters()), Sample("confusion-10", confusion(10)),
    Sample("confusion-101", confusion(101)), Sample("frequency-400", frequency(400)), Sample("confusion-400", confusion(400)), Sample("groups-16", groups(16, of: 15)),
    Sample("groups-100", groups(100, of: 12)), Sample("groups-400", groups(400, of: 20)), Sample("lines-20", seeds(20)),
]

private struct Sample: Sendable {
    let name: String
    let chart: Chart
    init(_ name: String, _ chart: Chart) {
        self.name = name
        self.chart = chart
    }
}

private func methods() -> Chart {
    let series: [Bars.Series] = [
        Bars.Series("zero-shot", [40.8, 63.2, 2.7, 56]), Bars.Series("text prompts", [54, 80, 4, 60]),
        Bars.Series("vision and text prompts", [63, 91, 6.7, 70]), Bars.Series("fine-tuned", [57.2, 80.7, nil, 72]),
        Bars.Series("adapter", [50, 70, 3, 58]),
    ]
    let bars = Bars(labels: ["HMDB-51", "UCF-101", "SSv2", "K400"], series: series)
    return Chart(
        title: "Top-1 by method & data set", summary: "Prompts lead on <all> data sets.",
        vertical: Axis("top-1, %", range: 0...100), content: .bars(bars))
}

private func losses() -> Chart {
    var curves: [Curve] = []
    for run in 0..<3 {
        var points: [Curve.Point] = []
        for epoch in 0..<50 {
            let decay = exp(-Double(epoch) / Double(8 + 4 * run))
            let loss: Double = epoch == 20 && run == 1 ? .nan : 3 * decay + 0.2 * Double(run)
            points.append(Curve.Point(Double(epoch), loss))
        }
        curves.append(Curve("seed \(run + 1)", points))
    }
    return Chart(
        title: "Loss of three runs", horizontal: Axis("epoch", isWhole: true), vertical: Axis("training loss"), content: .lines(curves))
}

private func clusters() -> Chart {
    var groups: [Curve] = []
    for group in 0..<6 {
        var points: [Curve.Point] = []
        for number in 0..<30 {
            let x = cos(Double(number * 7 + group)) * 3 + Double(group * 4)
            let y = sin(Double(number * 5)) * 3 + Double(group % 3) * 6
            points.append(Curve.Point(x, y))
        }
        groups.append(Curve("class \(group)", points))
    }
    return Chart(title: "Clips by t-SNE", horizontal: Axis("first"), vertical: Axis("second"), content: .scatter(groups))
}

/// Groups in a spiral, some of them torn in two.
private func groups(_ count: Int, of size: Int) -> Chart {
    let curves = (0..<count).map { group in
        let points = (0..<size).map { number in
            let turn = Double(group) * 2.4 + (group % 5 == 0 && number % 3 == 0 ? 3 : 0)
            let (far, spread) = (Double(group).squareRoot() * 4, Double(number * 7 % size) / Double(size) * 3)
            return Curve.Point(1.4 * cos(turn) * far + spread * cos(Double(number)), sin(turn) * far + spread * sin(Double(number)))
        }
        return Curve("class \(group) with a name", points)
    }
    return Chart(title: "\(count) groups", content: .groups(curves))
}

private func seeds(_ count: Int) -> Chart {
    let curves = (0..<count).map { seed in
        Curve("seed \(seed)", (0..<40).map { Curve.Point(Double($0), 3 * exp(-Double($0) / Double(5 + seed)) + Double(seed) * 0.05) })
    }
    return Chart(title: "\(count) runs", horizontal: Axis("step", isWhole: true), vertical: Axis("loss"), content: .lines(curves))
}

private func confusion(_ count: Int) -> Chart {
    let names: [String] = (0..<count).map { "class number \($0)" }
    var values: [[Double]] = []
    for row in 0..<count {
        var cells: [Double] = []
        for column in 0..<count {
            if row == column { cells.append(Double(20 + row % 9)) } else { cells.append((row * 7 + column * 3) % 11 == 0 ? 4 : 0) }
        }
        values.append(cells)
    }
    let map = HeatMap(rowLabels: names, columnLabels: names, values: values, scaleTitle: "videos", cellDecimals: 0)
    return Chart(title: "Confusion", horizontal: Axis("predicted"), vertical: Axis("true"), content: .heatMap(map))
}

private func frequency(_ count: Int) -> Chart {
    var (base, novel): ([Double?], [Double?]) = ([], [])
    for index in 0..<count {
        let value = Double(1000 - index)
        base.append(index < count / 2 ? value : nil)
        novel.append(index < count / 2 ? nil : value)
    }
    let names: [String] = (0..<count).map { "pretending to do something with class \($0)" }
    let bars = Bars(labels: names, series: [Bars.Series("base", base), Bars.Series("novel", novel)])
    return Chart(title: "Videos of each class", horizontal: Axis("class"), vertical: Axis("videos", isWhole: true), content: .bars(bars))
}

private func oddCharts() -> [Chart] {
    func bars(_ labels: [String], _ values: [Double?]...) -> Chart.Content {
        .bars(Bars(labels: labels, series: values.map { Bars.Series("s\u{7}", $0) }))
    }
    func map(_ values: [[Double]]) -> Chart.Content {
        let columns = (0..<(values.first?.count ?? 0)).map { "\($0)" }
        return .heatMap(HeatMap(rowLabels: values.indices.map { "\($0)" }, columnLabels: columns, values: values, cellDecimals: 2))
    }
    var charts: [Chart] = []
    for content in [
        bars([]), bars(["a"]), bars(["a"], [nil]), bars(["a", "b"], [.nan, .infinity], [-1e308, 1e308]), bars(["a"], [-3]), bars(["a"], [0]),
        .lines([]), .scatter([Curve("", [])]), .lines([Curve("", [Curve.Point(3, 3)]), Curve("", [Curve.Point(.nan, 1), Curve.Point(1e300, -1e300)])]),
        .groups([]), .groups([Curve("", [])]), .groups([Curve("a", [Curve.Point(1, 1)]), Curve("b", [Curve.Point(.nan, 1), Curve.Point(1, 1)])]),
        map([]), map([[]]), map([[.nan]]), map([[1e308, -1e308]]), map([[-1, -2], [-3, 0]]), map([[0, 0]]),
    ] {
        charts.append(Chart(title: "odd", content: content))
        charts.append(Chart(title: "", vertical: Axis("", range: 1...1), content: content))
    }
    let long = [String(repeating: "wide ", count: 900), "\u{0}\n\u{202E}x", "日本語 👩‍👩‍👧"]
    charts.append(
        Chart(
            title: String(repeating: "long ", count: 1000), summary: "]]> & \u{0}\u{1B}[2J",
            horizontal: Axis(String(repeating: "x", count: 5000)), content: bars(long, [1, 2, 3])))
    let many: [Double?] = (0..<20_000).map { Double($0) }
    charts.append(Chart(title: "many", content: bars(many.indices.map { "\($0)" }, many)))
    return charts
}

@Suite struct ChartTests {
    @Test(arguments: samples.indices)
    func isDrawnTheSameEachTime(_ index: Int) throws {
        let chart = samples[index].chart
        let (svg, png) = (try chart.svg(), try chart.png())
        _ = try samples[(index + 1) % samples.count].chart.svg()
        #expect(try chart.svg() == svg)
        #expect(try chart.png() == png)
        if let folder = ProcessInfo.processInfo.environment["VIFI_PROMPT_CHARTS"] {
            for ending in ["svg", "png"] { try chart.write(to: "\(folder)/\(samples[index].name).\(ending)") }
        }
    }

    private final class Reader: NSObject, XMLParserDelegate {
        var texts: [String: String] = [:]
        var attributes: [String: String] = [:]
        private var element = ""

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            element = name
            if name == "svg" { self.attributes = attributes }
        }

        func parser(_ parser: XMLParser, foundCharacters text: String) {
            if element == "title" || element == "desc" { texts[element, default: ""] += text }
        }

        func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) { element = "" }
    }

    @Test(arguments: samples.indices)
    func svgIsXMLWithTitleAndDescription(_ index: Int) throws {
        let chart = samples[index].chart
        let reader = Reader()
        let parser = XMLParser(data: Data(try chart.svg()))
        parser.delegate = reader
        #expect(parser.parse())
        #expect(reader.texts["title"] == chart.title)
        #expect(reader.texts["desc"] ?? "" == chart.summary)
        #expect(reader.attributes["width"] == "\(Int(chart.extent.width))px" && reader.attributes["role"] == "img")
        #expect(reader.attributes["viewBox"] == "0 0 \(Int(chart.extent.width)) \(Int(chart.extent.height))")
    }

    @Test(arguments: samples.indices)
    func pngHasTwoElementsAPixelUnlessItIsVeryLarge(_ index: Int) throws {
        let chart = samples[index].chart
        let scale = max(chart.extent.width, chart.extent.height) > 2800 ? 1 : 2
        let png = try chart.png()
        #expect(png.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]))
        func number(_ offset: Int) -> Int { png[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
        #expect(number(16) == Int(chart.extent.width) * scale && number(20) == Int(chart.extent.height) * scale)
    }

    /// Decoded by another program: bars are as high as their values.
    @Test func barsAreAsHighAsTheirValues() throws {
        let folder = try TemporaryDirectory()
        let chart = Chart(
            title: "", vertical: Axis("", range: 0...100),
            content: .bars(Bars(labels: ["a", "b"], series: [.init("", [100, 25])])))
        try chart.write(to: folder.path("bars.png"))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["ffmpeg", "-v", "error", "-i", folder.path("bars.png"), "-f", "rawvideo", "-pix_fmt", "rgb24", folder.path("bars.raw")]
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        let pixels = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path("bars.raw"))))
        let width = Int(chart.extent.width) * 2
        let height = Int(chart.extent.height) * 2
        try #require(pixels.count == width * height * 3)
        // The first style's blue, rounded to bytes.
        func isBar(_ x: Int, _ y: Int) -> Bool { Array(pixels[(y * width + x) * 3..<(y * width + x) * 3 + 3]) == [0, 114, 178] }
        func barHeight(_ x: Int) -> Int { (0..<height).count { isBar(x, $0) } }
        let (high, low) = (barHeight(width / 3), barHeight(width * 3 / 4))
        #expect(high > height / 2 && abs(high - 4 * low) <= 12, "\(high) and \(low)")
    }

    /// In gray, neighbors differ in lightness or in hatch.
    @Test func stylesDifferWithoutColor() {
        for index in 0..<8 {
            for other in 0..<index {
                let (one, two) = (SeriesStyle.at(index), SeriesStyle.at(other))
                #expect(
                    abs(one.color.lightness - two.color.lightness) > 0.1 || one.hatch != two.hatch, "bars \(other) and \(index)")
                #expect(one.dash != two.dash, "lines \(other) and \(index)")
            }
        }
    }

    /// Markers alone, and dashes or fillings of many runs.
    @Test func manyStylesDifferWithoutColor() {
        let groups = (0..<GroupStyle.distinctCount).map { GroupStyle.at($0) }
        #expect(groups.count == 21 && Set(groups.map { "\($0.marker) \($0.filling)" }).count == 21)
        let runs = (0..<24).map { SeriesStyle.at($0) }
        #expect(Set(runs.map { "\($0.dash) \($0.filling)" }).count == 24)
        #expect(Set(runs.map { "\($0.color)" }).count == 24)
    }

    @Test func shadesGetDarker() {
        let lightness = (0...64).map { Color.shade(Double($0) / 64).lightness }
        #expect(zip(lightness, lightness.dropFirst()).allSatisfy { $0 > $1 })
    }

    @Test(arguments: oddCharts())
    func oddChartsAreDrawnToo(_ chart: Chart) throws {
        #expect(try !chart.png().isEmpty)
        #expect(XMLParser(data: Data(try chart.svg())).parse())
    }

    @Test func otherEndingsAreRefused() throws {
        let folder = try TemporaryDirectory()
        #expect(throws: ChartError(path: folder.path("a.pdf"), problem: .unknownForm(ending: ".pdf"))) {
            try samples[0].chart.write(to: folder.path("a.pdf"))
        }
        #expect(ChartError(path: "a.pdf", problem: .unknownForm(ending: ".pdf")).description == "a.pdf: charts are written as .svg or .png, not as '.pdf'.")
        #expect(throws: ChartError.self) { try samples[0].chart.write(to: "/nowhere/at/all.svg") }
    }
}

@Suite struct TickTests {
    @Test(arguments: [
        (0.0, 100.0, 5, ["0", "20", "40", "60", "80", "100"]), (0, 1, 5, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 70, 6, ["0", "20", "40", "60"]), (-3, 3, 6, ["-3", "-2", "-1", "0", "1", "2", "3"]),
        (0, 0.05, 5, ["0.00", "0.01", "0.02", "0.03", "0.04", "0.05"]), (0, 25_000, 5, ["0", "5,000", "10,000", "15,000", "20,000", "25,000"]),
        (98, 102, 4, ["98", "99", "100", "101", "102"]),
    ])
    func areRound(_ low: Double, _ high: Double, _ count: Int, _ labels: [String]) {
        #expect(Ticks(low...high, count: count).labels == labels)
    }

    @Test func wholeAxesHaveWholeTicks() {
        #expect(Ticks(0...2, count: 6, isWhole: true).labels == ["0", "1", "2"])
        #expect(Ticks.rounded(0...3, count: 6, isWhole: true) == 0...3)
    }

    @Test func rangesGrowToTicks() {
        #expect(Ticks.rounded(0...268, count: 6) == 0...300)
        #expect(Ticks.rounded(-0.4...7.2, count: 4) == -2...8)
        #expect(Ticks.rounded(0...0, count: 6) == 0...1)
    }
}
