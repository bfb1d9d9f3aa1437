import Files
import TestSupport
import Testing
import WeightFiles

/// Pickles that attack, and pickles that only look odd. Nothing they name is ever run: the reader has
/// no way to.
@Suite struct PickleTests {
    /// P1, P2, P3.
    @Test(arguments: [
        ("os", "system"), ("posix", "system"), ("__builtin__", "eval"), ("builtins", "exec"), ("builtins", "__import__"),
        ("subprocess", "Popen"), ("sys", "exit"), ("os.path", "join"),
    ])
    func namesOfAttacks(module: String, name: String) throws {
        let attack = P.call(module, name, [P.text("touch /tmp/vifi-prompt-was-here")])
        #expect(try pickleProblem(P.whole(attack)) == .alarm("\(module).\(name)"))
        #expect(
            try pickleProblem(P.whole(P.dictionary([("a", P.tensor("0", count: 2)), ("b", attack)])))
                == .alarm("\(module).\(name)"))
        // Protocol 4 names it by two values on the stack.
        let short = { (text: String) in [0x8C, UInt8(text.utf8.count)] + Array(text.utf8) }
        let later: [UInt8] = [0x80, 4, 0x95] + bytes(UInt64(40)) + short(module) + [0x94] + short(name) + [0x94, 0x93]
        #expect(
            try pickleProblem(later + P.tupleOf([P.text("x")]) + P.reduce + P.stop) == .alarm("\(module).\(name)"))
        #expect(!fileExists("/tmp/vifi-prompt-was-here"))
    }

    /// P4:
    /// INST, OBJ, EXT1, text PERSID, LONG4, BINBYTES, POP, DUP, INT, STRING.
    @Test(arguments: [0x69, 0x6F, 0x82, 0x50, 0x8B, 0x42, 0x30, 0x32, 0x49, 0x53, 0xFF] as [UInt8])
    func unknownInstructions(code: UInt8) throws {
        #expect(try pickleProblem(P.start + [code, 0x31, 0x0A, 0x2E, 0x2E]) == .instruction(code))
    }

    @Test(arguments: [0, 1, 6, 255] as [UInt8])
    func unknownProtocols(number: UInt8) throws {
        #expect(try pickleProblem([0x80, number] + P.none + P.stop) == .protocol(Int(number)))
    }

    /// P5.
    @Test func sizesThatAreNotThere() throws {
        #expect(try pickleProblem(P.start + [0x58, 0, 0, 0, 0x80] + P.stop) == .endsTooSoon)
        #expect(try pickleProblem(P.start + [0x58, 0xFF, 0xFF, 0xFF, 0xFF] + P.stop) == .endsTooSoon)
        #expect(try pickleProblem(P.start + [0x55, 9, 0x61] + P.stop) == .endsTooSoon)
        #expect(try pickleProblem(P.start + [0x8A, 17] + [UInt8](repeating: 1, count: 15) + P.stop) == .endsTooSoon)
    }

    /// P6, P7.
    @Test func unbalanced() throws {
        let cases: [([UInt8], WeightFileError.PickleFault)] = [
            (P.start + P.none, .endsTooSoon), (P.start, .endsTooSoon), ([0x80], .instruction(0x80)), ([], .endsTooSoon),
            (P.whole(P.none) + P.none, .bytesAfterEnd(count: 1)), (P.whole([]), .leftOver(count: 0)),
            (P.whole(P.none + P.none), .leftOver(count: 2)), (P.whole(P.none + P.mark), .leftOver(count: 2)),
            (P.whole(P.tuple1), .emptyStack), (P.whole(P.none + P.tuple2), .emptyStack), (P.whole(P.reduce), .emptyStack),
            (P.whole(P.tuple), .noMark), (P.whole(P.setItems), .noMark), (P.whole(P.get(0)), .undefinedMemo(0)),
            (P.whole(P.none + P.put(1) + P.get(0)), .undefinedMemo(0)), (P.whole(P.put(0)), .emptyStack),
            (P.whole(P.none + P.mark + P.tuple1), .emptyStack), (P.whole(P.emptyList + P.append), .emptyStack),
            (P.whole(P.none + P.none + P.append), .wrongValue(needed: "a list")),
            (P.whole(P.emptyDictionary + P.mark + P.none + P.setItems), .wrongValue(needed: "a value for each key")),
            (P.whole([0x58, 1, 0, 0, 0, 0xFF]), .notUTF8),
            (P.whole(P.none + P.emptyTuple + P.reduce), .wrongValue(needed: "a class or function")),
        ]
        for (pickle, fault) in cases { #expect(try pickleProblem(pickle) == fault, "\(pickle)") }
    }

    /// P8.
    @Test func depth() throws {
        let fault = WeightFileError.PickleFault.limit(what: "values inside each other", limit: 100)
        #expect(try pickleProblem(P.whole([UInt8](repeating: 0x28, count: 20_000))) == fault)
        #expect(try pickleProblem(P.whole(P.none + [UInt8](repeating: 0x85, count: 300_000))) == fault)
        let lists = [UInt8](repeating: 0x5D, count: 5000) + [UInt8](repeating: 0x61, count: 4999)
        #expect(try pickleProblem(P.whole(lists)) == fault)
        // From the outside inwards, so that no container knows how deep it will lie.
        var inwards = P.dictionary([("t", P.tensor("0", count: 2))]) + P.put(0) + P.text("l") + P.emptyList + P.put(1) + P.setItem
        for _ in 0..<200 { inwards += P.get(1) + P.emptyList + P.put(1) + P.append }
        // Each step leaves the outer list on the stack: a tuple gathers them.
        let chain = P.mark + inwards + P.tuple
        #expect(try pickleProblem(P.whole(chain)) == fault)
    }

    /// P10.
    @Test func limits() throws {
        let many = [UInt8](repeating: 0x4E, count: 2_500_000)
        #expect(try pickleProblem(P.start + many) == .limit(what: "values at once", limit: 2_000_000))
        let lists = [UInt8](repeating: 0x5D, count: 1_200_000)
        #expect(try pickleProblem(P.start + lists) == .limit(what: "values", limit: 1 << 20))
        #expect(
            try pickleProblem(P.whole(P.none + [0x72, 0xFF, 0xFF, 0xFF, 0x7F]))
                == .limit(what: "remembered values", limit: 1_000_000))
        let steps = P.none + [UInt8](repeating: 0x71, count: 20_000_000)
        #expect(try pickleProblem(P.start + steps) == .limit(what: "instructions", limit: 10_000_000))
        // Two references to the level below, thirty times: 2^30 paths from few bytes.
        var doubling = P.dictionary([("t", P.tensor("0", count: 2))]) + P.put(0)
        for level in 1...30 {
            doubling += P.emptyList + P.put(UInt8(level)) + P.mark + P.get(UInt8(level - 1)) + P.get(UInt8(level - 1)) + [0x65]
        }
        let tower = P.mark + doubling + P.tuple
        guard case .limit? = try pickleProblem(P.whole(tower)) else {
            Issue.record("2^30 paths were walked")
            return
        }
    }

    /// P9.
    @Test func containersThatContainThemselves() throws {
        let directory = try TemporaryDirectory()
        let list = P.emptyList + P.put(0) + P.get(0) + P.append
        let source = try opened(
            ZipBytes.torch(P.dictionary([("a", P.tensor("0", count: 2)), ("loop", list)]), [bytes([1, 2])]).bytes,
            in: directory)
        #expect(source.names == ["a"])
        #expect(source.ignoredObjects == ["loop.0: a container that contains itself"])
    }

    /// P15, P21.
    @Test func keys() throws {
        let tensor = P.tensor("0", count: 2)
        #expect(try pickleProblem(P.whole(P.dictionary([("a", tensor), ("a", P.none)]))) == .duplicateKey("a"))
        let joined = P.dictionary([("a.b", tensor), ("a", P.dictionary([("b", tensor)]))])
        #expect(try problem(ZipBytes.torch(joined, [bytes([1, 2])]).bytes) == .duplicateName("a.b"))
        let directory = try TemporaryDirectory()
        let escape = "\u{1B}[2J\u{202E}"
        let source = try opened(ZipBytes.torch(P.dictionary([(escape, tensor)]), [bytes([1, 2])]).bytes, in: directory)
        do {
            _ = try source.floats(named: escape, shape: [3])
            Issue.record("the wrong shape was accepted")
        } catch {
            #expect(!error.description.contains("\u{1B}"))
            #expect(error.description.contains("\\u{1b}[2J\\u{202e}"))
        }
    }

    /// P16.
    @Test func tensorsAreNotChanged() throws {
        let tensor = P.tensor("0", count: 2)
        #expect(try pickleProblem(P.whole(tensor + P.none + P.none + P.setItem)) == .onTensor(instruction: "SETITEM"))
        #expect(try pickleProblem(P.whole(tensor + P.emptyDictionary + P.build)) == .onTensor(instruction: "BUILD"))
        #expect(try pickleProblem(P.whole(tensor + P.none + P.append)) == .onTensor(instruction: "APPEND"))
    }

    /// P19.
    @Test func wholeObjectsAndEmptyFiles() throws {
        let module = P.global("models.clip", "CLIP") + P.emptyTuple + P.newObject
            + P.dictionary([("w", P.tensor("0", count: 2))]) + P.build
        #expect(try problem(ZipBytes.torch(module, [bytes([1, 2])]).bytes) == .wholeObject(name: "models.clip.CLIP"))
        #expect(
            try problem(ZipBytes.torch(P.dictionary([("model", module)]), [bytes([1, 2])]).bytes)
                == .noTensors(objects: ["model: models.clip.CLIP"]))
    }

    /// P17, P18, P20.
    @Test func valuesBesideTensors() throws {
        let directory = try TemporaryDirectory()
        let value = P.dictionary([
            ("model", P.dictionary([("a", P.tensor("0", count: 2))])), ("epoch", P.integer(9)), ("rate", P.real(0.5)),
            ("half", P.yes), ("name", P.text("ViT")), ("nothing", P.none), ("list", P.emptyList + P.integer(4) + P.append),
            ("config", P.global("yacs.config", "CfgNode") + P.emptyTuple + P.newObject + P.text("K") + P.integer(1) + P.setItem),
            ("set", P.call("__builtin__", "set", [P.emptyList])),
            ("sparse", P.call("torch._utils", "_rebuild_sparse_tensor", [P.none])),
            ("complex", P.tensor("0", type: "ComplexFloatStorage", stored: 1, shape: [1], strides: [1])),
        ])
        let source = try opened(ZipBytes.torch(value, [bytes([1, 2])]).bytes, in: directory)
        #expect(source.metadata == ["epoch": "9", "rate": "0.5", "half": "true", "name": "ViT", "list": "[4]"])
        #expect(
            source.ignoredObjects == [
                "config: yacs.config.CfgNode", "set: __builtin__.set",
                "sparse: torch._utils._rebuild_sparse_tensor", "complex: torch.ComplexFloatStorage",
            ])
        #expect(
            throws: WeightFileError(
                path: source.path, problem: .notATensor(name: "complex", object: "torch.ComplexFloatStorage"))
        ) { try source.description(of: "complex") }
    }

    // MARK: TorchScript

    private func module(_ name: String, _ attributes: [(String, [UInt8])]) -> [UInt8] {
        P.global("__torch__", name) + P.emptyTuple + P.newObject + P.dictionary(attributes) + P.build
    }

    /// T1.
    @Test func classesOfTorchScriptHoldAttributes() throws {
        let directory = try TemporaryDirectory()
        let value = P.global("__torch__.os", "system") + P.emptyTuple + P.newObject
            + P.dictionary([("visual", module("Tower", [("proj", P.tensor("0", count: 2)), ("training", P.no)]))]) + P.build
        let source = try opened(ZipBytes.torch(value, [bytes([1, 2])], script: true).bytes, in: directory)
        #expect(source.format == .torchScript)
        #expect(source.names == ["visual.proj"])
        #expect(source.metadata.isEmpty)
        #expect(source.ignoredObjects.isEmpty)
    }

    /// T2.
    @Test func modulesThatContainThemselves() throws {
        let value = P.global("__torch__", "A") + P.emptyTuple + P.newObject + P.put(0)
            + P.dictionary([("a", P.tensor("0", count: 2)), ("inner", P.get(0))]) + P.build
        let problem = try problem(ZipBytes.torch(value, [bytes([1, 2])], script: true).bytes)
        guard case .pickle(_, _, .moduleCycle) = problem else {
            Issue.record("\(String(describing: problem))")
            return
        }
    }

    /// T3, T4:
    /// `data/0` and `constants/0` are different; the location `cuda:0` means nothing here.
    @Test func constantsAreSeparate() throws {
        let directory = try TemporaryDirectory()
        var archive = ZipBytes.torch(module("A", [("a", P.tensor("0", count: 2))]), [bytes([1, 2])], script: true)
        archive["model/constants.pkl"].bytes = P.whole(P.tupleOf([P.tensor("0", count: 2)]))
        archive.entries.append(.init("model/constants/0", bytes([3, 4])))
        let source = try opened(archive.bytes, in: directory)
        #expect(source.names == ["a"])
        #expect(try source.floats(named: "a") == [1, 2])
        #expect(source.ignoredObjects == ["constants: 1 tensors of the program"])
    }
}
