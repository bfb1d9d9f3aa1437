import Files

/// What a pickle holds, as plain records in arrays.
///
/// Values refer to each other by index: nothing is nested in memory, so nothing recurses when a
/// hostile chain is walked or freed. Text stays in the bytes of the pickle.
struct PickleValues {
    typealias Reference = Int32

    enum Value: Equatable {
        case none
        case bool(Bool)
        case integer(Int)
        /// A whole number beyond 64 bits, as random generators keep them; its value is not needed.
        case largeInteger
        case real(Double)
        /// A range of the pickle's bytes, valid UTF-8.
        case text(start: Int32, byteCount: Int32)
        case bytes
        /// A range of `elements`.
        case tuple(start: Int32, count: Int32)
        case list(container: Int32)
        case dictionary(container: Int32)
        /// An object of TorchScript's own: its attributes.
        case attributes(container: Int32)
        /// A class or function by its name: an index into `names`.
        case global(Int32)
        case storage(Int32)
        case tensor(Int32)
        /// Something of the class or function `names[index]` that nothing was made of.
        case opaque(Int32)
    }

    /// A list or dictionary: a chain of `cells`.
    struct Container {
        var first: Int32 = -1
        var last: Int32 = -1
        var count: Int32 = 0
    }

    struct Cell {
        /// -1 in lists.
        let key: Reference
        let value: Reference
        var next: Int32 = -1
    }

    struct Storage: Equatable {
        /// The name of its entry below `data/`: digits.
        let key: String
        /// nil for bytes that every tensor reads as its own type.
        let elementType: ElementType?
        let elementCount: Int
    }

    /// A tensor as it is declared; nothing is checked against its storage yet.
    struct Tensor {
        let storage: Int32
        let elementType: ElementType
        let offset: Int
        let shape: [Int]
        let strides: [Int]
    }

    let bytes: [UInt8]
    private(set) var values: [Value] = []
    /// How many containers deep each value was when it was last changed.
    private var depths: [UInt8] = []
    private(set) var elements: [Reference] = []
    private(set) var containers: [Container] = []
    private(set) var cells: [Cell] = []
    private(set) var names: [String] = []
    private(set) var storages: [Storage] = []
    private(set) var tensors: [Tensor] = []
    private var indexOfName: [Bytewise: Int32] = [:]
    private var indexOfStorage: [Bytewise: Int32] = [:]
    private var smallIntegers = [Reference](repeating: -1, count: 256)

    static let valueLimit = 1 << 20
    static let cellLimit = 1 << 21
    static let depthLimit = 100
    static let tensorLimit = 65_536
    static let nameLimit = 65_536

    typealias Fault = WeightFileError.PickleFault

