import WeightFiles

/// The path of a file below `Tests/Fixtures`, for example `clip/forward.safetensors`.
package func fixturePath(_ name: String) -> String {
    let testSupport = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    return testSupport.dropLast().joined(separator: "/") + "/Fixtures/" + name
}

/// Tensors of one fixture, read when asked for.
package struct TensorFixture {
    package let file: SafetensorsFile

    /// Opens `Tests/Fixtures/NAME.safetensors`, for example `clip/forward`.
    package init(_ name: String) throws {
        file = try SafetensorsFile(path: fixturePath(name + ".safetensors"))
    }

    /// Floating-point elements in row-major order.
    package func floats(_ name: String) throws -> [Float] { try file.floats(named: name) }

    /// Elements of an integer tensor.
    package func integers(_ name: String) throws -> [Int] { try file.integers(named: name) }

    /// Token sequences from start to end token, which is the highest, of a tensor `[texts, length]` that is padded.
    package func sequences(_ name: String) throws -> [[Int]] {
        tokenSequences(in: try integers(name), length: try shape(name).last ?? 1)
    }

    package func shape(_ name: String) throws -> [Int] { try file.description(of: name).shape }

    /// A tensor beside `values`: all of it, or the 256 entries that are kept of a large one.
    package func entries(_ name: String, besides values: [Float]) throws -> (actual: [Float], expected: [Float]) {
        (sampled(values, as: name), try floats(file.contains(name + "@at") ? name + "@at" : name))
    }

    /// Of all values of a tensor those that the fixture keeps of `name`.
    package func sampled(_ values: [Float], as name: String) -> [Float] {
        file.contains(name + "@at") ? (0..<256).map { values[$0 * values.count / 256] } : values
    }
}

/// Rows of `length` ids, each up to its end token.
package func tokenSequences(in ids: [Int], length: Int) -> [[Int]] {
    stride(from: 0, to: ids.count, by: length).map { start in
        let line = ids[start..<start + length]
        return Array(line[...(line.firstIndex(of: line.max() ?? 0) ?? start)])
    }
}
