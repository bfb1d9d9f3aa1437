import Files
import TestSupport
import Testing
import WeightFiles

/// Checkpoints as other people's programs leave them: names of classes and functions are labels, tensors are read, and
/// only what could run programs is called dangerous.
@Suite struct WildArchiveTests {
    /// `Tests/Fixtures/wild`, written by PyTorch, Lightning and mmengine.
    @Test(arguments: ["names.pt", "exotic.pt", "lightning.ckpt", "lightning-old.ckpt", "mmengine.pth"])
    func archivesOfOtherPrograms(file: String) throws {
        let expected = try Digests("wild/expected.json").files[file] ?? [:]
        let source = try openWeights(fixturePath("wild/\(file)"))
        #expect(!expected.isEmpty)
        for (name, tensor) in expected {
            #expect(source.contains(name), "\(name)")
            #expect(try digest(source.floats(named: name, shape: tensor.shape)) == tensor.digest, "\(name)")
        }
    }

    @Test func whatIsNamedIsListed() throws {
        let source = try openWeights(fixturePath("wild/names.pt"))
        for label in [
            "range: __builtin__.xrange", "method: __main__.Settings.Optimizer", "partial: functools.partial", "signal: signal.Signals",
            "class: __main__.Settings.Optimizer", "static: __main__.Settings.Optimizer.warm", "bits: a number beyond 64 bits",
            "negative: a number beyond 64 bits", "state: numpy.random._pickle.__generator_ctor", "device: torch.device",
        ] { #expect(source.ignoredObjects.contains(label), "\(label) in \(source.ignoredObjects)") }
        #expect(source.contains("by_member.__main__.Settings.Optimizer.Schedule#0.best"))
    }

    /// They stop only who wants them.
    @Test func exoticTensors() throws {
        let source = try openWeights(fixturePath("wild/exotic.pt"))
        for name in ["windows", "mask", "complex", "sparse", "meta", "quantized", "nested"] {
            #expect(!source.contains(name) && source.ignoredObjects.contains { $0.hasPrefix(name + ": ") }, "\(name)")
            #expect(throws: WeightFileError.self, "\(name)") { try source.floats(named: name) }
        }
        do {
            _ = try source.description(of: "windows")
        } catch {
            guard case .storage("windows", .overlapping) = error.problem else {
                Issue.record("\(error)")
                return
            }
        }
    }

    // MARK: Names, byte by byte

    private static let tensor = P.tensor("0", count: 2)

    private func names(beside value: [UInt8]) throws -> [String] {
        let directory = try TemporaryDirectory()
        let source = try opened(ZipBytes.torch(P.dictionary([("a", Self.tensor), ("x", value)]), [bytes([1, 2])]).bytes, in: directory)
        #expect(try source.floats(named: "a") == [1, 2])
        return source.ignoredObjects
    }

    @Test(arguments: [
        ("__builtin__", "xrange"), ("__builtin__", "print"), ("builtins", "map"), ("operator", "itemgetter"), ("functools", "reduce"),
        ("posixpath", "join"), ("signal", "Signals"), ("inspect", "Parameter"), ("platform", "uname_result"), ("urllib.parse", "ParseResult"),
        ("threading", "local"), ("tempfile", "TemporaryDirectory"), ("types", "SimpleNamespace"), ("code.config", "Config"),
        ("profile.models", "Net"), ("commands.train", "Arguments"), ("os", "stat_result"), ("unittest.mock", "Mock"),
        ("requests.sessions", "Session"), ("importlib.metadata", "Distribution"), ("trace.models", "Trace"), ("cloudpickle.cloudpickle", "_make_function"),
    ])
    func namesThatAreOnlyNames(module: String, name: String) throws {
        #expect(try names(beside: P.call(module, name, [P.integer(3)])) == ["x: \(module).\(name)"])
        #expect(try names(beside: P.global(module, name)) == ["x: \(module).\(name)"])
    }

    @Test(arguments: [
        ("nt", "system"), ("pty", "spawn"), ("runpy", "run_module"), ("ctypes", "CDLL"), ("shutil", "rmtree"), ("importlib", "import_module"),
        ("pickle", "loads"), ("marshal", "loads"), ("_io", "FileIO"), ("socket", "create_connection"), ("webbrowser", "open"),
        ("torch.hub", "load"), ("torch", "load"), ("numpy", "load"), ("types", "CodeType"), ("timeit", "timeit"), ("pip._internal", "main"),
        ("__builtin__", "execfile"), ("builtins", "compile"), ("builtins", "open"), ("multiprocessing.util", "spawnv_passfds"),
        ("distutils.file_util", "write_file"), ("urllib.request", "urlopen"), ("torch.serialization", "os.system"), ("code", "interact"),
    ])
    func namesThatRunPrograms(module: String, name: String) throws {
        let pickle = P.whole(P.dictionary([("a", Self.tensor), ("x", P.global(module, name))]))
        #expect(try pickleProblem(pickle) == .alarm("\(module).\(name)"))
    }

    /// A way around by attributes of attributes.
    @Test func attributesThatRunPrograms() throws {
        for function in [("__builtin__", "getattr"), ("builtins", "getattr")] {
            let inner = P.call(function.0, function.1, [P.global("torch.serialization", "os"), P.text("system")])
            let fault = try pickleProblem(P.whole(P.dictionary([("a", Self.tensor), ("x", inner)])))
            #expect(fault == .alarm("torch.serialization.os.system"))
        }
        let words = WeightFileError(path: "x.pt", problem: .pickle(entry: "data.pkl", offset: 1, fault: .alarm("os.system"))).description
        #expect(words == """
            x.pt: data.pkl, byte 1: the pickle names os.system, which would run programs on a machine that loads the file with Python. \
            Nothing was run here. Do not load it anywhere; take the model from its publisher, preferably as safetensors.
            """)
    }

    /// A nested class, an object of it, a bound method, and what a call of these makes.
    @Test func attributesAreNames() throws {
        let nested = P.call("__builtin__", "getattr", [P.global("models", "Outer"), P.text("Inner")])
        #expect(try names(beside: nested) == ["x: models.Outer.Inner"])
        #expect(try names(beside: nested + P.emptyTuple + P.newObject) == ["x: models.Outer.Inner"])
        #expect(try names(beside: nested + P.emptyTuple + P.reduce) == ["x: models.Outer.Inner"])
        let object = P.global("models", "Outer") + P.emptyTuple + P.newObject
        #expect(try names(beside: P.call("builtins", "getattr", [object, P.text("step")])) == ["x: models.Outer"])
        let partial = P.call("functools", "partial", [P.global("torch.nn", "GELU")])
        #expect(try names(beside: partial + P.emptyTuple + P.reduce) == ["x: functools.partial"])
        let old = P.call("copy_reg", "_reconstructor", [P.global("models", "Old"), P.global("__builtin__", "object"), P.none])
        #expect(try names(beside: old) == ["x: models.Old"])
    }

    /// Python 2 wrote pairs as arguments and long strings of bytes.
    @Test func python2() throws {
        let directory = try TemporaryDirectory()
        let pair = P.emptyList + P.text("b") + P.append + Self.tensor + P.append
        let ordered = P.call("collections", "OrderedDict", [P.emptyList + pair + P.append])
        let note: [UInt8] = [0x54] + bytes(UInt32(300)) + [UInt8](repeating: 0x61, count: 300)
        let source = try opened(ZipBytes.torch(P.dictionary([("m", ordered), ("note", note)]), [bytes([1, 2])]).bytes, in: directory)
        #expect(source.names == ["m.b"])
        #expect(source.metadata["note"] == String(repeating: "a", count: 300))
        #expect(try pickleProblem(P.start + [0x54, 0, 0, 0, 0x80] + P.stop) == .endsTooSoon)
    }

    /// A dictionary of a class of its own is one as far as its tensors go; an object without any stays one.
    @Test func dictionariesOfOtherClasses() throws {
        let directory = try TemporaryDirectory()
        let own = P.global("models", "State") + P.emptyTuple + P.newObject + P.text("w") + Self.tensor + P.setItem
        let source = try opened(ZipBytes.torch(P.dictionary([("m", own)]), [bytes([1, 2])]).bytes, in: directory)
        #expect(source.names == ["m.w"] && source.ignoredObjects.isEmpty)
    }
}