    /// `none`, `false` and `true` are made once.
    static let none: Reference = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
        values = [.none, .bool(false), .bool(true)]
        depths = [0, 0, 0]
    }

    subscript(_ reference: Reference) -> Value { values[Int(reference)] }

    // MARK: Reading

    func text(_ reference: Reference) -> String? {
        guard case .text(let start, let byteCount) = self[reference] else { return nil }
        return String(decoding: bytes[Int(start)..<Int(start + byteCount)], as: UTF8.self)
    }

    func hasText(_ reference: Reference, _ expected: StaticString) -> Bool {
        guard case .text(let start, let byteCount) = self[reference] else { return false }
        return bytes[Int(start)..<Int(start + byteCount)].elementsEqual(expected.description.utf8)
    }

    func tuple(_ reference: Reference) -> ArraySlice<Reference>? {
        guard case .tuple(let start, let count) = self[reference] else { return nil }
        return elements[Int(start)..<Int(start + count)]
    }

    /// What is in a tuple or list.
    func items(_ reference: Reference) -> [Reference]? {
        switch self[reference] {
        case .tuple: return tuple(reference).map { Array($0) }
        case .list(let container): return items(ofContainer: container)
        default: return nil
        }
    }

    func items(ofContainer container: Int32) -> [Reference] {
        var result: [Reference] = []
        result.reserveCapacity(Int(containers[Int(container)].count))
        var next = containers[Int(container)].first
        while next >= 0 {
            result.append(cells[Int(next)].value)
            next = cells[Int(next)].next
        }
        return result
    }

    func isNamedTensor(key: Reference, value: Reference) -> Bool {
        guard case .text = self[key], case .tensor = self[value] else { return false }
        return true
    }

    /// A tuple of whole numbers that are not negative.
    func sizes(_ reference: Reference) -> [Int]? {
        guard let items = tuple(reference), items.count <= SafetensorsHeader.rankLimit else { return nil }
        var result: [Int] = []
        for item in items {
            guard case .integer(let value) = self[item], value >= 0 else { return nil }
            result.append(value)
        }
        return result
    }

    // MARK: Making

    mutating func add(_ value: Value, depth: UInt8 = 0) throws(Fault) -> Reference {
        guard values.count < Self.valueLimit else { throw .limit(what: "values", limit: Self.valueLimit) }
        values.append(value)
        depths.append(depth)
        return Reference(values.count - 1)
    }

    mutating func add(_ integer: Int) throws(Fault) -> Reference {
        guard integer >= 0, integer < smallIntegers.count else { return try add(.integer(integer)) }
        if smallIntegers[integer] < 0 { smallIntegers[integer] = try add(.integer(integer)) }
        return smallIntegers[integer]
    }

    mutating func addTuple(_ items: ArraySlice<Reference>) throws(Fault) -> Reference {
        guard elements.count + items.count <= Self.cellLimit else {
            throw .limit(what: "values in tuples", limit: Self.cellLimit)
        }
        var depth: UInt8 = 1
        for item in items { depth = max(depth, try depthAround(item)) }
        let start = Int32(elements.count)
        elements += items
        return try add(.tuple(start: start, count: Int32(items.count)), depth: depth)
    }

    /// One more than the depth of `item`.
    private func depthAround(_ item: Reference) throws(Fault) -> UInt8 {
        let depth = depths[Int(item)]
        guard depth < Self.depthLimit else { throw .limit(what: "values inside each other", limit: Self.depthLimit) }
        return depth + 1
    }

    mutating func addContainer(_ kind: (Int32) -> Value) throws(Fault) -> Reference {
        containers.append(Container())
        return try add(kind(Int32(containers.count - 1)), depth: 1)
    }

    mutating func append(_ value: Reference, key: Reference = -1, to container: Int32, of owner: Reference) throws(Fault) {
        guard cells.count < Self.cellLimit else { throw .limit(what: "values in containers", limit: Self.cellLimit) }
        // A container inside itself has no depth; whoever walks it takes care.
        if value != owner { depths[Int(owner)] = max(depths[Int(owner)], try depthAround(value)) }
        let index = Int32(cells.count)
        cells.append(Cell(key: key, value: value))
        if containers[Int(container)].last >= 0 {
            cells[Int(containers[Int(container)].last)].next = index
        } else {
            containers[Int(container)].first = index
        }
        containers[Int(container)].last = index
        containers[Int(container)].count += 1
    }

    mutating func makeOpaque(_ reference: Reference, name: Int32) { values[Int(reference)] = .opaque(name) }

    /// Gives an object a container of its own.
    mutating func makeDictionary(_ reference: Reference) throws(Fault) {
        containers.append(Container())
        values[Int(reference)] = .dictionary(container: Int32(containers.count - 1))
        depths[Int(reference)] = max(depths[Int(reference)], 1)
    }

    func knowsName(_ name: String) -> Bool { indexOfName[name] != nil }

    mutating func addName(_ name: String) throws(Fault) -> Int32 {
        if let index = indexOfName[name] { return index }
        guard names.count < Self.nameLimit else { throw .limit(what: "names", limit: Self.nameLimit) }
        names.append(name)
        indexOfName[name] = Int32(names.count - 1)
        return Int32(names.count - 1)
    }

    /// - Throws: `contradiction` where the same key was declared otherwise before.
    mutating func addStorage(_ storage: Storage) throws(Fault) -> Reference {
        if let index = indexOfStorage[storage.key] {
            guard storages[Int(index)] == storage else {
                throw .wrongValue(needed: "the type and size that storage \(storage.key) was declared with before")
            }
            return try add(.storage(index))
        }
        guard storages.count < Self.tensorLimit else { throw .limit(what: "storages", limit: Self.tensorLimit) }
        storages.append(storage)
        indexOfStorage[storage.key] = Int32(storages.count - 1)
        return try add(.storage(Int32(storages.count - 1)))
    }

    mutating func addTensor(_ tensor: Tensor) throws(Fault) -> Reference {
        guard tensors.count < Self.tensorLimit else { throw .limit(what: "tensors", limit: Self.tensorLimit) }
        tensors.append(tensor)
        return try add(.tensor(Int32(tensors.count - 1)))
    }

    /// - Throws: `duplicateKey` where a dictionary has a key twice.
    func checkKeys() throws(Fault) {
        for container in containers where container.count > 1 {
            var keys: [(hash: Int, key: Reference)] = []
            var next = container.first
            while next >= 0 {
                let cell = cells[Int(next)]
                if cell.key >= 0 { keys.append((hash(ofKey: cell.key), cell.key)) }
                next = cell.next
            }
            keys.sort { $0.hash < $1.hash }
            for (first, second) in zip(keys, keys.dropFirst()) where first.hash == second.hash {
                throw .duplicateKey(words(for: first.key))
            }
        }
    }

    /// Keys with the same hash count as equal: by chance that does not happen in 64 bits with a random seed.
    private func hash(ofKey key: Reference) -> Int {
        var hasher = Hasher()
        switch self[key] {
        case .text(let start, let byteCount):
            hasher.combine(0)
            unsafe bytes[Int(start)..<Int(start + byteCount)].withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        // True is 1 and 1.0 is 1 to Python.
        case .integer(let value): hasher.combine(Double(value)); hasher.combine(value)
        case .bool(let value): hasher.combine(Double(value ? 1 : 0)); hasher.combine(value ? 1 : 0)
        case .real(let value): hasher.combine(value); hasher.combine(Int(exactly: value) ?? 0)
        case .none: hasher.combine(1)
        default: hasher.combine(2); hasher.combine(key)
        }
        return hasher.finalize()
    }

    func words(for key: Reference) -> String {
        switch self[key] {
        case .text: text(key) ?? ""
        case .integer(let value): "\(value)"
        case .bool(let value): value ? "True" : "False"
        case .real(let value): "\(value)"
        case .none: "None"
        // Classes and functions by their names, as Lightning keeps the states of callbacks.
        case .global(let name), .opaque(let name): names[Int(name)]
        case .tuple: "(" + (tuple(key) ?? []).prefix(16).map { isScalar($0) ? words(for: $0) : "…" }.joined(separator: ", ") + ")"
        default: "…"
        }
    }

    func isScalar(_ reference: Reference) -> Bool {
        switch self[reference] {
        case .none, .bool, .integer, .real, .text: true
        default: false
        }
    }

    /// Whether `words(for:)` tells two different keys of a dictionary apart.
    func isDistinct(_ key: Reference) -> Bool {
        switch self[key] {
        case .opaque, .tuple, .largeInteger, .bytes: false
        default: true
        }
    }
}
