/// The part of a picture that is looked at: a fixed camera's door, court or bench.
///
/// Counted in the picture as it is shown: turned, in its first frame's size.
package struct ViewedRegion: Sendable, Equatable, Codable {
    /// A place along one side of a picture.
    package enum Length: Sendable, Equatable, Codable {
        case pixels(Int)
        /// Of the picture's width or height, `0...100`.
        case percent(Double)

        func pixels(of side: Int) -> Double {
            switch self {
            case .pixels(let count): Double(count)
            case .percent(let share): share / 100 * Double(side)
            }
        }

        fileprivate init?(_ text: Substring) {
            let text = text.drop { $0 == " " }
            if text.last == "%" {
                let digits = text.dropLast()
                guard digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let share = Double(digits), (0...100).contains(share) else { return nil }
                self = .percent(share)
            } else {
                // No picture is larger: sums of two stay far from overflow.
                guard text.allSatisfy({ $0.isASCII && $0.isNumber }), let count = Int(text), count <= 1 << 30 else { return nil }
                self = .pixels(count)
            }
        }

        fileprivate var text: String {
            switch self {
            case .pixels(let count): "\(count)"
            case .percent(let share): share == share.rounded() ? "\(Int(share))%" : "\(share)%"
            }
        }

        fileprivate var isZero: Bool { self == .pixels(0) || self == .percent(0) }
    }

    package let left: Length
    package let top: Length
    package let width: Length
    package let height: Length

    package static let form = "x,y,w,h in pixels or percent, such as 320,180,640,360 or 25%,25%,50%,50%"

    /// - Parameter text: `x,y,w,h` from the upper left corner, each in pixels or with `%`; nil where it is nothing of the
    ///   kind, or holds no pixel.
    package init?(_ text: String) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).compactMap { Length($0) }
        guard text.count(where: { $0 == "," }) == 3, parts.count == 4, !parts[2].isZero, !parts[3].isZero else { return nil }
        (left, top, width, height) = (parts[0], parts[1], parts[2], parts[3])
    }

    /// As `init` reads it.
    package var text: String { [left, top, width, height].map(\.text).joined(separator: ",") }

    /// Where the region is in a picture. Edges of shares are rounded to whole pixels, so that neighbors meet.
    ///
    /// - Throws: `VideoError` where the region reaches out of the picture, or is less than a pixel of it.
    func box(in size: FrameSize, of path: String) throws(VideoError) -> CropBox {
        func edges(_ start: Length, _ length: Length, _ side: Int) -> (start: Int, length: Int) {
            let (first, last) = (start.pixels(of: side), start.pixels(of: side) + length.pixels(of: side))
            return (Int(first.rounded()), Int(last.rounded()) - Int(first.rounded()))
        }
        let across = edges(left, width, size.width)
        let down = edges(top, height, size.height)
        guard across.length > 0, down.length > 0, across.start + across.length <= size.width, down.start + down.length <= size.height else {
            throw VideoError(path: path, problem: .outsideOfPicture(region: text, width: size.width, height: size.height))
        }
        return CropBox(left: across.start, top: down.start, width: across.length, height: down.length)
    }
}
