import Files

/// What a pickle holds under dotted names: "state_dict.visual.proj", "optimizer.state.0.exp_avg".
struct PickleOutline {
    struct NamedTensor {
        let name: String
        /// In `PickleValues.tensors`.
        let index: Int32
    }

    private(set) var tensors: [NamedTensor] = []
    private(set) var metadata: [String: String] = [:]
    /// "config: yacs.config.CfgNode"
    private(set) var ignoredObjects: [String] = []
    private(set) var warnings: [String] = []

    private let values: PickleValues
    private let isTorchScript: Bool
    private var visitCount = 0

    private static let visitLimit = 2_000_000
    private static let metadataLimit = 65_536
    private static let metadataByteLimit = 1024
    private static let ignoredLimit = 1000
    /// Longer lists of numbers and words are cut in the metadata.
    private static let itemLimit = 16

    typealias Reference = PickleValues.Reference

    /// A container that is being walked.
    private struct Frame {
        /// nil where the name is too long for anything in it to be named.
        let name: String?
        /// The container to unmark at the end; -1 for tuples.
        let container: Int32
        /// The next cell, or for tuples the next of `items`.
        var next: Int32
        var items: ArraySlice<Reference> = []
        var position = 0
    }

    private var frames: [Frame] = []
    private var isOpen: [Bool]

    /// - Throws: `wholeObject`, `duplicateName`, or a limit of the pickle.
    init(
        of values: PickleValues, root: Reference, entry: String, isTorchScript: Bool, path: String
    ) throws(WeightFileError) {
        self.values = values
        self.isTorchScript = isTorchScript
        isOpen = [Bool](repeating: false, count: values.containers.count)
        func problem(_ problem: WeightFileError.Problem) -> WeightFileError {
            WeightFileError(path: path, problem: problem)
        }
        if case .opaque(let name) = values[root] { throw problem(.wholeObject(name: values.names[Int(name)])) }
        do {
            try visit(root, name: values.isContainer(root) ? "" : "tensor")
            while !frames.isEmpty { try step() }
        } catch {
            throw problem(.pickle(entry: entry, offset: values.bytes.count, fault: error))
        }
        var seen: Set<Bytewise> = []
        for tensor in tensors {
            if let fault = WeightFileError.TextFault(inName: tensor.name) {
                throw problem(.text(offset: 0, fault: fault))
            }
            guard seen.insert(tensor.name) else { throw problem(.duplicateName(tensor.name)) }
        }
    }

    /// Goes on with the innermost container.
    private mutating func step() throws(WeightFileError.PickleFault) {
        let depth = frames.count - 1
        let frame = frames[depth]
        if frame.container < 0 {
            guard frame.position < frame.items.count else { return close() }
            frames[depth].position += 1
            return try visit(
                frame.items[frame.items.startIndex + frame.position], name: joined(frame.name, "\(frame.position)"))
        }
        guard frame.next >= 0 else { return close() }
        let cell = values.cells[Int(frame.next)]
        frames[depth].next = cell.next
        frames[depth].position += 1
        // What could only be noted and no longer can needs no name.
        if metadata.count >= Self.metadataLimit, !warnings.isEmpty, values.isScalar(cell.value) { return try count(1) }
        var key = cell.key >= 0 ? values.words(for: cell.key) : "\(frame.position)"
        if cell.key >= 0, !values.isDistinct(cell.key) { key += "#\(frame.position)" }
        // Every module of TorchScript says whether it is in training.
        if isTorchScript, key == "training" || key == "_is_full_backward_hook" { return }
        try visit(cell.value, name: joined(frame.name, key))
    }

    private mutating func close() {
        let frame = frames.removeLast()
        if frame.container >= 0 { isOpen[Int(frame.container)] = false }
    }

    private func joined(_ prefix: String?, _ key: String) -> String? {
        guard let prefix, prefix.utf8.count + key.utf8.count < 2 * 512 else { return nil }
        return prefix.isEmpty ? key : prefix + "." + key
    }

