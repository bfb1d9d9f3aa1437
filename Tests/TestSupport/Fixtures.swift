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

    package func shape(_ name: String) throws -> [Int] { try file.description(of: name).shape }
}
