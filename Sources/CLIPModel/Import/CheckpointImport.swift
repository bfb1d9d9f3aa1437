import Files
import Tensors
import WeightFiles

/// What an import wrote.
package struct ImportReport: Sendable {
    package let path: String
    /// SHA-256 of the file that was read; nil for a folder.
    package let sourceDigest: String?
    /// SHA-256 of the file that was written.
    package let fileDigest: String
    /// `Backbone.digest` of what was written.
    package let backboneDigest: String
    /// Tensors with values that are NaN or infinite, and how many.
    package let nonFinite: [(name: String, count: Int)]
    /// Tensors of 64-bit numbers, whose values were rounded.
    package let roundedNames: [String]
    /// Where the vocabulary went that lay beside the source.
    package let vocabularyPath: String?
}

extension Checkpoint {
    /// Writes the CLIP as one of our backbone files, tensor by tensor: one of them is in memory at a time, and
    /// another in the thread that computes digests.
    ///
    /// - Parameters:
    ///   - isFloat16: rounds every weight to float16; else each keeps its type, and float64 becomes float32.
    ///   - vocabulary: the model's vocabulary, to be kept beside the backbone; nil for the one beside the source.
    /// - Throws: `WeightFileError`; `TokenizerError` where the vocabulary is another kind of model's, `ModelError` where it has not the
    ///   size of the token table, `FileError` where memory does not suffice.
    package func write(to path: String, isFloat16: Bool = false, vocabulary vocabularyFile: String? = nil) throws -> ImportReport {
        let vocabulary = try (vocabularyFile ?? vocabularyPath).map { try self.vocabulary(at: $0, isNamed: vocabularyFile != nil) }
        // The tensor that is written and the one whose digest is computed; what is turned or rounded is there twice.
        let largest = 4 * (tensors.all.map { isFloat16 || $0.isTransposed ? 2 * $0.count : $0.count }.max() ?? 0)
        try requireMemory(2 * largest + Self.workingByteCount, for: self.path)
        var described = description
        described.vocabularyDigest = vocabulary?.digest ?? description.vocabularyDigest
        let metadata = described.metadata.merging(architecture.metadata) { own, _ in own }
        let named = namedTensors
        let byName = Dictionary(named.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
        let plans = named.map { name, tensor in
            SafetensorsWriter.Plan(
                name: name, shape: tensor.shape, elementType: isFloat16 ? .float16 : tensor.elementType.whenWritten)
        }
        let source = isDirectory(self.path) ? nil : self.path
        let results = ImportResults()
        let errors = FirstError()
        // The source's digest and the backbone's are computed beside the writing.
        WorkerPool(threadCount: min(3, WorkerPool.availableProcessors)).parallelFor(3) { _, item in
            do {
                switch item {
                case 0:
                    var writer = try SafetensorsWriter(path: path, tensors: plans, metadata: metadata)
                    var nonFinite: [(name: String, count: Int)] = []
                    for plan in writer.plans {
                        guard let tensor = byName[plan.name] else { continue }
                        let matrix = try tensor.matrix()
                        let count = nonFiniteCount(in: matrix)
                        if count > 0 { nonFinite.append((tensor.origin.names[0], count)) }
                        try unsafe matrix.withMutableValues { try unsafe writer.append(UnsafeBufferPointer($0)) }
                    }
                    results.set { $0.nonFinite = nonFinite }
                    let digest = try writer.commit()
                    results.set { $0.file = digest }
                case 1:
                    guard let source else { return }
                    let digest = try Digest.ofFile(source)
                    results.set { $0.source = digest }
                default:
                    let digest = try digest(named, isFloat16: isFloat16)
                    results.set { $0.backbone = digest }
                }
            } catch {
                errors.note(error, item: item)
            }
        }
        try errors.check()
        return ImportReport(
            path: path, sourceDigest: results.source, fileDigest: results.file, backboneDigest: results.backbone,
            nonFinite: results.nonFinite,
            roundedNames: named.filter { $0.tensor.elementType == .float64 }.map { $0.tensor.origin.names[0] },
            vocabularyPath: try vocabulary.map { try $0.keep(beside: path) })
    }

    /// `Backbone.digest` of the file that is written, without holding more than one tensor.
    private func digest(_ named: [(name: String, tensor: MappedTensor)], isFloat16: Bool) throws -> String {
        var digest = Digest()
        for (name, tensor) in named {
            var matrix = try tensor.matrix()
            if isFloat16 { matrix = matrix.roundedToFloat16() }
            Backbone.update(&digest, name: name, shape: tensor.shape, with: matrix)
        }
        return self.digest(ofWeights: digest.hexadecimal)
    }

    /// A vocabulary with as many tokens as the model has. One that lies beside the weights of a model that is not
    /// CLIP's own may have more: whoever uses it is told.
    private func vocabulary(at path: String, isNamed: Bool) throws -> KeptVocabulary {
        let vocabulary = try KeptVocabulary(path: path, for: description.tokenizer)
        let (found, needed) = (vocabulary.tokenCount, architecture.vocabularySize)
        let isPlausible = !isNamed && needed != CLIPArchitecture.usualVocabularySize && found > needed
        guard found == needed || isPlausible else {
            throw ModelError.inFile(path: path, .vocabularySize(tokenizer: found, backbone: needed))
        }
        return vocabulary
    }
}

/// What the three threads of an import found. Unchecked Sendable: guarded by the lock.
private final class ImportResults: @unchecked Sendable {
    private let lock = Monitor()
    var source: String?
    var file = ""
    var backbone = ""
    var nonFinite: [(name: String, count: Int)] = []

    func set(_ body: (ImportResults) -> Void) {
        lock.lock()
        body(self)
        lock.unlock()
    }
}

extension ElementType {
    /// The type that a backbone file gives values of this one.
    fileprivate var whenWritten: ElementType {
        switch self {
        case .float16, .bfloat16: self
        default: .float32
        }
    }
}
