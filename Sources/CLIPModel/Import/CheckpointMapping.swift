import Files
import WeightFiles

/// Which tensor of a checkpoint is which of ours, found out by names alone.
struct CheckpointMapping {
    let source: any WeightSource
    let layout: CheckpointLayout
    /// What stands before every name of the model, as "state_dict.module.".
    let prefix: String
    /// By our names.
    var tensors: [String: MappedTensor] = [:]
    private(set) var ignored: [Checkpoint.IgnoredTensors] = []
    private(set) var promptNames: [String] = []
    /// Whether `input_resolution` and the like are there.
    private(set) var holdsSizes = false

    /// A name in which the number of a layer is replaced by `*`.
    private struct Pattern: Hashable {
        let text: String
        let layer: String?

        init(_ name: Substring) {
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            guard let place = parts.firstIndex(where: { Int($0) != nil }) else {
                text = String(name)
                layer = nil
                return
            }
            text = (parts[..<place] + ["*"] + parts[(place + 1)...]).joined(separator: ".")
            layer = String(parts[place])
        }
    }

    /// - Throws: `ModelError` where no layout fits, a tensor belongs to none, or half of one is there.
    init(source: any WeightSource) throws {
        self.source = source
        let names = source.names
        (layout, prefix) = try Self.layout(of: names)
        try map(names)
    }

    // MARK: Layout

    private static func layout(of names: [String]) throws(ModelError) -> (CheckpointLayout, prefix: String) {
        for layout in CheckpointLayout.all {
            for signature in layout.signatures {
                let found = names.filter { $0 == signature || $0.hasSuffix("." + signature) }
                guard let name = found.first else { continue }
                let prefixes = found.map { String($0.dropLast(signature.count)) }
                guard found.count == 1 else { throw .severalModels(prefixes: prefixes.sorted()) }
                let prefix = String(name.dropLast(signature.count))
                let own = names.filter { $0.startsWithBytes(of: prefix) }.map { String($0.dropFirst(prefix.count)) }
                if let refusal = OtherModels.refusal(for: own) { throw refusal }
                return (layout, prefix)
            }
        }
        throw OtherModels.refusal(for: names) ?? .noCLIP
    }

    // MARK: Tensors

    private mutating func map(_ names: [String]) throws {
        var origins: [String: [(destination: String, origin: TensorOrigin)]] = [:]
        for entry in layout.entries { for name in entry.origin.names { origins[name, default: []].append(entry) } }
        var chosen: [String: TensorOrigin] = [:]
        var left: [String: [String]] = [:]
        let present = Set<Bytewise>(texts: names)
        for name in names {
            guard name.startsWithBytes(of: prefix) else {
                left[String(name.prefix { $0 != "." }), default: []].append(name)
                continue
            }
            let pattern = Pattern(name.dropFirst(prefix.count))
            guard let entry = origins[pattern.text]?.first else {
                try leave(name, pattern: pattern.text)
                continue
            }
            func filled(_ text: String) -> String {
                pattern.layer.map { text.replacingFirst("*", with: $0) } ?? text
            }
            let destination = filled(entry.destination)
            let origin = entry.origin.renamed { prefix + filled($0) }
            if let missing = origin.names.first(where: { !present.contains($0) }) { throw ModelError.missingTensor(name: missing) }
            guard chosen.updateValue(origin, forKey: destination) ?? origin == origin else {
                throw ModelError.unexpectedTensor(name: name)
            }
        }
        for (destination, origin) in chosen { tensors[destination] = try mapped(origin) }
        ignored += left.sorted { $0.key < $1.key }.map { Checkpoint.IgnoredTensors(what: $0.key, names: $0.value) }
    }

    /// A tensor of the model that is none of the backbone's.
    private mutating func leave(_ name: String, pattern: String) throws {
        let last = String(name.split(separator: ".").last ?? "")
        if layout.kind == .vifi, CheckpointLayout.prompts.contains(last) {
            promptNames.append(name)
            return
        }
        let elementType = try source.description(of: name).elementType
        // Weights are floating-point numbers; counters, masks and tables of positions are not.
        guard CheckpointLayout.buffers.contains(last) || !elementType.isFloatingPoint else {
            throw ModelError.unexpectedTensor(name: name)
        }
        if last == "input_resolution" { holdsSizes = true }
        if ignored.first?.what == "buffers", let names = ignored.first?.names {
            ignored[0] = Checkpoint.IgnoredTensors(what: "buffers", names: names + [name])
        } else {
            ignored.insert(Checkpoint.IgnoredTensors(what: "buffers", names: [name]), at: 0)
        }
    }

    private func mapped(_ origin: TensorOrigin) throws -> MappedTensor {
        let parts = try origin.names.map { try source.description(of: $0) }
        let first = parts[0]
        var shape = first.shape
        switch origin {
        case .same: break
        case .transposed:
            guard shape.count == 2 else { throw ModelError.unexpectedShape(name: first.name, shape: shape, expected: "2 dimensions") }
            shape.reverse()
        case .stacked:
            for part in parts where part.shape != shape || shape.isEmpty {
                throw ModelError.contradiction(
                    name: part.name, shape: part.shape, expected: shape, reference: first.name, referenceShape: shape)
            }
            // Three equal shapes that fit a file do not overflow when they are added up.
            shape[0] *= parts.count
        }
        for part in parts where !part.elementType.isReadableAsFloat {
            throw WeightFileError(
                path: source.path, problem: .wrongElementType(
                    tensor: part.name, found: part.elementType, needed: "F32, F16, BF16 or F64"))
        }
        let types = Set(parts.map(\.elementType))
        return MappedTensor(
            source: source, origin: origin, shape: shape,
            elementType: types.count == 1 ? first.elementType : .float32)
    }

    /// Our name of a tensor as the checkpoint has it, for messages.
    func sourceName(_ name: String) -> String {
        if let mapped = tensors[name] { return mapped.origin.names.first ?? name }
        let pattern = Pattern(name[...])
        guard let entry = layout.entries.first(where: { $0.destination == pattern.text }), let first = entry.origin.names.first
        else { return name }
        return prefix + (pattern.layer.map { first.replacingFirst("*", with: $0) } ?? first)
    }
}

extension String {
    func replacingFirst(_ character: Character, with text: String) -> String {
        guard let place = firstIndex(of: character) else { return self }
        return String(self[..<place]) + text + String(self[index(after: place)...])
    }
}

extension ElementType {
    var isFloatingPoint: Bool {
        switch self {
        case .float16, .bfloat16, .float32, .float64, .float8E4M3, .float8E5M2: true
        default: false
        }
    }
}
