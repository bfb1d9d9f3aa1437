import TestSupport
import Testing
import WeightFiles

/// Tensors against the storages they stand on.
@Suite struct PyTorchTensorTests {
    private func fault(_ tensor: [UInt8], storage: [UInt8] = bytes([1, 2])) throws -> WeightFileError.Problem? {
        try problem(ZipBytes.torch(P.dictionary([("a", tensor)]), [storage]).bytes)
    }

    /// P11.
    @Test func declaredSizesMustFit() throws {
        #expect(
            try fault(P.tensor("0", count: 3))
                == .storage(tensor: "a", fault: .byteCount(entry: "data/0", stored: 8, declared: 12)))
        #expect(
            try fault(P.tensor("0", stored: .max, shape: [1], strides: [1]))
                == .storage(tensor: "a", fault: .byteCount(entry: "data/0", stored: 8, declared: .max)))
        #expect(
            try fault(P.tensor("0", type: "HalfStorage", stored: 2, shape: [2], strides: [1]))
                == .storage(tensor: "a", fault: .byteCount(entry: "data/0", stored: 8, declared: 4)))
    }

    /// P12.
    @Test(arguments: [
        (0, [3], [1]), (1, [2], [1]), (2, [1], [1]), (0, [2], [1 << 62]), (0, [2, 2], [Int.max, Int.max]),
        (Int.max, [1], [1]), (3, [0], [1]),
    ])
    func viewsBeyondTheStorage(offset: Int, shape: [Int], strides: [Int]) throws {
        #expect(
            try fault(P.tensor("0", stored: 2, offset: offset, shape: shape, strides: strides))
                == .storage(
                    tensor: "a", fault: .outside(shape: shape, strides: strides, offset: offset, elementCount: 2)))
    }

    /// P12.
    @Test func numbersThatAreNoSizes() throws {
        for (offset, shape, strides) in [(-1, [1], [1]), (0, [-1], [1]), (0, [1], [-1]), (0, [1], [1, 1])] {
            let problem = try fault(P.tensor("0", stored: 2, offset: offset, shape: shape, strides: strides))
            guard case .pickle(_, _, .call) = problem else {
                Issue.record("\(String(describing: problem))")
                return
            }
        }
        for shape in [[1 << 32, 1 << 32], [0, 1 << 62, 1 << 62], [Int.max]] {
            #expect(
                try fault(P.tensor("0", stored: 2, shape: shape, strides: shape.map { _ in 0 }))
                    == .sizeOverflow(tensor: "a", shape: shape))
        }
    }

    /// P13, P14.
    @Test func amplification() throws {
        guard case .storage("a", .total) = try fault(P.tensor("0", stored: 2, shape: [1_000_000], strides: [0])) else {
            Issue.record("one element became a million")
            return
        }
        let storage = bytes([Float](repeating: 1, count: 10_000))
        let names = (0..<2000).map { ("t\($0)", $0 == 0 ? P.tensor("0", count: 10_000) + P.put(9) : P.get(9)) }
        guard case .storage(_, .total) = try problem(ZipBytes.torch(P.dictionary(names), [storage]).bytes) else {
            Issue.record("2,000 tensors on one storage")
            return
        }
        #expect(
            try fault(P.tensor("0", stored: 2, shape: [2, 2], strides: [1, 1]), storage: bytes([1, 2]))
                != nil)
    }

    @Test func storagesWithTwoTypes() throws {
        let value = P.dictionary([
            ("a", P.tensor("0", count: 2)), ("b", P.tensor("0", type: "IntStorage", stored: 2, shape: [2], strides: [1])),
        ])
        guard case .pickle(_, _, .wrongValue) = try problem(ZipBytes.torch(value, [bytes([1, 2])]).bytes) else {
            Issue.record("two types were accepted")
            return
        }
    }

    /// P22: they are read; what computes with them refuses them.
    @Test func notFinite() throws {
        let directory = try TemporaryDirectory()
        let source = try opened(
            ZipBytes.torch(P.dictionary([("a", P.tensor("0", count: 2))]), [bytes([.nan, -.infinity])]).bytes, in: directory)
        let values = try source.floats(named: "a")
        #expect(values[0].isNaN && values[1] == -.infinity)
    }

    /// Larger than one piece of the reader, from several threads at once.
    @Test func largeTransposedTensor() async throws {
        let directory = try TemporaryDirectory()
        let (rows, columns) = (900, 700)
        let stored = (0..<rows * columns).map(Float.init)
        let value = P.dictionary([
            ("t", P.tensor("0", stored: rows * columns, shape: [columns, rows], strides: [1, columns])),
            ("whole", P.tensor("0", stored: rows * columns, shape: [rows, columns], strides: [columns, 1])),
            ("sparse", P.tensor("0", stored: rows * columns, offset: 5, shape: [3, 2], strides: [columns * 300, 350])),
        ])
        let source = try opened(ZipBytes.torch(value, [bytes(stored)]).bytes, in: directory)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let transposed = try source.floats(named: "t")
                    #expect((0..<columns).allSatisfy { column in
                        (0..<rows).allSatisfy { transposed[column * rows + $0] == stored[$0 * columns + column] }
                    })
                    #expect(try source.floats(named: "whole") == stored)
                }
            }
            try await group.waitForAll()
        }
        let sparse = try source.floats(named: "sparse")
        #expect(sparse == [5, 355, 210_005, 210_355, 420_005, 420_355])
    }

    // MARK: What PyTorch wrote

    @Test(arguments: [
        "types", "views", "training", "no-checksums", "other-tensors", "loop", "scripted", "traced",
    ])
    func torchArchives(name: String) throws {
        let expected = try Digests("torch/expected.json").files[name + ".pt"] ?? [:]
        let source = try openWeights(fixturePath("torch/\(name).pt"))
        let readable = source.tensors.filter { $0.elementType.isReadableAsFloat }
        let missing = Set(expected.keys).subtracting(source.names)
        #expect(!expected.isEmpty && missing.isEmpty, "\(missing)")
        for tensor in readable where expected[tensor.name] != nil {
            #expect(tensor.shape == expected[tensor.name]?.shape)
            #expect(try digest(source.floats(named: tensor.name)) == expected[tensor.name]?.digest, "\(tensor.name)")
        }
    }

    /// P18 as numpy writes it.
    @Test func torchTrainingState() throws {
        let source = try openWeights(fixturePath("torch/training.pt"))
        #expect(source.metadata["epoch"] == "9")
        #expect(source.metadata["negative"] == "-1099511627776")
        #expect(source.metadata["size"] == "[3, 4]")
        #expect(source.metadata["history"] == "[0.5, 0.25]")
        #expect(source.metadata["optimizer.param_groups.0.betas"] == "[0.9, 0.98]")
        #expect(try source.description(of: "counts").elementType == .int64)
        #expect(source.ignoredObjects == [
            "max_accuracy: numpy._core.multiarray.scalar", "big: a number beyond 64 bits",
        ])
        #expect(try openWeights(fixturePath("torch/no-checksums.pt")).warnings.count == 1)
        #expect(try openWeights(fixturePath("torch/traced.pt")).format == .torchScript)
    }

    @Test func torchFilesThatAreRefused() throws {
        let cases: [(String, WeightFileError.Problem)] = [
            ("protocol-3", .pickle(entry: "data.pkl", offset: 85, fault: .protocol(3))),
            ("legacy", .lookalike(.legacyTorch)),
            ("module", .wholeObject(name: "torch.nn.modules.container.Sequential")),
        ]
        for (name, expected) in cases {
            let path = fixturePath("torch/\(name).pt")
            do {
                _ = try openWeights(path)
                Issue.record("\(name) opened")
            } catch {
                if case .pickle(_, _, let fault) = error.problem, case .pickle(_, _, let wanted) = expected {
                    #expect(fault == wanted)
                } else {
                    #expect(error.problem == expected)
                }
            }
        }
        for number in [4, 5] {
            do {
                _ = try openWeights(fixturePath("torch/protocol-\(number).pt"))
                Issue.record("protocol \(number) opened")
            } catch {
                guard case .pickle(_, _, .protocol(number)) = error.problem else {
                    Issue.record("\(error)")
                    return
                }
            }
        }
    }

    @Test func releasedLayouts() throws {
        let digests = try Digests("formats/digests.json").files
        let script = try openWeights(fixturePath("formats/openai-style.pt"))
        #expect(script.format == .torchScript)
        for (name, expected) in digests["openai-style"] ?? [:] {
            #expect(try digest(script.floats(named: name, shape: expected.shape)) == expected.digest, "\(name)")
        }
        let training = try openWeights(fixturePath("formats/vifi-prompt-style.pth"))
        #expect(training.ignoredObjects.contains("config: yacs.config.CfgNode"))
        #expect(training.metadata["epoch"] == "9")
        for (name, expected) in digests["clip-mini"] ?? [:] where name.hasPrefix("visual.") {
            let released = "model.module.image_encoder." + name.dropFirst(7)
            #expect(try digest(training.floats(named: released, shape: expected.shape)) == expected.digest, "\(name)")
        }
    }
}
