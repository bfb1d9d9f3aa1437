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
    package let weightsDigest: String
    /// Names these weights and everything else that changes what they compute.
    package let digest: String
    package private(set) var vision: VisionTower
    package internal(set) var text: TextTower
    /// Of the towers' large products; int8 is the vision tower's alone. The parameters are float32 in any case.
    package let precision: Precision

    /// CLIP's vocabulary beside the file or folder that the backbone was read from.
    package let vocabularyPath: String?
    /// What was guessed when it was read.
    package let warnings: [CheckpointWarning]

    package init(architecture: CLIPArchitecture, parameters: BackboneParameters<Matrix>, description: BackboneDescription) {
        self.init(
            architecture: architecture, parameters: parameters, description: description,
            weightsDigest: parameters.digest(of: architecture), vocabularyPath: nil, warnings: [])
    }

    /// - Parameter weightsDigest: of exactly these parameters.
    init(
        architecture: CLIPArchitecture, parameters: BackboneParameters<Matrix>, description: BackboneDescription, weightsDigest: String,
        vocabularyPath: String?, warnings: [CheckpointWarning], precision: Precision = .float32
    ) {
        self.architecture = architecture
        self.parameters = parameters
        self.description = description
        self.weightsDigest = weightsDigest
        digest = Self.digest(ofWeights: weightsDigest, architecture: architecture, description: description)
        self.vocabularyPath = vocabularyPath
        self.warnings = warnings
        self.precision = precision
        vision = VisionTower(
            architecture: architecture, parameters: parameters.vision, messages: parameters.crossFrame?.messages ?? [], precision: precision)
        text = TextTower(architecture: architecture, parameters: parameters.text, precision: precision.besideProducts)
    }

    /// The same weights, whose towers compute in `precision`.
    package func computing(in precision: Precision) -> Backbone {
        Backbone(
            architecture: architecture, parameters: parameters, description: description, weightsDigest: weightsDigest,
            vocabularyPath: vocabularyPath, warnings: warnings, precision: precision)
    }

    /// Of the vision tower, `[vision width, embeddingWidth]`; the identity where it has none.
    package var projection: Matrix {
        if let projection = parameters.vision.projection { return projection }
        let width = architecture.embeddingWidth
        let identity = MutableMatrix(rows: width, columns: width)
        for index in 0..<width { identity[index, index] = 1 }
        return identity.reading
    }

    /// Of another projection than the backbone's own.
    private var projectionDigest: String?

    /// Names what the vision tower computes.
    var visionIdentity: String { "\(digest) \(precision) \(projectionDigest ?? "")" }

    /// The same backbone, whose vision tower ends in another projection. Name and digest stay: they tell what the
    /// projection was learned on.
    ///
    /// - Parameter projection: of the same shape as the backbone's own.
    package func projecting(through projection: Matrix) -> Backbone {
        var backbone = self
        backbone.vision = vision.projecting(through: projection)
        var digest = Digest()
        Self.update(&digest, name: "projection", shape: [projection.rowCount, projection.columnCount], with: projection)
        backbone.projectionDigest = digest.hexadecimal
        return backbone
    }

    /// An X-CLIP of this CLIP's weights.
    ///
    /// - Parameter start: the tensors that a CLIP does not have.
    /// - Precondition: its towers are of CLIP's form.
    package func lettingFramesSeeEachOther(
        frameCount: Int, start: (CLIPArchitecture) -> CrossFrameParameters<MutableMatrix>?
    ) -> Backbone {
        var (architecture, parameters) = (architecture, parameters)
        architecture.crossFrame = CrossFrameArchitecture(frameCount: frameCount, width: architecture.embeddingWidth)
        parameters.crossFrame = start(architecture)?.map(\.reading)
        return Backbone(architecture: architecture, parameters: parameters, description: description).computing(in: precision)
    }

    /// The factor on cosine similarities, `exp(logit_scale)`.
    package var logitScale: Float { parameters.scale }

    package var parameterCount: Int { parameters.all.reduce(0) { $0 + $1.count } }

    /// Reads any CLIP with two transformers: a backbone file of ours, or whatever `Checkpoint` understands.
    ///
    /// - Throws: `ModelError` or `WeightFileError`, naming the file and the tensor.
    package static func load(_ path: String, options: CheckpointOptions = CheckpointOptions()) throws -> Backbone {
        try Checkpoint(path: path, options: options).backbone()
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
            metadata: description.metadata.merging(architecture.metadata) { own, _ in own })
        for plan in writer.plans { try writer.append(elements[plan.name]?.values ?? []) }
        return try writer.commit()
    }

    /// Rounds every weight to float16, as a file of that type holds it.
    package func roundedToFloat16() -> Backbone {
        Backbone(
            architecture: architecture, parameters: parameters.map { $0.roundedToFloat16().reading }, description: description)
    }
}

extension BackboneParameters where Element: Readable {
    package var scale: Float { exp(logitScale.reading[0, 0]) }

    /// `Backbone.weightsDigest`.
    package func digest(of architecture: CLIPArchitecture) -> String {
        let specifications = BackboneParameters<TensorSpecification>(of: architecture).all
        var digest = Digest()
        for (specification, element) in zip(specifications, all).sorted(by: { $0.0.name < $1.0.name }) {
            Backbone.update(&digest, name: specification.name, shape: specification.shape, with: element)
        }
        return digest.hexadecimal
    }
}

extension BackboneParameters<MutableMatrix> {
    /// Bound on the factor on similarities where it learns with negatives of its batch: Radford et al. 2021,
    /// section 2.5. ViFi-CLIP's training on classes has none (methods 1.1).
    package static var largestScale: Float { 100 }

    package func limitScale(to largest: Float) {
        logitScale[0, 0] = min(logitScale[0, 0], log(largest))
    }
}

extension Backbone {
    /// Adds one tensor to a backbone's digest.
    static func update(_ digest: inout Digest, name: String, shape: [Int], with values: some Readable) {
        digest.update(Array("\(name) \(shape)\n".utf8))
        unsafe values.withValues { unsafe digest.update(UnsafeRawBufferPointer($0)) }
    }
}
