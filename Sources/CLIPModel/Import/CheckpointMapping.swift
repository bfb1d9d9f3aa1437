import Files
import WeightFiles

/// Which tensor of a checkpoint is which of ours, found out by names alone.
struct CheckpointMapping {
    let source: any WeightSource
    let layout: CheckpointLayout
    /// What stands before every name of the model, as "state_dict.module.".
    let prefix: String
    /// What stands before the names of other models, where these start with `prefix` too.
    private let others: [String]
    private let names: TensorNames
    /// By our names.
    var tensors: [String: MappedTensor] = [:]
    private(set) var ignored: [Checkpoint.IgnoredTensors] = []
    private(set) var promptNames: [String] = []
    private var buffers: [String] = []
    /// Whether `input_resolution` and the like are there.
    private(set) var holdsSizes = false

    /// A name in which the number of a layer is replaced by `*`.
    struct Pattern: Hashable {
        let text: String
        let layer: String?

        init(_ name: Substring) {
            let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { Substring($0) }
            guard let place = parts.firstIndex(where: { $0.utf8.first.map { $0 <= 0x39 } ?? false && Int($0) != nil }) else {
                text = String(name)
                layer = nil
                return
            }
            text = (parts[..<place] + ["*"] + parts[(place + 1)...]).joined(separator: ".")
            layer = String(parts[place])
        }
    }

    /// - Parameter prefix: what stands before the names of the model that is meant, where there are several.
    /// - Throws: `ModelError` where no layout fits, a tensor belongs to none, or half of one is there.
    init(source: any WeightSource, prefix wanted: String? = nil) throws {
        self.source = source
        names = TensorNames(source.names)
        (layout, prefix, others) = try Self.layout(of: names.plain, prefix: wanted)
        try map(names.plain)
    }

    // MARK: Layout

    /// The layout, what stands before its names, and what stands before those of other models in the file.
    private static func layout(
        of names: [String], prefix wanted: String?
    ) throws(ModelError) -> (CheckpointLayout, prefix: String, others: [String]) {
        var seen: Set<String> = []
        for layout in CheckpointLayout.all {
            for signature in layout.signatures {
                let prefixes = names.filter { $0.ends(inName: signature) }.map { String($0.dropLast(signature.count)) }.sorted()
                guard !prefixes.isEmpty else { continue }
                let prefix: String
                if let wanted {
                    seen.formUnion(prefixes)
                    // Models of one file may have different layouts.
                    guard let chosen = choice(wanted, among: prefixes) else { continue }
                    prefix = chosen
                } else {
                    guard prefixes.count == 1, let only = prefixes.first else { throw .severalModels(prefixes: prefixes) }
                    prefix = only
                }
                // Names of the others may start with this prefix, above all with an empty one.
                let others = prefixes.filter { $0 != prefix && $0.starts(withName: prefix) }
                let own = names.filter { name in name.starts(withName: prefix) && !others.contains { name.starts(withName: $0) } }
                    .map { String($0.dropFirst(prefix.count)) }
                if let refusal = OtherModels.refusal(for: layout.withoutVariations(own), in: names) { throw refusal }
                return (layout, prefix, others)
            }
        }
        if let wanted, !seen.isEmpty { throw .noSuchPrefix(wanted, prefixes: seen.sorted()) }
        throw OtherModels.refusal(for: names, in: names) ?? .noCLIP
    }

    /// The prefix that a person means: with or without its last dot, and with or without what wraps modules.
    private static func choice(_ wanted: String, among prefixes: [String]) -> String? {
        let plain = TensorNames.unwrapped(wanted) ?? wanted
        return [wanted, wanted + ".", plain, plain + "."].lazy.compactMap { form in prefixes.first { $0 == form } }.first
    }

    // MARK: Tensors

    private mutating func map(_ names: [String]) throws {
        var origins: [String: [(destination: String, origin: TensorOrigin)]] = [:]
        for entry in layout.entries { for name in entry.origin.names { origins[name, default: []].append(entry) } }
        var chosen: [String: TensorOrigin] = [:]
        var left: [String: [String]] = [:]
        let present = Set<Bytewise>(texts: names)
        for name in names {
            guard name.starts(withName: prefix), !others.contains(where: { name.starts(withName: $0) }) else {
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
            if let missing = origin.names.first(where: { !present.contains($0) }) { throw try missingTensor(missing) }
            guard chosen.updateValue(origin, forKey: destination) ?? origin == origin else {
                throw ModelError.unexpectedTensor(name: self.names.stored(name))
            }
        }
        // A CLIP that learned with a bias on its logits computes without it.
        if chosen[CheckpointNames.poolingProbe] == nil, let bias = chosen.removeValue(forKey: CheckpointNames.logitBias) {
            buffers += bias.names.map(self.names.stored)
        }
        for (destination, origin) in chosen { tensors[destination] = try mapped(origin.renamed(self.names.stored)) }
        if !buffers.isEmpty { ignored = [Checkpoint.IgnoredTensors(what: "buffers", names: buffers)] }
        ignored += left.sorted { $0.key < $1.key }.map { Checkpoint.IgnoredTensors(what: $0.key, names: $0.value) }
    }

    /// A tensor of the model that is none of the backbone's.
    private mutating func leave(_ name: String, pattern: String) throws {
        let last = name.utf8.split(separator: UInt8(ascii: ".")).last.map { String(Substring($0)) } ?? ""
        let stored = names.stored(name)
        if layout.kind == .vifi, CheckpointLayout.prompts.contains(last) {
            promptNames.append(stored)
            return
        }
        if layout.zeros.contains(pattern) {
            let shape = try source.description(of: stored).shape
            guard try source.floats(named: stored, shape: shape).allSatisfy({ $0 == 0 }) else { throw ModelError.unexpectedTensor(name: stored) }
            buffers.append(stored)
            return
        }
        let elementType = try source.description(of: stored).elementType
        // Weights are floating-point numbers; counters, masks and tables of positions are not.
        guard CheckpointLayout.buffers.contains(last) || !elementType.isFloatingPoint else {
            throw ModelError.unexpectedTensor(name: stored)
        }
        if last == "input_resolution" { holdsSizes = true }
        buffers.append(stored)
    }

    /// What is missing, or what has its name and is not a tensor that can be read.
    func missingTensor(_ name: String) throws -> ModelError {
        do throws(WeightFileError) {
            _ = try source.description(of: names.stored(name))
        } catch {
            if case .missingTensor = error.problem { return .missingTensor(name: name) }
            throw error
        }
        return .missingTensor(name: name)
    }

    private func mapped(_ origin: TensorOrigin) throws -> MappedTensor {
        let parts = try origin.names.map { try source.description(of: $0) }
        let first = parts[0]
        var shape = first.shape
        switch origin {
        case .same: break
        case .squeezed: shape = Array(shape.drop { $0 == 1 })
        case .transposed:
            guard shape.count == 2 else { throw ModelError.unexpectedShape(name: first.name, shape: shape, expected: "2 dimensions") }
            shape.reverse()
        case .stacked:
            // Keys and values may be one tensor below the queries.
            let last = parts.count == 2 ? 2 : 1
            for (index, part) in parts.enumerated()
            where shape.isEmpty || part.shape.dropFirst() != shape.dropFirst() || part.shape.first != shape[0] * (index == 1 ? last : 1) {
                throw ModelError.contradiction(
                    name: part.name, shape: part.shape, expected: shape, reference: first.name, referenceShape: shape)
            }
            // Three shapes that fit a file do not overflow when they are added up.
            shape[0] *= 3
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
