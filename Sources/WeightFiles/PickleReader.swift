/// Reads a pickle as `torch.save` and `torch.jit.save` write it (protocol 2), without any way to run
/// what it names.
///
/// The opcodes are those that these two write; others are refused. A few names are understood
/// (`PickleReader+Calls`), the rest become `opaque`. Limits bound time and memory.
struct PickleReader {
    typealias Reference = PickleValues.Reference
    typealias Fault = WeightFileError.PickleFault

    var values: PickleValues
    private let bytes: [UInt8]
    private var position = 0
    private var stack: [Reference] = []
    /// Heights of the stack.
    private var marks: [Int] = []
    private var memo: [Reference] = []
    private var protocolNumber = 2

    static let byteLimit = 64 << 20
    static let instructionLimit = 10_000_000
    static let memoLimit = 1_000_000
    static let stackLimit = 2_000_000
    static let globalLimit = 1024

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
        values = PickleValues(bytes: bytes)
    }

    /// - Parameter entry: data.pkl or constants.pkl, for messages.
    static func read(
        _ bytes: [UInt8], entry: String, path: String
    ) throws(WeightFileError) -> (root: Reference, values: PickleValues) {
        var reader = PickleReader(bytes)
        do {
            let root = try reader.run()
            return (root, reader.values)
        } catch {
            throw WeightFileError(path: path, problem: .pickle(entry: entry, offset: reader.position, fault: error))
        }
    }

    private mutating func run() throws(Fault) -> Reference {
        guard bytes.count >= 2, bytes[0] == 0x80 else {
            position = 0
            throw bytes.isEmpty ? .endsTooSoon : .instruction(bytes[0])
        }
        protocolNumber = Int(bytes[1])
        guard protocolNumber >= 2, protocolNumber <= 5 else { throw .protocol(protocolNumber) }
        position = 2
        var count = 0
        while true {
            count += 1
            guard count <= Self.instructionLimit else {
                throw .limit(what: "instructions", limit: Self.instructionLimit)
            }
            let start = position
            let code = try byte()
            if code == 0x2E { break }
            do {
                try step(code)
            } catch {
                // The place of the instruction tells more than where its operands end.
                position = start
                // A later protocol is not an attack; only names of attacks are worse.
                if case .alarm = error { throw error }
                throw protocolNumber > 2 ? .protocol(protocolNumber) : error
            }
        }
        guard protocolNumber == 2 else { throw .protocol(protocolNumber) }
        guard position == bytes.count else { throw .bytesAfterEnd(count: bytes.count - position) }
        guard stack.count == 1, marks.isEmpty else { throw .leftOver(count: stack.count + marks.count) }
        try values.checkKeys()
        return stack[0]
    }

    // Opcodes by their characters in Python's pickletools.
    private mutating func step(_ code: UInt8) throws(Fault) {
        switch code {
        case 0x28:  // ( MARK
            guard marks.count < PickleValues.depthLimit else {
                throw .limit(what: "values inside each other", limit: PickleValues.depthLimit)
            }
            marks.append(stack.count)
        case 0x4E: try push(PickleValues.none)  // N
        case 0x88: try push(2)  // NEWTRUE
        case 0x89: try push(1)  // NEWFALSE
        case 0x4A: try push(values.add(Int(Int32(truncatingIfNeeded: try number(4)))))  // J BININT
        case 0x4B: try push(values.add(Int(try number(1))))  // K BININT1
        case 0x4D: try push(values.add(Int(try number(2))))  // M BININT2
        case 0x8A: try pushLong()  // LONG1
        case 0x47: try push(values.add(.real(try real())))  // G BINFLOAT
        case 0x58: try pushText(byteCount: Int(try number(4)))  // X BINUNICODE
        case 0x55: try pushText(byteCount: Int(try number(1)), isByteString: true)  // U SHORT_BINSTRING
        case 0x54: try pushText(byteCount: Int(try number(4)), isByteString: true)  // T BINSTRING, of Python 2
        case 0x7D: try push(values.addContainer(PickleValues.Value.dictionary))  // } EMPTY_DICT
        case 0x5D: try push(values.addContainer(PickleValues.Value.list))  // ] EMPTY_LIST
        case 0x8F: try push(values.add(.opaque(try values.addName("builtins.set"))))  // EMPTY_SET
        case 0x29: try push(values.addTuple([]))  // ) EMPTY_TUPLE
        case 0x74:  // t TUPLE
            let items = try popToMark()
            try push(values.addTuple(items))
        case 0x85, 0x86, 0x87:  // TUPLE1-3
            let items = try pop(Int(code) - 0x84)
            try push(values.addTuple(items))
        case 0x61:  // a APPEND
            let items = try pop(1)
            try append(items)
        case 0x65:  // e APPENDS
            let items = try popToMark()
            try append(items)
        case 0x73:  // s SETITEM
            let items = try pop(2)
            try setItems(items)
        case 0x75:  // u SETITEMS
            let items = try popToMark()
            try setItems(items)
        case 0x71: try remember(Int(try number(1)))  // q BINPUT
        case 0x72: try remember(Int(try number(4)))  // r LONG_BINPUT
        case 0x68: try recall(Int(try number(1)))  // h BINGET
        case 0x6A: try recall(Int(try number(4)))  // j LONG_BINGET
        case 0x63: try push(global(module: try line(), name: try line()))  // c GLOBAL
        case 0x52:  // R REDUCE
            let operands = try pop(2)
            try push(call(operands[operands.startIndex], with: operands[operands.startIndex + 1]))
        case 0x81:  // NEWOBJ
            let operands = try pop(2)
            try push(new(operands[operands.startIndex], with: operands[operands.startIndex + 1]))
        case 0x62:  // b BUILD
            let state = try pop(1)
            try build(try top(), state: state[state.startIndex])
        case 0x51:  // Q BINPERSID
            let identifier = try pop(1)
            try push(storage(identifier[identifier.startIndex]))
        default: try stepOfLaterProtocol(code)
        }
    }

    /// Just enough of protocol 4 to say what such a file names.
    private mutating func stepOfLaterProtocol(_ code: UInt8) throws(Fault) {
        guard protocolNumber > 2 else { throw .instruction(code) }
        switch code {
        case 0x95: _ = try number(8)  // FRAME
        case 0x94: try remember(memo.count)  // MEMOIZE
        case 0x8C: try pushText(byteCount: Int(try number(1)))  // SHORT_BINUNICODE
        case 0x93:  // STACK_GLOBAL
            let operands = try pop(2)
            guard let module = values.text(operands[operands.startIndex]),
                let name = values.text(operands[operands.startIndex + 1])
            else { throw .wrongValue(needed: "the name of a class") }
            try push(global(module: module, name: name))
        default: throw .instruction(code)
        }
    }

    // MARK: Operands

    private mutating func byte() throws(Fault) -> UInt8 {
        guard position < bytes.count else { throw .endsTooSoon }
        position += 1
        return bytes[position - 1]
    }

    private mutating func number(_ byteCount: Int) throws(Fault) -> UInt64 {
        guard bytes.count - position >= byteCount else { throw .endsTooSoon }
        position += byteCount
        return bytes.value(at: position - byteCount, byteCount: byteCount)
    }

    private mutating func real() throws(Fault) -> Double {
        Double(bitPattern: try number(8).byteSwapped)
    }

    /// Two's complement of at most 255 bytes. States of random generators are long; sizes fit 64 bits.
    private mutating func pushLong() throws(Fault) {
        let byteCount = Int(try number(1))
        guard bytes.count - position >= byteCount else { throw .endsTooSoon }
        let digits = bytes[position..<position + byteCount]
        position += byteCount
        let isNegative = digits.last.map { $0 & 0x80 != 0 } ?? false
        let filler: UInt8 = isNegative ? 0xFF : 0
        var pattern = isNegative ? UInt64.max : 0
        for digit in digits.prefix(8).reversed() { pattern = pattern << 8 | UInt64(digit) }
        let value = Int(Int64(bitPattern: pattern))
        let fits = digits.dropFirst(8).allSatisfy { $0 == filler } && (value < 0) == isNegative
        try push(fits ? values.add(value) : values.add(.largeInteger))
    }

    private mutating func pushText(byteCount: Int, isByteString: Bool = false) throws(Fault) {
        guard bytes.count - position >= byteCount else { throw .endsTooSoon }
        let isValid = unsafe bytes[position..<position + byteCount].withUnsafeBufferPointer {
            unsafe $0.allSatisfy { $0 < 0x80 } || String(validating: $0, as: UTF8.self) != nil
        }
        guard isValid || isByteString else { throw .notUTF8 }
        let start = Int32(position)
        position += byteCount
        try push(values.add(isValid ? .text(start: start, byteCount: Int32(byteCount)) : .bytes))
    }

    private mutating func line() throws(Fault) -> String {
        let start = position
        while position < bytes.count, bytes[position] != 0x0A {
            position += 1
            guard position - start <= Self.globalLimit else {
                throw .limit(what: "bytes in a name", limit: Self.globalLimit)
            }
        }
        guard position < bytes.count else { throw .endsTooSoon }
        position += 1
        guard let text = String(validating: bytes[start..<position - 1], as: UTF8.self) else { throw .notUTF8 }
        return text
    }

    // MARK: Stack and memo

    private mutating func push(_ reference: Reference) throws(Fault) {
        guard stack.count < Self.stackLimit else { throw .limit(what: "values at once", limit: Self.stackLimit) }
        stack.append(reference)
    }

    /// The last `count` values, none of them before a mark.
    private mutating func pop(_ count: Int) throws(Fault) -> ArraySlice<Reference> {
        guard stack.count - count >= marks.last ?? 0 else { throw .emptyStack }
        let items = ArraySlice(Array(stack.suffix(count)))
        stack.removeLast(count)
        return items
    }

    private mutating func popToMark() throws(Fault) -> ArraySlice<Reference> {
        guard let mark = marks.popLast() else { throw .noMark }
        let items = ArraySlice(Array(stack[mark...]))
        stack.removeLast(stack.count - mark)
        return items
    }

    private func top() throws(Fault) -> Reference {
        guard stack.count > marks.last ?? 0, let top = stack.last else { throw .emptyStack }
        return top
    }

    private mutating func remember(_ index: Int) throws(Fault) {
        guard index < Self.memoLimit else { throw .limit(what: "remembered values", limit: Self.memoLimit) }
        let value = try top()
        if index >= memo.count { memo += [Reference](repeating: -1, count: index + 1 - memo.count) }
        memo[index] = value
    }

    private mutating func recall(_ index: Int) throws(Fault) {
        guard index < memo.count, memo[index] >= 0 else { throw .undefinedMemo(index) }
        try push(memo[index])
    }

    // MARK: Containers

    private mutating func append(_ items: ArraySlice<Reference>) throws(Fault) {
        let owner = try top()
        switch values[owner] {
        case .list(let container):
            for item in items { try values.append(item, to: container, of: owner) }
        case .opaque: break
        case .tensor: throw .onTensor(instruction: "APPEND")
        default: throw .wrongValue(needed: "a list")
        }
    }

    private mutating func setItems(_ items: ArraySlice<Reference>) throws(Fault) {
        let owner = try top()
        guard items.count.isMultiple(of: 2) else { throw .wrongValue(needed: "a value for each key") }
        let keys = stride(from: items.startIndex, to: items.endIndex, by: 2)
        // A class of somebody's own that holds tensors by name is a dictionary, as far as these go.
        if case .opaque = values[owner], keys.contains(where: { values.isNamedTensor(key: items[$0], value: items[$0 + 1]) }) {
            try values.makeDictionary(owner)
        }
        switch values[owner] {
        case .dictionary(let container):
            for index in keys { try values.append(items[index + 1], key: items[index], to: container, of: owner) }
        case .opaque: break
        case .tensor: throw .onTensor(instruction: "SETITEM")
        default: throw .wrongValue(needed: "a dictionary")
        }
    }
}
