/// How a decoded picture has to be turned to be shown: a quarter turn, mirrored or not.
struct Orientation: Equatable {
    /// Rows become columns. Applied with the flips, in output coordinates.
    var swapsAxes = false
    /// The output's column 0 is the input's last column (or row, with swapped axes).
    var reversesColumns = false
    var reversesRows = false

    static let upright = Orientation()

    enum MatrixError: Error, Equatable { case notQuarterTurn }

    init() {}

    /// Reads a display matrix: (x, y) is shown at (a·x + c·y, b·x + d·y), for `[a, b, _, c, d, _, …]`.
    ///
    /// Source: ISO/IEC 14496-12, 8.3.2 (track header).
    init(displayMatrix matrix: [Int32]) throws(MatrixError) {
        let a = Int(matrix[0])
        let b = Int(matrix[1])
        let c = Int(matrix[3])
        let d = Int(matrix[4])
        let straight = abs(a) + abs(d)
        let crossed = abs(b) + abs(c)
        guard straight != crossed, min(straight, crossed) * 50 < max(straight, crossed) else { throw .notQuarterTurn }
        swapsAxes = crossed > straight
        reversesColumns = (swapsAxes ? c : a) < 0
        reversesRows = (swapsAxes ? b : d) < 0
    }

    /// Clockwise quarter turns, `0...3`; for a mirrored picture those besides the mirroring of columns.
    var quarterTurns: Int {
        (swapsAxes ? 1 : 0) + (reversesRows ? 2 : 0)
    }

    /// Turns a picture.
    ///
    /// - Parameter pixels: `[height, width, 3]`.
    func applied(to frame: VideoFrame) -> VideoFrame {
        guard self != .upright else { return frame }
        let width = swapsAxes ? frame.height : frame.width
        let height = swapsAxes ? frame.width : frame.height
        let columnStep = (swapsAxes ? frame.width : 1) * (reversesColumns ? -3 : 3)
        let rowStep = (swapsAxes ? 1 : frame.width) * (reversesRows ? -3 : 3)
        let start = (reversesColumns ? -columnStep * (width - 1) : 0) + (reversesRows ? -rowStep * (height - 1) : 0)
        let source = frame.pixels.span
        let pixels = [UInt8](capacity: width * height * 3) { output in
            for row in 0..<height {
                var offset = start + row * rowStep
                for _ in 0..<width {
                    output.append(source[offset])
                    output.append(source[offset + 1])
                    output.append(source[offset + 2])
                    offset += columnStep
                }
            }
        }
        return VideoFrame(width: width, height: height, pixels: pixels)
    }
}
