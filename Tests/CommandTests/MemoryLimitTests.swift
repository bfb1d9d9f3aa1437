import Foundation
import TestSupport
import Testing
import WeightFiles

/// A machine that has too little memory, as a limit on the address space makes it: an error with a size and a remedy,
/// never a crash and never a program that does not end.
@Suite(.serialized) struct MemoryLimitTests {
    private let program: Program

    init() throws { program = try Program() }

    /// A CLIP whose token table takes 100 MB as floats.
    private func writeLarge() throws {
        let source = try SafetensorsFile(path: fixturePath("clip/clip-mini.safetensors"))
        let width = try #require(try source.description(of: "token_embedding.weight").shape.last)
        let rows = 25_000_000 / width
        let plans = source.tensors.map { tensor in
            SafetensorsWriter.Plan(
                name: tensor.name, shape: tensor.name == "token_embedding.weight" ? [rows, width] : tensor.shape, elementType: .float16)
        }
        var writer = try SafetensorsWriter(path: program.folder.path("large.safetensors"), tensors: plans)
        for plan in writer.plans {
            if plan.name == "token_embedding.weight" {
                // Not zeros, so that no file system leaves them out.
                try writer.append([Float](repeating: 0.25, count: rows * width))
            } else {
                try writer.append(source.floats(named: plan.name))
            }
        }
        try writer.commit()
    }

    /// From where the program can start at all to where it has enough.
    @Test func everyLimitEndsInAnError() throws {
        try writeLarge()
        var sawError = false
        for command in ["inspect large.safetensors --activation gelu", "bridge --import large.safetensors --activation gelu --output o.safetensors --force"] {
            for megabytes in stride(from: 400, through: 800, by: 50) {
                let line = "ulimit -v \(megabytes << 10); timeout -s KILL 60 vifi-prompt \(command)"
                let outcome = try program.shell(line)
                // The system's loader and OpenBLAS end a program that they cannot start: 127 and 130.
                guard ![127, 130].contains(outcome.status) else { continue }
                #expect([0, 69].contains(outcome.status), "\(line): \(outcome.status) \(outcome.messages)")
                guard outcome.status == 69 else { continue }
                sawError = true
                #expect(outcome.messages.contains("MB") && outcome.messages.contains("ulimit -v"), "\(outcome.messages)")
                #expect(!FileManager.default.fileExists(atPath: program.folder.path("o.safetensors")))
            }
        }
        #expect(sawError)
    }

    /// OpenBLAS's threads wait for memory for ever, and its end waits for them.
    @Test func theProgramEnds() throws {
        for megabytes in stride(from: 360, through: 520, by: 20) {
            let outcome = try program.shell(
                "ulimit -v \(megabytes << 10); timeout -s KILL 60 vifi-prompt inspect \(fixturePath("clip/clip-mini.safetensors"))")
            #expect([0, 69, 127, 130].contains(outcome.status), "\(megabytes) MB: \(outcome.status) \(outcome.messages)")
        }
    }

    /// e^100 is beyond a float, and JSON has no word for infinity.
    @Test func jsonOfInfiniteNumbers() throws {
        let source = try SafetensorsFile(path: fixturePath("clip/clip-mini.safetensors"))
        let tensors = try source.tensors.map { tensor in
            (name: tensor.name, shape: tensor.shape, values: tensor.name == "logit_scale" ? [100] : try source.floats(named: tensor.name))
        }
        try SafetensorsWriter.write(tensors, to: program.folder.path("inf.safetensors"))
        let outcome = try program("inspect", "inf.safetensors", "--activation", "gelu", "--json")
        #expect(outcome.status == 0, "\(outcome.messages)")
        let json = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        #expect((json["backbone"] as? [String: Any])?["logit_scale"] as? String == "inf")
    }
}
