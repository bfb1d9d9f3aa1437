/// Red, green and blue in `0...1`.
package struct Colour: Equatable {
    package var red, green, blue: Double

    init(_ red: Double, _ green: Double, _ blue: Double) {
        self.red = red
        self.green = green
        self.blue = blue
    }

    init(grey: Double) { self.init(grey, grey, grey) }

    static let white = Colour(grey: 1)
    static let ink = Colour(grey: 0.13)
    static let grid = Colour(grey: 0.87)

    /// `share` of the way to another colour.
    func mixed(with other: Colour, _ share: Double) -> Colour {
        func mix(_ from: Double, _ to: Double) -> Double { from + (to - from) * share }
        return Colour(mix(red, other.red), mix(green, other.green), mix(blue, other.blue))
    }

    /// Relative luminance, near enough for choosing black or white writing.
    package var lightness: Double { 0.2126 * red + 0.7152 * green + 0.0722 * blue }

    /// From white over blue to near black: ever darker, so it reads the same in grey.
    package static func shade(_ share: Double) -> Colour {
        let stops = [white, Colour(0.62, 0.79, 0.88), Colour(0.19, 0.51, 0.74), Colour(0.03, 0.19, 0.42)]
        let place = min(max(share, 0), 1) * Double(stops.count - 1)
        let index = min(Int(place), stops.count - 2)
        return stops[index].mixed(with: stops[index + 1], place - Double(index))
    }
}

package enum Hatch: Equatable {
    case none, rising, falling, crossed, level
}

package enum Marker: CaseIterable, Equatable {
    case circle, square, triangle, diamond, cross
}

/// What sets a series apart. The colours are those of Okabe and Ito (2008), safe for colour-blind eyes,
/// in an order that alternates dark and light.
package struct SeriesStyle: Equatable {
    package let colour: Colour
    package let hatch: Hatch
    /// Lengths of strokes and gaps; empty for an unbroken line.
    package let dash: [Double]
    package let marker: Marker

    package static func at(_ index: Int) -> SeriesStyle { all[index % all.count] }

    private static let all = [
        SeriesStyle(colour: Colour(0, 0.447, 0.698), hatch: .none, dash: [], marker: .circle),
        SeriesStyle(colour: Colour(0.902, 0.624, 0), hatch: .rising, dash: [7, 3], marker: .square),
        SeriesStyle(colour: Colour(0, 0.35, 0.27), hatch: .crossed, dash: [2, 2], marker: .triangle),
        SeriesStyle(colour: Colour(0.337, 0.706, 0.914), hatch: .falling, dash: [9, 3, 2, 3], marker: .diamond),
        SeriesStyle(colour: Colour(0.6, 0.2, 0), hatch: .level, dash: [12, 4], marker: .cross),
        SeriesStyle(colour: Colour(0.8, 0.475, 0.655), hatch: .level, dash: [4, 4], marker: .circle),
        SeriesStyle(colour: Colour(grey: 0.2), hatch: .none, dash: [1, 3], marker: .square),
        SeriesStyle(colour: Colour(0.85, 0.8, 0.2), hatch: .crossed, dash: [6, 2, 1, 2, 1, 2], marker: .triangle),
    ]
}
