// The few names that a pickle of tensors needs, understood here. None of them is looked up or run:
// each is a case that builds a value.

extension PickleReader {
    mutating func global(module: String, name: String) throws(Fault) -> Reference {
        let full = "\(module).\(name)"
        if !module.isTorchScript, PickleAlarm.isRaised(by: module, name: name) { throw .alarm(full) }
        return try values.add(.global(try values.addName(full)))
    }

    /// What is called: a name, or what another call made, such as a bound method or a partial function.
    private func name(of reference: Reference) throws(Fault) -> (index: Int32, text: String) {
        switch values[reference] {
        case .global(let index), .opaque(let index): return (index, values.names[Int(index)])
        default: throw .wrongValue(needed: "a class or function")
        }
    }

    // MARK: REDUCE

    mutating func call(_ function: Reference, with arguments: Reference) throws(Fault) -> Reference {
        let (index, name) = try name(of: function)
        guard let tuple = values.tuple(arguments) else { throw .call(name, problem: "something that is no tuple") }
        let items = Array(tuple)
        // What a call made is not a function that is known here, whatever its name.
        guard case .global = values[function] else { return try values.add(.opaque(index)) }
        switch name {
        case "collections.OrderedDict":
            return try orderedDictionary(items, name: index)
        // Its arguments are a function that makes what a missing key gets, and in copies the pairs.
        case "collections.defaultdict":
            guard items.count <= 1 else { return try values.add(.opaque(index)) }
            return try values.addContainer(PickleValues.Value.dictionary)
        case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
            return try rebuiltTensor(items, function: (index, name), elementType: nil)
        case "torch._utils._rebuild_tensor_v3":
            guard items.count >= 7, case .global(let type) = values[items[6]] else {
                throw .call(name, problem: "no element type")
            }
            guard let elementType = Self.elementTypes[values.names[Int(type)]] else {
                return try values.add(.opaque(type))
            }
            return try rebuiltTensor(items, function: (index, name), elementType: elementType)
        // The tensor comes first; whether it learns, hooks, attributes or a device follow.
        case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
            "torch._utils._rebuild_device_tensor_from_cpu_tensor":
            let expected = name.hasSuffix("_parameter") ? 3 : 4
            guard items.count == expected else { throw .call(name, problem: "\(items.count) arguments instead of \(expected)") }
            switch values[items[0]] {
            case .tensor, .opaque: return items[0]
            default: throw .call(name, problem: "something that is no tensor")
            }
        // `(function, type, arguments, attributes)`: a tensor of a class of its own, or with attributes.
        // Arguments lie inside each other, so the limit on depth bounds this.
        case "torch._tensor._rebuild_from_type_v2", "torch._tensor._rebuild_from_type":
            guard items.count == 4, values.tuple(items[2]) != nil, case .global = values[items[0]] else {
                throw .call(name, problem: "something that is no function with its arguments")
            }
            return try call(items[0], with: items[2])
        // Nested classes, methods and members of enumerations: a name below a name.
        case "__builtin__.getattr", "builtins.getattr":
            return try attribute(items, of: index)
        // `(class, base, state of the base)`
        case "copy_reg._reconstructor", "copyreg._reconstructor":
            guard let type = items.first, case .global(let label) = values[type] else { return try values.add(.opaque(index)) }
            return try values.add(.opaque(label))
        case "torch.Size":
            guard items.count == 1, values.tuple(items[0]) != nil else { throw .call(name, problem: "no tuple") }
            return items[0]
        case "torch.jit._pickle.build_intlist", "torch.jit._pickle.build_doublelist",
            "torch.jit._pickle.build_boollist", "torch.jit._pickle.build_tensorlist":
            guard items.count == 1, case .list = values[items[0]] else { throw .call(name, problem: "no list") }
            return items[0]
        case "torch.jit._pickle.restore_type_tag":
            guard items.count == 2 else { throw .call(name, problem: "\(items.count) arguments instead of 2") }
            return items[0]
        default:
            return try values.add(.opaque(index))
        }
    }

    /// Python 2 passes the pairs as an argument: `[[key, value], …]`.
    private mutating func orderedDictionary(_ items: [Reference], name: Int32) throws(Fault) -> Reference {
        guard let first = items.first else { return try values.addContainer(PickleValues.Value.dictionary) }
        guard items.count == 1, let pairs = values.items(first) else { return try values.add(.opaque(name)) }
        let dictionary = try values.addContainer(PickleValues.Value.dictionary)
        guard case .dictionary(let container) = values[dictionary] else { return dictionary }
        for pair in pairs {
            guard let parts = values.items(pair), parts.count == 2 else { return try values.add(.opaque(name)) }
            try values.append(parts[1], key: parts[0], to: container, of: dictionary)
        }
        return dictionary
    }

    /// - Throws: `alarm` where the attribute leads to what could run programs.
    private mutating func attribute(_ items: [Reference], of function: Int32) throws(Fault) -> Reference {
        guard items.count >= 2, let attribute = values.text(items[1]), attribute.utf8.count <= Self.globalLimit else {
            return try values.add(.opaque(function))
        }
        switch values[items[0]] {
        case .global(let owner):
            let full = "\(values.names[Int(owner)]).\(attribute)"
            guard full.utf8.count <= Self.globalLimit else { return try values.add(.opaque(function)) }
            // Each name is looked at once.
            if !values.knowsName(full), PickleAlarm.isRaised(byPath: full) { throw .alarm(full) }
            return try values.add(.global(try values.addName(full)))
        case .opaque(let owner): return try values.add(.opaque(owner))
        default: return try values.add(.opaque(function))
        }
    }

