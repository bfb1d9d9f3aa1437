import Files
import Glibc
import Tensors
import WeightFiles

/// A CLIP that is only read: shared by all workers, never written by anything that holds it.
package struct Backbone: Sendable {
    package let architecture: CLIPArchitecture
    package let parameters: BackboneParameters<Matrix>
    package let description: BackboneDescription
    /// SHA-256 over names, shapes and float32 bytes of all tensors in the order of their names.
    package let digest: String
    package let vision: VisionTower
    package internal(set) var text: TextTower

    package init(architecture: CLIPArchitecture, parameters: BackboneParameters<Matrix>, description: BackboneDescription) {
        self.architecture = architecture
        self.parameters = parameters
        self.description = description
        digest = parameters.digest(of: architecture)
        vision = VisionTower(architecture: architecture, parameters: parameters.vision)
        text = TextTower(architecture: architecture, parameters: parameters.text)
    }

    /// The factor on cosine similarities, `exp(logit_scale)`.
    package var logitScale: Float { parameters.scale }

    package var parameterCount: Int { parameters.all.reduce(0) { $0 + $1.count } }

    /// Reads a backbone from a safetensors file with OpenAI CLIP's tensor names.
    ///
    /// - Throws: `ModelError` or `WeightFileError`, naming the file and the tensor.
    package static func load(_ path: String) throws -> Backbone {
        let file = try SafetensorsFile(path: path)
        if file.metadata[PromptHeader.Key.format] != nil { throw ModelError.inFile(path: path, .notABackbone) }
        do {
            let shapes = Dictionary(file.tensors.map { ($0.name, $0.shape) }, uniquingKeysWith: { first, _ in first })
            let architecture = try CLIPArchitecture(shapes: shapes)
            let specifications = BackboneParameters<TensorSpecification>(of: architecture)
            try Self.check(shapes: shapes, against: specifications)
            let parameters = try specifications.map { specification in
                let matrix = MutableMatrix(rows: specification.rowCount, columns: specification.columnCount)
                try unsafe matrix.withMutableValues {
                    try unsafe file.readFloats(named: specification.name, shape: shapes[specification.name] ?? [], into: $0)
                }
                let nonFinite = nonFiniteCount(in: matrix)
                guard nonFinite == 0 else { throw ModelError.nonFinite(name: specification.name, count: nonFinite) }
                return matrix.reading
            }
            return Backbone(
                architecture: architecture, parameters: parameters,
                description: try BackboneDescription(metadata: file.metadata, path: path))
        } catch let error as ModelError {
            throw ModelError.inFile(path: path, error)
        }
    }

    private static func check(
        shapes: [String: [Int]], against specifications: BackboneParameters<TensorSpecification>
    ) throws(ModelError) {
        var expected: Set<String> = []
        for specification in specifications.all {
            expected.insert(specification.name)
            guard let shape = shapes[specification.name] else { throw .missingTensor(name: specification.name) }
            // OpenAI stores the logit scale as a scalar, others as a vector of one.
            guard shape == specification.shape || (specification.shape.isEmpty && shape == [1]) else {
                throw .unexpectedShape(name: specification.name, shape: shape, expected: "\(specification.shape)")
            }
        }
        if let unknown = shapes.keys.sorted().first(where: { !expected.contains($0) }) { throw .unexpectedTensor(name: unknown) }
    }

    /// Writes the backbone durably. Returns the file's SHA-256.
    ///
    /// - Parameter elementType: `.float16` halves the file and rounds the weights.
    @discardableResult
    package func save(to path: String, elementType: ElementType = .float32) throws(WeightFileError) -> String {
        let specifications = BackboneParameters<TensorSpecification>(of: architecture).all
        let elements = Dictionary(uniqueKeysWithValues: zip(specifications.map(\.name), parameters.all))
        var writer = try SafetensorsWriter(
            path: path,
            tensors: specifications.map { SafetensorsWriter.Plan(name: $0.name, shape: $0.shape, elementType: elementType) },
            metadata: description.metadata)
        for plan in writer.plans { try writer.append(elements[plan.name]?.values ?? []) }
        return try writer.commit()
    }

    /// Rounds every weight to half precision, as a file of half the size holds it.
    package func roundedToHalf() -> Backbone {
        let rounded = parameters.map { matrix in
            MutableMatrix(rows: matrix.rowCount, columns: matrix.columnCount, matrix.values.map { Float(Float16($0)) }).reading
        }
        return Backbone(architecture: architecture, parameters: rounded, description: description)
    }
}

extension BackboneParameters where Element: Readable {
    package var scale: Float { exp(logitScale.reading[0, 0]) }

    package func digest(of architecture: CLIPArchitecture) -> String {
        let specifications = BackboneParameters<TensorSpecification>(of: architecture).all
        var digest = Digest()
        for (specification, element) in zip(specifications, all).sorted(by: { $0.0.name < $1.0.name }) {
            digest.update(Array("\(specification.name) \(specification.shape)\n".utf8))
            unsafe element.withValues { unsafe digest.update(UnsafeRawBufferPointer($0)) }
        }
        return digest.hexadecimal
    }
}
