import Files

// What can be wrong with an archive of PyTorch or a folder of weights, and the words for it.

extension WeightFileError {
    /// The zip archive, before anything in it is understood. `offset` counts bytes of the file.
    package enum ArchiveFault: Error, Sendable, Equatable {
        /// The end record is missing.
        case truncated
        /// Bytes after the end record, or a comment in it.
        case bytesAfterEnd
        case record(offset: Int, needed: String)
        case name(String)
        case duplicate(String)
        case secondRoot(String, first: String)
        case flags(entry: String, flags: Int)
        case method(entry: String, method: Int)
        case contradiction(entry: String)
        case range(entry: String)
        case overlap(entry: String, other: String)
        case missing(entry: String)
        case compressed(entry: String)
        case checksum(entry: String)
        case tooLarge(entry: String, byteCount: Int, limit: Int)
        case byteOrder(String)
        case version(String)
    }

    package enum PickleFault: Error, Sendable, Equatable {
        case endsTooSoon
        case bytesAfterEnd(count: Int)
        case leftOver(count: Int)
        case instruction(UInt8)
        case `protocol`(Int)
        case emptyStack
        case noMark
        case undefinedMemo(Int)
        case limit(what: String, limit: Int)
        case notUTF8
        case wrongValue(needed: String)
        /// A name that no checkpoint needs and that attacks use.
        case alarm(String)
        case call(String, problem: String)
        case onTensor(instruction: String)
        case duplicateKey(String)
        case moduleCycle
    }

    /// One tensor of an archive and the bytes it stands on.
    package enum StorageFault: Error, Sendable, Equatable {
        case missing(entry: String)
        case byteCount(entry: String, stored: Int, declared: Int)
        case contradiction(entry: String)
        case outside(shape: [Int], strides: [Int], offset: Int, elementCount: Int)
        case overlapping(shape: [Int], strides: [Int])
        case total(byteCount: Int, limit: Int)
        case compressed(entry: String)
        case checksum(entry: String)
    }

    package enum FolderFault: Error, Sendable, Equatable {
        case noWeights(found: [String])
        case pickleOnly(name: String)
        /// A model in several pickles.
        case pickleShards(index: String)
        /// Several files that are as good as each other.
        case several(names: [String])
        case shardName(String)
        case shardOutside(String)
        case shardMissing(String)
        case twoShards(tensor: String, first: String, second: String)
        case notInShard(tensor: String, shard: String)
        case notInIndex(tensor: String, shard: String)
    }

    private static let pickleShardsRemedy =
        "Write it as safetensors where you have transformers: python -c \"from transformers import AutoModel; "
        + "AutoModel.from_pretrained('FOLDER').save_pretrained('NEW')\". Then name the new folder."

    static func words(for lookalike: Lookalike) -> String {
        switch lookalike {
        case .gitLFSPointer:
            "is a Git LFS pointer, not the file itself. Run 'git lfs pull'."
        case .webPage:
            "is a web page, not a model. Download the file itself, not the page that shows it."
        case .zipArchive:
            "is a zip archive, as PyTorch writes it, not safetensors. Give it the ending .pt or .pth."
        case .legacyTar, .legacyTorch:
            "is in PyTorch's format from before version 1.6, which is a bare pickle. If you trust it, convert it: "
                + "python -c \"import torch; torch.save(torch.load('old.pt', weights_only=True, map_location='cpu'), "
                + "'new.pt')\""
        case .barePickle:
            "is a bare pickle, not an archive of torch.save. Save the tensors with torch.save."
        case .gguf:
            "is a GGUF model for llama.cpp. Take the safetensors or PyTorch file that it was made from."
        case .hdf5:
            "is HDF5, as Keras writes it. Take the PyTorch or safetensors file."
        case .onnx:
            "is an ONNX graph. Take the PyTorch or safetensors file that it was exported from."
        case .numpy, .numpyArchive:
            "is in NumPy's format. Save the arrays as safetensors: safetensors.numpy.save_file(dict(arrays), 'new.safetensors')."
        case .compressed:
            "is compressed. Unpack it first."
        case .text:
            "is a text file, not a checkpoint."
        case .shardIndex(isPickle: false):
            "is the index of a model in several safetensors files. Name the folder that holds them."
        case .shardIndex(isPickle: true):
            "is the index of a model in several pickles (pytorch_model-00001-of-…), not the model itself. " + pickleShardsRemedy
        case .json:
            "is JSON, such as a model's configuration, not its weights. Name the folder it lies in, or the file of weights beside it."
        }
    }