    /// `(storage, offset, shape, strides, requires_grad, backward_hooks, …)`
    private mutating func rebuiltTensor(
        _ items: [Reference], function: (index: Int32, name: String), elementType: ElementType?
    ) throws(Fault) -> Reference {
        // The first version had the first four only.
        guard items.count >= (function.name.hasSuffix("_tensor") ? 4 : 6), items.count <= 8 else {
            throw .call(function.name, problem: "\(items.count) arguments")
        }
        let storage: PickleValues.Storage
        let index: Int32
        switch values[items[0]] {
        case .storage(let found): (index, storage) = (found, values.storages[Int(found)])
        // Of complex or quantized numbers.
        case .opaque(let name): return try values.add(.opaque(name))
        default: throw .call(function.name, problem: "no storage")
        }
        // Bytes need a type, and what has one keeps it.
        guard let type = storage.elementType ?? elementType, storage.elementType == nil || elementType == nil else {
            throw .call(function.name, problem: "a storage of the wrong kind")
        }
        guard case .integer(let offset) = values[items[1]], offset >= 0 else {
            throw .call(function.name, problem: "an offset that is no whole number from 0 on")
        }
        guard let shape = values.sizes(items[2]), let strides = values.sizes(items[3]), shape.count == strides.count
        else { throw .call(function.name, problem: "a shape or strides that are no whole numbers from 0 on") }
        return try values.addTensor(
            PickleValues.Tensor(storage: index, elementType: type, offset: offset, shape: shape, strides: strides))
    }

    // MARK: NEWOBJ, BUILD and BINPERSID

    mutating func new(_ type: Reference, with arguments: Reference) throws(Fault) -> Reference {
        let (index, name) = try name(of: type)
        guard values.tuple(arguments) != nil else { throw .call(name, problem: "something that is no tuple") }
        guard name.isTorchScript, case .global = values[type] else { return try values.add(.opaque(index)) }
        return try values.addContainer(PickleValues.Value.attributes)
    }

    mutating func build(_ owner: Reference, state: Reference) throws(Fault) {
        switch values[owner] {
        case .attributes(let container):
            guard case .dictionary(let attributes) = values[state] else {
                // Packed parameters and the like, which only their own code understands.
                values.makeOpaque(owner, name: try values.addName("__torch__"))
                return
            }
            var next = values.containers[Int(attributes)].first
            // Appends to another chain, so this one ends.
            while next >= 0 {
                let cell = values.cells[Int(next)]
                try values.append(cell.value, key: cell.key, to: container, of: owner)
                next = cell.next
            }
        // An ordered dictionary's `_metadata`, and whatever an unknown class keeps.
        case .dictionary, .opaque: break
        case .tensor: throw .onTensor(instruction: "BUILD")
        default: throw .wrongValue(needed: "an object")
        }
    }

    /// `('storage', class, key, location, element count)`; where it was on which device is of no interest.
    mutating func storage(_ identifier: Reference) throws(Fault) -> Reference {
        let needed = Fault.wrongValue(needed: "the five parts of a storage")
        guard let tuple = values.tuple(identifier), tuple.count == 5 else { throw needed }
        let parts = Array(tuple)
        guard values.hasText(parts[0], "storage"), case .global(let type) = values[parts[1]],
            let key = values.text(parts[2]), values.text(parts[3]) != nil,
            case .integer(let count) = values[parts[4]], count >= 0,
            !key.isEmpty, key.utf8.count <= 10, key.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
        else { throw needed }
        let name = values.names[Int(type)]
        if name == "torch.UntypedStorage" || name == "torch.storage.UntypedStorage" {
            return try values.addStorage(PickleValues.Storage(key: key, elementType: nil, elementCount: count))
        }
        guard let elementType = Self.storageTypes[name] else { return try values.add(.opaque(type)) }
        return try values.addStorage(PickleValues.Storage(key: key, elementType: elementType, elementCount: count))
    }

    private static let storageTypes: [String: ElementType] = [
        "torch.FloatStorage": .float32, "torch.HalfStorage": .float16, "torch.BFloat16Storage": .bfloat16,
        "torch.DoubleStorage": .float64, "torch.LongStorage": .int64, "torch.IntStorage": .int32,
        "torch.ShortStorage": .int16, "torch.CharStorage": .int8, "torch.ByteStorage": .uint8,
        "torch.BoolStorage": .bool,
    ]

    /// Types of `_rebuild_tensor_v3`.
    private static let elementTypes: [String: ElementType] = [
        "torch.float32": .float32, "torch.float16": .float16, "torch.bfloat16": .bfloat16, "torch.float64": .float64,
        "torch.int64": .int64, "torch.int32": .int32, "torch.int16": .int16, "torch.int8": .int8,
        "torch.uint8": .uint8, "torch.bool": .bool, "torch.uint16": .uint16, "torch.uint32": .uint32,
        "torch.uint64": .uint64, "torch.float8_e5m2": .float8E5M2, "torch.float8_e4m3fn": .float8E4M3,
    ]
}

extension String {
    /// Whether a class of TorchScript's own is meant.
    fileprivate var isTorchScript: Bool { utf8.elementsEqual("__torch__".utf8) || utf8.starts(with: "__torch__.".utf8) }
}
