import Files
import Glibc
import Synchronization
import Tensors
import WeightFiles

extension MappedTensor {
    var count: Int { shape.reduce(1, *) }

    var isTransposed: Bool {
        if case .transposed = origin { return true }
        return false
    }

    /// Reads the tensor as ours.
    ///
    /// - Precondition: `destination` has room for exactly `count` values.
    func read(into destination: UnsafeMutableBufferPointer<Float>) throws {
        switch origin {
        case .same(let name), .squeezed(let name):
            try unsafe source.readFloats(named: name, shape: try source.description(of: name).shape, into: destination)
        case .stacked(let names):
            var start = 0
            for name in names {
                let shape = try source.description(of: name).shape
                let end = start + shape.reduce(1, *)
                try unsafe source.readFloats(
                    named: name, shape: shape, into: UnsafeMutableBufferPointer(rebasing: destination[start..<end]))
                start = end
            }
        case .transposed(let name):
            let stored = try source.floats(named: name, shape: [shape[1], shape[0]])
            unsafe transpose(stored, rows: shape[1], columns: shape[0], into: destination)
        }
    }

    /// Memory for the tensor as a matrix: the first dimension by the product of the others; a vector is one row.
    func emptyMatrix() -> MutableMatrix {
        let rows = shape.count < 2 ? 1 : shape[0]
        return MutableMatrix(rows: rows, columns: count / max(1, rows))
    }

    func matrix() throws -> MutableMatrix {
        let byteCount = count * MemoryLayout<Float>.stride
        if byteCount >= smallRequest { try requireMemory(byteCount, for: source.path) }
        let matrix = emptyMatrix()
        try unsafe matrix.withMutableValues { try unsafe read(into: $0) }
        return matrix
    }
}

/// `destination` becomes `values`, `[rows, columns]`, the other way round. In squares, so that both sides stay in cache.
private func transpose(_ values: [Float], rows: Int, columns: Int, into destination: UnsafeMutableBufferPointer<Float>) {
    let side = 32
    for top in stride(from: 0, to: rows, by: side) {
        for left in stride(from: 0, to: columns, by: side) {
            for row in top..<min(top + side, rows) {
                for column in left..<min(left + side, columns) {
                    unsafe destination[column * rows + row] = values[row * columns + column]
                }
            }
        }
    }
}

extension Matrix {
    /// The values, column after column.
    var transposedValues: [Float] {
        let turned = MutableMatrix(rows: columnCount, columns: rowCount)
        unsafe turned.withMutableValues { unsafe transpose(values, rows: rowCount, columns: columnCount, into: $0) }
        return turned.values
    }
}

extension Checkpoint {
    /// What the program needs beside weights that it copies: threads' stacks and the like.
    static let workingByteCount = 64 << 20
    /// What it needs besides to compute with them: a buffer of OpenBLAS, which waits forever where it gets none.
    static let computingByteCount = workingByteCount + (128 << 20)

    /// Tensors with their names, in the order of names: that of a backbone's digest.
    var namedTensors: [(name: String, tensor: MappedTensor)] {
        let specifications = BackboneParameters<TensorSpecification>(of: architecture).all
        return zip(specifications.map(\.name), tensors.all).map { ($0, $1) }.sorted { $0.name < $1.name }
    }

    package var parameterCount: Int {
        tensors.all.reduce(0) { $0 + $1.count } - (lacksTokens ? tensors.text.tokenEmbedding.count : 0)
    }

    /// What reading all weights tells, without keeping them.
    package struct Survey: Sendable {
        /// `Backbone.digest`; nil without a token table.
        package let digest: String?
        /// The factor on cosine similarities.
        package let logitScale: Float
    }

    /// `Backbone.digest` of these weights with what the checkpoint says of them.
    func digest(ofWeights weights: String) -> String {
        Backbone.digest(ofWeights: weights, architecture: architecture, description: description)
    }

    /// Reads every weight, one tensor at a time.
    ///
    /// - Throws: as `backbone` does.
    package func survey() throws -> Survey {
        var digest = Digest()
        var logitScale: Float = 0
        for (name, tensor) in namedTensors where !lacksTokens || name != CheckpointNames.tokenEmbedding {
            let matrix = try tensor.matrix()
            try check(matrix, of: tensor)
            Backbone.update(&digest, name: name, shape: tensor.shape, with: matrix)
            if name == CheckpointNames.logitScale { logitScale = exp(matrix.reading[0, 0]) }
        }
        return Survey(digest: lacksTokens ? nil : self.digest(ofWeights: digest.hexadecimal), logitScale: logitScale)
    }

    /// - Throws: `ModelError.nonFinite`, naming the file.
    private func check(_ matrix: MutableMatrix, of tensor: MappedTensor) throws(ModelError) {
        let count = nonFiniteCount(in: matrix)
        guard count == 0 else { throw .inFile(path: path, .nonFinite(name: tensor.origin.names[0], count: count)) }
    }

    /// Reads every weight. All processors read; one of them computes the digest of what has been read.
    ///
    /// - Throws: `ModelError` or `WeightFileError` naming the tensor; values that are NaN or infinite are refused.
    package func backbone() throws -> Backbone {
        let named = namedTensors
        let specifications = BackboneParameters<TensorSpecification>(of: architecture)
        try requireMemory(named.reduce(Self.computingByteCount) { $0 + 4 * $1.tensor.count }, for: path)
        let matrices = named.map { $0.tensor.emptyMatrix() }
        let pool = WorkerPool()
        let errors = FirstError()
        let done = FinishedItems(count: named.count)
        let digest = Mutex(Digest())
        @Sendable func read(_ item: Int) {
            do {
                let matrix = matrices[item]
                try unsafe matrix.withMutableValues { try unsafe named[item].tensor.read(into: $0) }
                try check(matrix, of: named[item].tensor)
            } catch {
                errors.note(error, item: item)
            }
            done.finish(item)
        }
        @Sendable func hash(_ item: Int) {
            let shape = named[item].tensor.shape
            digest.withLock { Backbone.update(&$0, name: named[item].name, shape: shape, with: matrices[item]) }
        }
        if pool.threadCount == 1 {
            for item in named.indices {
                read(item)
                hash(item)
            }
        } else {
            // Items are handed out in ascending order: whoever hashes waits for tensors that others are reading.
            pool.parallelFor(named.count + 1) { _, item in
                guard item == 0 else { return read(item - 1) }
                for tensor in named.indices {
                    done.wait(for: tensor)
                    hash(tensor)
                }
            }
        }
        try errors.check()
        let byName = Dictionary(zip(named.map(\.name), matrices), uniquingKeysWith: { first, _ in first })
        let parameters = try specifications.map { specification in
            guard let matrix = byName[specification.name] else { throw ModelError.missingTensor(name: specification.name) }
            return matrix.reading
        }
        return Backbone(
            architecture: architecture, parameters: parameters, description: description,
            weightsDigest: digest.withLock { $0.hexadecimal }, vocabularyPath: vocabularyPath, warnings: warnings)
    }
}

/// Tensors that have been read, for whoever waits for them in order. Unchecked Sendable: guarded by the lock.
private final class FinishedItems: @unchecked Sendable {
    private let lock = Monitor()
    private var isFinished: [Bool]

    init(count: Int) { isFinished = Array(repeating: false, count: count) }

    func finish(_ item: Int) {
        lock.lock()
        isFinished[item] = true
        lock.wakeAll()
        lock.unlock()
    }

    func wait(for item: Int) {
        lock.lock()
        while !isFinished[item] { lock.wait() }
        lock.unlock()
    }
}
