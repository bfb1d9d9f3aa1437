/// Finds all pieces that a text goes on with.
struct PieceTrie: Sendable {
    /// By node and byte; node 0 is the root.
    private var children: [UInt64: Int32] = [:]
    /// Of each node: what was stored there, -1 where a piece only goes through.
    private var values: [Int32] = [-1]

    var isEmpty: Bool { values.count == 1 }

    /// Stores `value` for a piece, in the place of what was there.
    mutating func insert(_ piece: some Sequence<UInt8>, value: Int) {
        var node: Int32 = 0
        for byte in piece {
            let key = Self.key(node, byte)
            if let next = children[key] {
                node = next
            } else {
                let next = Int32(values.count)
                children[key] = next
                values.append(-1)
                node = next
            }
        }
        values[Int(node)] = Int32(value)
    }

    private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 { UInt64(UInt32(node)) << 8 | UInt64(byte) }

    /// Calls `body` with the end and the value of each piece that begins at `start`, the shortest first.
    func forEachPiece(in text: [UInt8], at start: Int, _ body: (_ end: Int, _ value: Int) -> Void) {
        var node: Int32 = 0
        var position = start
        while position < text.count, let next = children[Self.key(node, text[position])] {
            node = next
            position += 1
            let value = values[Int(node)]
            if value >= 0 { body(position, Int(value)) }
        }
    }

    /// The longest piece that begins at `start`.
    func longest(in text: [UInt8], at start: Int) -> (end: Int, value: Int)? {
        var result: (end: Int, value: Int)?
        forEachPiece(in: text, at: start) { result = ($0, $1) }
        return result
    }
}

/// How many bytes the character takes whose first byte is `byte`.
func characterLength(startingWith byte: UInt8) -> Int {
    switch byte {
    case 0..<0xC0: 1
    case 0xC0..<0xE0: 2
    case 0xE0..<0xF0: 3
    default: 4
    }
}
