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
    /// In the order of their bytes. Names in nested dictionaries are joined by dots: "state_dict.visual.proj".
    var tensors: [TensorDescription] { get }

    /// - Throws: `missingTensor`, with the nearest name there is.
    func description(of name: String) throws(WeightFileError) -> TensorDescription
    /// Reads a tensor of 64, 32 or 16 bit floating point straight into memory of the caller.
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
}
