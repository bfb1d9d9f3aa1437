/// Red, green and blue in `0...1`.
package struct Color: Equatable {
    package var red, green, blue: Double

    package init(_ red: Double, _ green: Double, _ blue: Double) {
        self.red = red
        self.green = green
        self.blue = blue
    }

    init(gray: Double) { self.init(gray, gray, gray) }

    static let white = Color(gray: 1)
    static let ink = Color(gray: 0.13)
    static let grid = Color(gray: 0.87)

    /// `share` of the way to another color.
    func mixed(with other: Color, _ share: Double) -> Color {
        func mix(_ from: Double, _ to: Double) -> Double { from + (to - from) * share }
        return Color(mix(red, other.red), mix(green, other.green), mix(blue, other.blue))
    }

    /// Any number of colors, neighbors far apart in hue and one light, one dark.
    static func spread(_ index: Int) -> Color {
        // Steps of the golden ratio around the circle of hues never come back to where they were.
        let hue = (Double(index) * 0.618034).truncatingRemainder(dividingBy: 1) * 6
        let value = index % 2 == 0 ? 0.85 : 0.5
        func channel(_ offset: Double) -> Double {
            let place = (hue + offset).truncatingRemainder(dividingBy: 6)
            return value * (1 - 0.85 * min(max(min(place, 4 - place), 0), 1))
        }
        return Color(channel(5), channel(3), channel(1))
    }

    /// Relative luminance, near enough for choosing black or white writing.
    package var lightness: Double { 0.2126 * red + 0.7152 * green + 0.0722 * blue }

    /// From white over blue to near black: ever darker, so it reads the same in gray.
    package static func shade(_ share: Double) -> Color {
        let stops = [white, Color(0.62, 0.79, 0.88), Color(0.19, 0.51, 0.74), Color(0.03, 0.19, 0.42)]
        let place = min(max(share, 0), 1) * Double(stops.count - 1)
        let index = min(Int(place), stops.count - 2)
        return stops[index].mixed(with: stops[index + 1], place - Double(index))
    }
}

package enum Hatch: Equatable {
    case none, rising, falling, crossed, level
}

package enum Marker: CaseIterable, Equatable {
    case circle, square, triangle, diamond, cross, tip, plus
}

/// How the inside of a marker looks; of crosses, how thick they are and whether a ring is around them.
package enum Filling: CaseIterable, Equatable {
    case solid, hollow, dotted
}

/// What sets a series apart. The colors are those of Okabe and Ito (2008), safe for color-blind eyes,
/// in an order that alternates dark and light.
package struct SeriesStyle: Equatable {
    package private(set) var color: Color
    package let hatch: Hatch
    /// Lengths of strokes and gaps; empty for an unbroken line.
    package let dash: [Double]
    package let marker: Marker
    package var filling = Filling.solid

    /// From the ninth series on colors are new and markers are hollow, then dotted, so that 24 series differ.
    package static func at(_ index: Int) -> SeriesStyle {
        var style = all[index % all.count]
        guard index >= all.count else { return style }
        style.color = .spread(index)
        style.filling = Filling.allCases[index / all.count % Filling.allCases.count]
        return style
    }

    private static let all = [
        SeriesStyle(color: Color(0, 0.447, 0.698), hatch: .none, dash: [], marker: .circle),
        SeriesStyle(color: Color(0.902, 0.624, 0), hatch: .rising, dash: [7, 3], marker: .square),
        SeriesStyle(color: Color(0, 0.35, 0.27), hatch: .crossed, dash: [2, 2], marker: .triangle),
        SeriesStyle(color: Color(0.337, 0.706, 0.914), hatch: .falling, dash: [9, 3, 2, 3], marker: .diamond),
        SeriesStyle(color: Color(0.6, 0.2, 0), hatch: .level, dash: [12, 4], marker: .cross),
        SeriesStyle(color: Color(0.8, 0.475, 0.655), hatch: .level, dash: [4, 4], marker: .circle),
        SeriesStyle(color: Color(gray: 0.2), hatch: .none, dash: [1, 3], marker: .square),
        SeriesStyle(color: Color(0.85, 0.8, 0.2), hatch: .crossed, dash: [6, 2, 1, 2, 1, 2], marker: .triangle),
    ]
}

/// What sets a group of points apart: 21 differ by marker alone.
package struct GroupStyle: Equatable {
    package let color: Color
    package let marker: Marker
    package let filling: Filling

    /// Groups that markers tell apart.
    package static var distinctCount: Int { Marker.allCases.count * Filling.allCases.count }

    package static func at(_ index: Int) -> GroupStyle {
        let round = index / Marker.allCases.count
        return GroupStyle(
            color: index < 5 ? SeriesStyle.at(index).color : .spread(index), marker: Marker.allCases[index % Marker.allCases.count],
            filling: Filling.allCases[round % Filling.allCases.count])
    }
}
