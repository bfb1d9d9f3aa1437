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
}
