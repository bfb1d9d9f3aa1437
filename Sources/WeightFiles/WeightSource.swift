import Files

/// Named tensors in a file or folder of weights, whatever its format: what importers read from.
///
/// Everything that the source says of itself is proven to fit its bytes before it is handed out.
/// Reading is safe from several threads.
package protocol WeightSource: AnyObject, Sendable {
    /// The file or folder, for messages.
    var path: String { get }
    var format: WeightFormat { get }
    /// What the file says beside its tensors, as text: safetensors' `__metadata__`, or the numbers, words
    /// and truth values of a pickle by their dotted names.
    var metadata: [String: String] { get }
    /// Objects that the file names and that nothing was made of, as "config: yacs.config.CfgNode".
    var ignoredObjects: [String] { get }
    /// What a person should know before trusting the file, as sentences; to be shown once.
    var warnings: [String] { get }
    /// In the order of their bytes. Names in nested dictionaries are joined by dots: "state_dict.visual.proj".
    var tensors: [TensorDescription] { get }

    func contains(_ name: String) -> Bool
    /// - Throws: `missingTensor`, with the nearest name there is.
    func description(of name: String) throws(WeightFileError) -> TensorDescription
    /// Reads a tensor of 64, 32 or 16 bit floating point straight into memory of the caller, in
    /// row-major order. A file with checksums is checked by them before this returns.
    ///
    /// - Precondition: `destination` has room for exactly the elements of `shape`.
    func readFloats(
        named name: String, shape: [Int], into destination: UnsafeMutableBufferPointer<Float>
    ) throws(WeightFileError)
    /// All elements of such a tensor, in row-major order.
    func floats(named name: String, shape: [Int]?) throws(WeightFileError) -> [Float]
}

/// What a source of weights was found to be, by its content.
package enum WeightFormat: String, Sendable, CaseIterable {
    case safetensors
    /// A Hugging Face folder: safetensors in one piece or in shards.
    case shardedSafetensors = "sharded safetensors"
    /// A zip archive of `torch.save`.
    case pyTorch = "PyTorch state dict"
    /// A zip archive of `torch.jit.save`.
    case torchScript = "TorchScript archive"
}

extension WeightSource {
    package var names: [String] { tensors.map(\.name) }
    package var ignoredObjects: [String] { [] }
    package var warnings: [String] { [] }

    package func floats(named name: String, shape: [Int]? = nil) throws(WeightFileError) -> [Float] {
        let tensor = try description(of: name)
        let shape = shape ?? tensor.shape
        return try unsafe filledArray(count: tensor.elementCount, path: path) { destination throws(WeightFileError) in
            try unsafe self.readFloats(named: name, shape: shape, into: destination)
        }
    }
}

/// Tensors by their names, as every source keeps them.
struct TensorIndex: Sendable {
    let path: String
    let tensors: [TensorDescription]
    private let indexOfName: [Bytewise: Int]

    /// - Parameter tensors: with unique names.
    init(_ tensors: [TensorDescription], path: String) {
        self.path = path
        self.tensors = tensors
        indexOfName = Dictionary(
            tensors.enumerated().map { (Bytewise($0.element.name), $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    func contains(_ name: String) -> Bool { indexOfName[name] != nil }

    /// - Throws: `missingTensor`, with the nearest name there is.
    func index(of name: String) throws(WeightFileError) -> Int {
        if let index = indexOfName[name] { return index }
        // Comparing takes the product of both lengths.
        let similar = name.utf8.count > 256
            ? [] : Array(tensors.lazy.map(\.name).filter { abs($0.utf8.count - name.utf8.count) <= 8 }.prefix(256))
        throw WeightFileError(
            path: path, problem: .missingTensor(name: name, nearest: name.nearest(among: similar)))
    }

    /// - Throws: `wrongShape` where the tensor is not of `shape`, `missingTensor`.
    func index(of name: String, shape: [Int]?) throws(WeightFileError) -> Int {
        let index = try index(of: name)
        if let shape, tensors[index].shape != shape {
            throw WeightFileError(
                path: path, problem: .wrongShape(tensor: name, found: tensors[index].shape, needed: shape))
        }
        return index
    }
}
