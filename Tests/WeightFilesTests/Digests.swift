import Files
import Foundation
import TestSupport

/// Shapes and SHA-256 of float32 bytes, as a Python script noted them: file → tensor → `[[shape], digest]`.
struct Digests {
    struct Tensor: Equatable {
        let shape: [Int]
        let digest: String
    }

    var files: [String: [String: Tensor]] = [:]

    init(_ name: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: fixturePath(name)))
        let json = try JSONSerialization.jsonObject(with: data) as? [String: [String: [Any]]] ?? [:]
        for (file, tensors) in json {
            for (tensor, facts) in tensors where facts.count == 2 {
                guard let shape = facts[0] as? [Int], let digest = facts[1] as? String else { continue }
                files[file, default: [:]][tensor] = Tensor(shape: shape, digest: digest)
            }
        }
    }
}

func digest(_ floats: [Float]) -> String {
    var digest = Digest()
    floats.withUnsafeBytes { digest.update($0) }
    return digest.hexadecimal
}
