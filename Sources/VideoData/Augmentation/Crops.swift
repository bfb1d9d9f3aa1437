import Tensors

/// A rectangle of a frame, in pixels from its upper left corner.
package struct CropBox: Sendable, Hashable {
    package var left: Int
    package var top: Int
    package var width: Int
    package var height: Int

    package init(left: Int, top: Int, width: Int, height: Int) {
        self.left = left
        self.top = top
        self.width = width
        self.height = height
    }

    /// The square of `side` pixels in the middle of a frame.
    package static func center(side: Int, of frame: FrameSize) -> CropBox {
        CropBox(left: (frame.width - side) / 2, top: (frame.height - side) / 2, width: side, height: side)
    }

    /// Three squares along the longer side of a frame whose shorter side is `side`: first, last, middle.
    package static func three(side: Int, of frame: FrameSize) -> [CropBox] {
        let stepX = (frame.width - side) / 2
        let stepY = (frame.height - side) / 2
        return [0, 2, 1].map { CropBox(left: $0 * stepX, top: $0 * stepY, width: side, height: side) }
    }
}

/// A random crop of the training view, later stretched to a square.
///
/// Width and height are drawn together among `scales` × the shorter side, at most one step of the list
/// apart; a side within 2 pixels of the target becomes the target. The place is one of the four corners
/// of a grid of quarters, or its middle. Source: mmaction's MultiScaleCrop (methods 1.6).
package struct MultiScaleCrop: Sendable, Equatable {
    /// Shares of the shorter side, in `0 ... 1`, not empty.
    package var scales: [Double]
    /// Side of the square that the crop will be stretched to.
    package var side: Int

    package init(scales: [Double], side: Int) {
        precondition(!scales.isEmpty, "a crop needs a scale")
        self.scales = scales
        self.side = side
    }

    package func box(in frame: FrameSize, using random: inout RandomSource) -> CropBox {
        let base = min(frame.width, frame.height)
        let lengths = scales.map { max(1, Int(Double(base) * $0)) }
        var pairs: [FrameSize] = []
        for (row, height) in lengths.enumerated() {
            for (column, width) in lengths.enumerated() where abs(row - column) <= 1 {
                pairs.append(FrameSize(width: width, height: height))
            }
        }
        let drawn = pairs[random.integer(below: pairs.count)]
        let width = settled(drawn.width, limit: frame.width)
        let height = settled(drawn.height, limit: frame.height)

        let stepX = (frame.width - width) / 4
        let stepY = (frame.height - height) / 4
        let places = [(0, 0), (4, 0), (0, 4), (4, 4), (2, 2)]
        let place = places[random.integer(below: places.count)]
        return CropBox(left: place.0 * stepX, top: place.1 * stepY, width: width, height: height)
    }

    private func settled(_ length: Int, limit: Int) -> Int {
        min(abs(length - side) < 3 ? side : length, limit)
    }
}