    static func words(for fault: ArchiveFault) -> String {
        switch fault {
        case .truncated:
            "is truncated: the end of the zip archive is missing. Download it again."
        case .bytesAfterEnd:
            "has a comment or other bytes after the end of the zip archive. " + damaged
        case .record(let offset, let needed):
            "byte \(offset): the zip archive needs \(needed) here. " + damaged
        case .name(let name):
            "the zip archive has an entry named \(quoted(name)). PyTorch writes no such name; do not trust the file."
        case .duplicate(let name):
            "the zip archive has two entries named \(quoted(name)). It is unclear which one is meant."
        case .secondRoot(let name, let first):
            "the zip archive has entries below \(quoted(first)) and another one, \(quoted(name)). "
                + "PyTorch writes one folder; do not trust the file."
        case .flags(let entry, let flags):
            "entry \(quoted(entry)): unknown zip flags 0x\(String(flags, radix: 16)). " + damaged
        case .method(let entry, let method):
            "entry \(quoted(entry)): unknown compression method \(method). Save it again with torch.save."
        case .contradiction(let entry):
            "entry \(quoted(entry)): the archive's directory and the entry's own header differ. " + damaged
        case .range(let entry):
            "entry \(quoted(entry)): its bytes reach beyond the archive's data. " + damaged
        case .overlap(let entry, let other):
            "entries \(quoted(entry)) and \(quoted(other)) overlap. " + damaged
        case .missing(let entry):
            "is a zip archive without \(quoted(entry)), so torch.save did not write it. Is it the right file?"
        case .compressed(let entry):
            "entry \(quoted(entry)) is compressed. Save it again with torch.save, which does not compress."
        case .checksum(let entry):
            "entry \(quoted(entry)): the checksum differs. " + damaged
        case .tooLarge(let entry, let byteCount, let limit):
            "entry \(quoted(entry)): is too large: \(byteCount) bytes, and at most \(limit) are read. Is it the right file?"
        case .byteOrder(let order):
            "was written with byte order \(quoted(order)). Save it again on a little-endian machine."
        case .version(let version):
            "is a PyTorch archive of version \(quoted(version)); versions 1 to 10 are known."
        }
    }

    static func words(for fault: PickleFault) -> String {
        switch fault {
        case .endsTooSoon: "the pickle ends too soon. " + damaged
        case .bytesAfterEnd(let count): "\(count) bytes follow the end of the pickle. " + damaged
        case .leftOver(let count): "the pickle ends with \(count) values instead of one. " + damaged
        case .instruction(let code):
            "the pickle has the instruction 0x\(String(code, radix: 16)), which torch.save does not write. "
                + "Do not trust the file."
        case .protocol(let number):
            "is written in pickle protocol \(number). Save it again with torch.save's own protocol, 2."
        case .emptyStack: "an instruction finds too few values. " + damaged
        case .noMark: "an instruction finds no mark. " + damaged
        case .undefinedMemo(let number): "value \(number) is used before it is defined. " + damaged
        case .limit(let what, let limit): "more than \(limit) \(what). No checkpoint needs that many."
        case .notUTF8: "text that is not UTF-8. " + damaged
        case .wrongValue(let needed): "expected \(needed). " + damaged
        case .alarm(let name):
            "the pickle names \(name.escapedForDisplay), which would run programs on a machine that loads the file with Python. Nothing "
                + "was run here. Do not load it anywhere; take the model from its publisher, preferably as safetensors."
        case .call(let name, let problem): "\(name.escapedForDisplay) is called with \(problem). " + damaged
        case .onTensor(let instruction):
            "\(instruction) changes a tensor, which torch.save does not write. Do not trust the file."
        case .duplicateKey(let key): "the key \(quoted(key)) occurs twice. It is unclear which one is meant."
        case .moduleCycle: "a module contains itself. " + damaged
        }
    }

    static func words(for fault: StorageFault) -> String {
        switch fault {
        case .missing(let entry): "its bytes, \(quoted(entry)), are missing. " + damaged
        case .byteCount(let entry, let stored, let declared):
            "\(quoted(entry)): \(stored) bytes are stored, but \(declared) are declared. " + damaged
        case .contradiction(let entry): "\(quoted(entry)) is declared with two types or sizes. " + damaged
        case .outside(let shape, let strides, let offset, let elementCount):
            "shape \(shape) with strides \(strides) starting at \(offset) does not fit the \(elementCount) elements "
                + "stored. " + damaged
        case .overlapping(let shape, let strides):
            "shape \(shape) with strides \(strides) uses elements several times. Call .contiguous() on it before saving."
        case .total(let byteCount, let limit):
            "the tensors up to this one would be \(byteCount) bytes, but at most \(limit) are plausible for the size "
                + "of the file. Call .contiguous() on expanded tensors before saving them."
        case .compressed(let entry):
            "\(quoted(entry)) is compressed. Save it again with torch.save, which does not compress."
        case .checksum(let entry):
            "the checksum of \(quoted(entry)) differs. " + damaged
        }
    }

    static func words(for fault: FolderFault) -> String {
        switch fault {
        case .noWeights(let found):
            "holds no model.safetensors"
                + (found.isEmpty ? "." : ", but \(found.map(quoted).joined(separator: ", ")). Name one of these files instead.")
        case .pickleOnly(let name):
            "holds no safetensors, only \(quoted(name)), a pickle. It can be read without running it: name that "
                + "file itself instead of the folder."
        case .pickleShards(let index):
            "holds no safetensors, only the index \(quoted(index)) of a model in several pickles. " + pickleShardsRemedy
        case .several(let names):
            "holds \(names.map(quoted).joined(separator: ", ")). Name the one you mean."
        case .shardName(let name):
            "the index names the shard \(quoted(name)); only plain names of .safetensors files in the same folder are "
                + "read. Do not trust the folder."
        case .shardOutside(let name):
            "\(quoted(name)) leads out of the folder. Copy the file itself into it."
        case .shardMissing(let name):
            "the shard \(quoted(name)) is missing. Download it into the folder."
        case .twoShards(let tensor, let first, let second):
            "tensor \(quoted(tensor)) is in both \(quoted(first)) and \(quoted(second)). It is unclear which one is meant."
        case .notInShard(let tensor, let shard):
            "the index looks for tensor \(quoted(tensor)) in \(quoted(shard)), which lacks it. Download both again."
        case .notInIndex(let tensor, let shard):
            "\(quoted(shard)) holds the tensor \(quoted(tensor)), which the index lacks. Download both again."
        }
    }
}
