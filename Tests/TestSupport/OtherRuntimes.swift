import Foundation
import Tensors
import Testing
import WeightFiles

/// Programs of others that run what this one exports: ONNX Runtime, OpenVINO and TensorBoard, which `.ci/test` fetches.
package enum OtherRuntimes {
    private static let packages = packageRoot + "/.build/python"

    package static let areThere = FileManager.default.fileExists(atPath: packages + "/packages")
    /// For those that skip a test.
    package static let absence: Comment = "ONNX Runtime, OpenVINO and TensorBoard are not in .build/python; .ci/fetch-runtimes puts them there"

    /// Runs a script of `Tests/Fixtures/scripts`.
    ///
    /// - Returns: its exit status, and what it printed on both streams.
    package static func run(_ script: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", fixturePath("scripts/" + script)] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["PYTHONPATH": packages]) { $1 }
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    /// What `compare_onnx.py` reads beside `NAME.onnx`.
    ///
    /// - Parameters:
    ///   - clips: `[frames, 3 × side × side]` each, RGB in 0 … 1.
    ///   - logits: of each clip.
    package static func write(clips: [Matrix], side: Int, logits: [[Float]], to path: String) throws {
        let frameCount = clips.first?.rowCount ?? 0
        try SafetensorsWriter.write(
            [
                ("frames", [clips.count, frameCount, 3, side, side], clips.flatMap(\.values)),
                ("logits", [logits.count, logits.first?.count ?? 0], logits.flatMap(\.self)),
            ], to: path)
    }

    /// Clips of noise, RGB in 0 … 1.
    package static func clips(_ count: Int, frameCount: Int, side: Int, seed: UInt64 = 1) -> [Matrix] {
        (0..<count).map { clip in
            var random = RandomSource(seed: seed, purpose: .order, item: clip)
            let columns = 3 * side * side
            return MutableMatrix(rows: frameCount, columns: columns, (0..<frameCount * columns).map { _ in random.uniform() }).reading
        }
    }

    /// The clips as the vision tower takes them.
    ///
    /// - Parameters:
    ///   - mean, deviation: of pixels in 0 … 1, for each channel.
    package static func normalized(_ clips: [Matrix], mean: [Float], deviation: [Float]) -> [Matrix] {
        clips.map { clip in
            let plane = clip.columnCount / 3
            let values = clip.values.enumerated().map { place, value in
                let channel = place % clip.columnCount / plane
                return (value - mean[channel]) / deviation[channel]
            }
            return MutableMatrix(rows: clip.rowCount, columns: clip.columnCount, values).reading
        }
    }
}