    private mutating func visit(_ reference: Reference, name: String?) throws(WeightFileError.PickleFault) {
        try count(1)
        switch values[reference] {
        case .tensor(let index):
            guard let name else { throw .limit(what: "bytes in the name of a tensor", limit: 512) }
            guard tensors.count < PickleValues.tensorLimit else {
                throw .limit(what: "tensors", limit: PickleValues.tensorLimit)
            }
            tensors.append(NamedTensor(name: name, index: index))
        case .dictionary(let container), .attributes(let container), .list(let container):
            let isModule = if case .attributes = values[reference] { true } else { false }
            guard !isOpen[Int(container)] else {
                if isModule { throw .moduleCycle }
                return ignore(name, "a container that contains itself")
            }
            if case .list = values[reference], try describeItems(values.items(ofContainer: container), name: name) { return }
            isOpen[Int(container)] = true
            try open(Frame(name: name, container: container, next: values.containers[Int(container)].first))
        case .tuple:
            let items = values.tuple(reference) ?? []
            if try describeItems(Array(items), name: name) { return }
            try open(Frame(name: name, container: -1, next: -1, items: items))
        case .opaque(let index), .global(let index): ignore(name, values.names[Int(index)])
        case .largeInteger: ignore(name, "a number beyond 64 bits")
        case .bytes: ignore(name, "bytes")
        case .storage: ignore(name, "a storage without a tensor")
        case .none: break
        case .bool, .integer, .real, .text: if let words = words(for: reference) { describe(name, words) }
        }
    }

    private mutating func open(_ frame: Frame) throws(WeightFileError.PickleFault) {
        guard frames.count < PickleValues.depthLimit else {
            throw .limit(what: "values inside each other", limit: PickleValues.depthLimit)
        }
        frames.append(frame)
    }

    private mutating func count(_ visits: Int) throws(WeightFileError.PickleFault) {
        visitCount += visits
        guard visitCount <= Self.visitLimit else { throw .limit(what: "values to list", limit: Self.visitLimit) }
    }

    // MARK: What is not a tensor

    /// Notes a list of numbers and words as one text. False where it holds anything else.
    private mutating func describeItems(_ items: [Reference], name: String?) throws(WeightFileError.PickleFault) -> Bool {
        try count(items.count)
        guard items.allSatisfy({ values.isScalar($0) }) else { return false }
        var words = items.prefix(Self.itemLimit).map { self.words(for: $0) ?? "none" }
        if items.count > Self.itemLimit { words.append("… (\(items.count) in all)") }
        if !items.isEmpty { describe(name, "[" + words.joined(separator: ", ") + "]") }
        return true
    }

    private func words(for reference: Reference) -> String? {
        switch values[reference] {
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): "\(value)"
        case .real(let value): "\(value)"
        case .text(_, let byteCount): byteCount <= Self.metadataByteLimit ? values.text(reference) : "… (\(byteCount) bytes)"
        default: nil
        }
    }

    private mutating func describe(_ name: String?, _ words: String) {
        guard let name, WeightFileError.TextFault(inName: name) == nil else { return }
        guard metadata.count < Self.metadataLimit else {
            let warning = "More than \(Self.metadataLimit) values beside the tensors; the rest is left out."
            if warnings.isEmpty { warnings.append(warning) }
            return
        }
        metadata[name] = words
    }

    private mutating func ignore(_ name: String?, _ what: String) {
        guard ignoredObjects.count <= Self.ignoredLimit else { return }
        let entry = ignoredObjects.count < Self.ignoredLimit ? "\(name ?? "…"): \(what)" : "… and more"
        ignoredObjects.append(entry)
    }
}

extension PickleValues {
    fileprivate func isContainer(_ reference: Reference) -> Bool {
        switch self[reference] {
        case .dictionary, .attributes, .list, .tuple: true
        default: false
        }
    }
}
