// The few names that a pickle of tensors needs, understood here. None of them is looked up or run:
// each is a case that builds a value.

extension PickleReader {
    mutating func global(module: String, name: String) throws(Fault) -> Reference {
        let full = "\(module).\(name)"
        if !module.isTorchScript, PickleAlarm.isRaised(by: module, name: name) { throw .alarm(full) }
        return try values.add(.global(try values.addName(full)))
    }

    private func name(of reference: Reference) throws(Fault) -> (index: Int32, text: String) {
        guard case .global(let index) = values[reference] else { throw .wrongValue(needed: "a class or function") }
        return (index, values.names[Int(index)])
    }

    // MARK: REDUCE

    mutating func call(_ function: Reference, with arguments: Reference) throws(Fault) -> Reference {
        let (index, name) = try name(of: function)
        guard let tuple = values.tuple(arguments) else { throw .call(name, problem: "something that is no tuple") }
        let items = Array(tuple)
        switch name {
        case "collections.OrderedDict":
            guard items.isEmpty else { throw .call(name, problem: "arguments") }
            return try values.addContainer(PickleValues.Value.dictionary)
        case "torch._utils._rebuild_tensor_v2":
            return try rebuiltTensor(items, function: (index, name), elementType: nil)
        case "torch._utils._rebuild_tensor_v3":
            guard items.count >= 7, case .global(let type) = values[items[6]] else {
                throw .call(name, problem: "no element type")
            }
            guard let elementType = Self.elementTypes[values.names[Int(type)]] else {
                return try values.add(.opaque(type))
            }
            return try rebuiltTensor(items, function: (index, name), elementType: elementType)
        case "torch._utils._rebuild_parameter":
            guard items.count == 3 else { throw .call(name, problem: "\(items.count) arguments instead of 3") }
            switch values[items[0]] {
            case .tensor, .opaque: return items[0]
            default: throw .call(name, problem: "something that is no tensor")
            }
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

    /// `(storage, offset, shape, strides, requires_grad, backward_hooks, …)`
    private mutating func rebuiltTensor(
        _ items: [Reference], function: (index: Int32, name: String), elementType: ElementType?
    ) throws(Fault) -> Reference {
        guard items.count >= 6, items.count <= 8 else {
            throw .call(function.name, problem: "\(items.count) arguments")
        }
        let storage: PickleValues.Storage
        let index: Int32
        switch values[items[0]] {
        case .storage(let found): (index, storage) = (found, values.storages[Int(found)])
        // Of complex or quantised numbers.
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
        guard name.isTorchScript else { return try values.add(.opaque(index)) }
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

/// Names that only attacks put into a checkpoint. A courtesy: nothing is run whatever the name, but a
/// person should know what the file tried.
enum PickleAlarm {
    static func isRaised(by module: String, name: String) -> Bool {
        let top = module.utf8.prefix { $0 != UInt8(ascii: ".") }
        let package = String(Substring(top))
        if package == "builtins" || package == "__builtin__" { return !dataTypes.contains(name) }
        return modules.contains(package) || names.contains("\(module).\(name)")
    }

    /// Of Python's built-in names, those that hold data.
    private static let dataTypes: Set<String> = [
        "set", "frozenset", "dict", "list", "tuple", "int", "float", "bool", "str", "bytes", "bytearray", "complex",
        "slice", "range", "object", "long", "unicode", "Ellipsis", "NoneType",
    ]

    private static let modules: Set<String> = [
        "os", "posix", "nt", "posixpath", "ntpath", "subprocess", "sys", "shutil", "socket", "socketserver", "pty",
        "runpy", "importlib", "imp", "pkgutil", "zipimport", "ctypes", "_ctypes", "multiprocessing", "commands",
        "popen2", "webbrowser", "urllib", "urllib2", "http", "httplib", "requests", "ftplib", "smtplib", "ssl",
        "pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "code", "codeop", "pdb", "bdb", "timeit",
        "cProfile", "profile", "trace", "doctest", "unittest", "venv", "ensurepip", "pip", "signal", "threading",
        "_thread", "asyncio", "operator", "_operator", "inspect", "platform", "getpass", "tempfile", "atexit", "site",
        "pydoc", "idlelib", "distutils", "setuptools",
    ]

    private static let names: Set<String> = [
        "torch.load", "torch.jit.load", "torch.hub.load", "torch.package.PackageImporter", "numpy.load",
        "numpy.testing._private.utils.runstring", "numpy.f2py.crackfortran.myeval", "functools.reduce", "io.open", "_io.open",
        "io.FileIO", "_io.FileIO", "types.FunctionType", "types.CodeType", "_frozen_importlib.BuiltinImporter",
    ]
}

extension String {
    /// Whether a class of TorchScript's own is meant.
    fileprivate var isTorchScript: Bool { utf8.elementsEqual("__torch__".utf8) || utf8.starts(with: "__torch__.".utf8) }
}
