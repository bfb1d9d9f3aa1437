import Files
import Foundation

extension Chart {
    /// Picture elements for one CSS pixel of a PNG, so that it stays sharp in print; one for very large charts.
    private static func pngScale(_ extent: (width: Double, height: Double)) -> Double {
        max(extent.width, extent.height) > 2800 ? 1 : 2
    }

    /// cairo draws pictures up to 32,767 pixels a side.
    private static let pngLimit = 30_000.0

    /// An SVG document, UTF-8, with letters as outlines: it looks the same without its font.
    package func svg() throws(ChartError) -> [UInt8] {
        let bytes = try drawn(.svg)
        return Self.finished(String(decoding: bytes, as: UTF8.self), title: title, summary: summary)
    }

    /// A PNG of two picture elements a CSS pixel, or one where the chart is very large.
    package func png() throws(ChartError) -> [UInt8] {
        let extent = extent
        let scale = Self.pngScale(extent)
        guard max(extent.width, extent.height) * scale <= Self.pngLimit else {
            throw ChartError(
                path: title, problem: .tooLarge(width: Int(extent.width * scale), height: Int(extent.height * scale)))
        }
        return try drawn(.pixels(scale: scale))
    }

    /// Writes the chart in the form that the path's ending names, whole or not at all.
    package func write(to path: String) throws(ChartError) {
        let name = path.lastPathComponent
        let ending = name.lastIndex(of: ".").map { name[$0...].lowercased() } ?? ""
        let bytes: [UInt8]
        switch ending {
        case ".svg": bytes = try svg()
        case ".png": bytes = try png()
        default: throw ChartError(path: path, problem: .unknownForm(ending: ending))
        }
        do {
            try DurableFile.write(PictureMark.marked(bytes, path: path), to: path)
        } catch {
            throw ChartError(path: path, problem: .file(error))
        }
    }

    /// Whether `write(to:)` knows the ending.
    package static func canWrite(to path: String) -> Bool {
        path.lowercased().hasSuffix(".svg") || path.lowercased().hasSuffix(".png")
    }

    private func drawn(_ kind: Canvas.Kind) throws(ChartError) -> [UInt8] {
        let extent = extent
        let canvas = Canvas(width: extent.width, height: extent.height, kind: kind)
        Painter(chart: self, canvas: canvas, width: extent.width, height: extent.height).draw()
        do throws(Canvas.DrawingFailure) {
            return try canvas.finish()
        } catch {
            throw ChartError(path: title, problem: .drawing(reason: error.reason))
        }
    }

    /// Width and height in CSS pixels: wider for more names: 400 classes are all named.
    package var extent: (width: Double, height: Double) {
        switch content {
        case .bars(let bars):
            let slots = Double(bars.labels.count * (bars.labels.count > 12 ? 1 : max(1, bars.series.count)))
            let longest = bars.labels.map(\.count).max() ?? 0
            let width = min(4800, max(640, 90 + slots * 11.5))
            return (width.rounded(), (min(640, max(400, width * 0.2)) + min(Painter.nameLimit, Double(longest) * 6)).rounded())
        case .lines, .scatter:
            return (760, 480)
        case .groups(let groups):
            return (Painter.groupsWidth, Painter.groupsHeight(groups))
        case .lanes(let lanes):
            return Painter.laneExtent(lanes)
        case .heatMap(let map):
            let longest = Double(max(map.rowLabels.map(\.count).max() ?? 0, map.columnLabels.map(\.count).max() ?? 0))
            let names = min(Painter.nameLimit, longest * 6)
            func cells(_ count: Int) -> Double { min(4700, max(240, Double(count) * (count <= 30 ? 24 : 11.5))) }
            return (
                (160 + names + cells(map.columnLabels.count)).rounded(), (110 + names + cells(map.rowLabels.count)).rounded()
            )
        }
    }

    /// cairo numbers surfaces over the life of the process, and knows no titles.
    private static func finished(_ svg: String, title: String, summary: String) -> [UInt8] {
        var text = svg
        if let start = text.range(of: "<g id=\"surface"), let end = text[start.upperBound...].firstIndex(of: "\"") {
            text.replaceSubrange(start.lowerBound...end, with: "<g id=\"chart\"")
        }
        guard let root = text.range(of: "<svg "), let end = text[root.upperBound...].firstIndex(of: ">") else {
            return Array(text.utf8)
        }
        let head = "\n<title id=\"title\">\(escaped(title))</title>\n<desc id=\"desc\">\(escaped(summary))</desc>"
        text.insert(contentsOf: head, at: text.index(after: end))
        text.insert(contentsOf: "role=\"img\" aria-labelledby=\"title desc\" ", at: root.upperBound)
        return Array(text.utf8)
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.escapedForDisplay {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            default: result.append(character)
            }
        }
        return result
    }
}
