import Files

/// What can be wrong with a file of weights.
package struct WeightFileError: ReportableError, Equatable {
    package enum Problem: Sendable, Equatable {
        case file(FileError)

        // The file as a whole.
        case lookalike(Lookalike)
        /// Nearly all of it is a hole.
        case sparse(stored: Int, byteCount: Int)
        case unrecognized
        case tooShort(byteCount: Int)
        case headerLength(declared: UInt64, available: Int)
        case dataLength(declared: Int, stored: Int)

        // The words in its header; `offset` counts bytes from the start of the file.
        case syntax(offset: Int, expected: String)
        case text(offset: Int, fault: TextFault)
        case numberTooLarge(offset: Int)
        case duplicateName(String)
        case duplicateField(owner: String, field: String)
        case missingField(tensor: String, field: String)
        case unknownField(tensor: String, field: String)
        case tooMany(what: String, limit: Int)

        // Archives of PyTorch.
        case archive(ArchiveFault)
        /// `entry` is data.pkl or constants.pkl; `offset` counts its bytes.
        case pickle(entry: String, offset: Int, fault: PickleFault)
        case storage(tensor: String, fault: StorageFault)
        /// The pickle is an object, not a dictionary of tensors.
        case wholeObject(name: String)
        case noTensors(objects: [String])
        case notATensor(name: String, object: String)

        // Folders.
        case folder(FolderFault)

        // One tensor.
        case unknownElementType(tensor: String, spelling: String)
        case sizeOverflow(tensor: String, shape: [Int])
        case sizeMismatch(tensor: String, stored: Int, declared: Int)
        case reversedRange(tensor: String, start: Int, end: Int)
        /// A hole before the tensor, or an overlap with the tensor before it.
        case misplaced(tensor: String, start: Int, expected: Int)

        // What the program wanted of it.
        case missingTensor(name: String, nearest: String?)
        case wrongShape(tensor: String, found: [Int], needed: [Int])
        case wrongElementType(tensor: String, found: ElementType, needed: String)
        case outOfRange(tensor: String, elementType: ElementType)
        case notRepresentable(tensor: String, value: Float, elementType: ElementType)
        /// A network with its weights in one file.
        case tooLargeForONNX(byteCount: Int)
    }

    /// Something else that is often saved under the name of a model.
    package enum Lookalike: Sendable, Equatable {
        case gitLFSPointer, webPage, zipArchive
        case legacyTar, legacyTorch, barePickle
        case gguf, hdf5, onnx, numpy, numpyArchive, compressed, text
        /// The list of a model's shards.
        case shardIndex(isPickle: Bool)
        case json
    }

    package enum TextFault: Sendable, Equatable {
        case notUTF8, loneSurrogate, controlCharacter, unknownEscape
        case tooLong(byteCount: Int, limit: Int)
        case tooManyMarks(limit: Int)
    }

    package let path: String
    package let problem: Problem

    package init(path: String, problem: Problem) {
        self.path = path
        self.problem = problem
    }

    package var exitStatus: ExitStatus {
        switch problem {
        case .file(let error): error.exitStatus
        case .notRepresentable: .software
        default: .badData
        }
    }

    /// Whether the file itself is at fault. Otherwise it could not be read this time, and may be sound.
    package var isDamage: Bool {
        if case .file(let error) = problem { error.isDamage } else { true }
    }

    package var description: String {
        if case .file(let error) = problem { return error.description }
        return "\(path.escapedForDisplay): \(words)"
    }

    private var words: String {
        switch problem {
        case .file(let error):
            error.description
        case .lookalike(let lookalike): Self.words(for: lookalike)
        case .sparse(let stored, let byteCount):
            "only \(sizeInWords(stored)) of its \(sizeInWords(byteCount)) are stored; the rest was never written. The download is "
                + "incomplete; download it again."
        case .unrecognized:
            "is not a checkpoint of a known kind. Safetensors, zip archives of torch.save and torch.jit.save, and "
                + "Hugging Face folders are read. If it should be one of these, it is damaged; download it again."
        case .archive(let fault): Self.words(for: fault)
        case .pickle(let entry, let offset, let fault):
            "\(entry), byte \(offset): \(Self.words(for: fault))"
        case .storage(let tensor, let fault):
            "tensor \(Self.quoted(tensor)): \(Self.words(for: fault))"
        case .wholeObject(let name):
            "holds a whole object, \(name.escapedForDisplay), which only its own program could rebuild. "
                + "There, save model.state_dict() instead."
        case .noTensors(let objects):
            "holds no tensors"
                + (objects.isEmpty ? ". " : ", only \(objects.prefix(3).joined(separator: ", ").escapedForDisplay). ")
                + "Save model.state_dict()."
        case .notATensor(let name, let object):
            "\(Self.quoted(name)) is \(object.escapedForDisplay), which is not read. Save it as a dense tensor of "
                + "float32, float16 or bfloat16."
        case .folder(let fault): Self.words(for: fault)
        case .tooShort(let byteCount):
            "\(byteCount) bytes are too few for a safetensors file. " + Self.damaged
        case .headerLength(let declared, let available):
            "a header of \(declared) bytes is declared, but only \(available) bytes follow. "
                + "It is not a safetensors file, or it is truncated; download it again."
        case .dataLength(let declared, let stored):
            "\(stored) bytes of tensors are stored, but \(declared) are declared. " + Self.damaged
        case .syntax(let offset, let expected):
            "byte \(offset): expected \(expected). " + Self.damaged
        case .text(let offset, let fault):
            "byte \(offset): \(Self.words(for: fault)). " + Self.damaged
        case .numberTooLarge(let offset):
            "byte \(offset): the number is too large. " + Self.damaged
        case .duplicateName(let name):
            "the name \(Self.quoted(name)) occurs twice. It is unclear which one is meant."
        case .duplicateField(let owner, let field):
            "\(Self.quoted(owner)): '\(field)' occurs twice. " + Self.damaged
        case .missingField(let tensor, let field):
            "tensor \(Self.quoted(tensor)): '\(field)' is missing. " + Self.damaged
        case .unknownField(let tensor, let field):
            "tensor \(Self.quoted(tensor)): unknown field \(Self.quoted(field)); "
                + "only dtype, shape and data_offsets are known."
        case .tooMany(let what, let limit):
            "more than \(limit) \(what). It is not a file of weights."
        case .unknownElementType(let tensor, let spelling):
            "tensor \(Self.quoted(tensor)): unknown element type \(Self.quoted(spelling)). "
                + "Save it as F32, F16 or BF16."
        case .sizeOverflow(let tensor, let shape):
            "tensor \(Self.quoted(tensor)): the shape \(shape) is larger than any file. " + Self.damaged
        case .sizeMismatch(let tensor, let stored, let declared):
            "tensor \(Self.quoted(tensor)): \(stored) bytes are stored, but \(declared) are declared. " + Self.damaged
        case .reversedRange(let tensor, let start, let end):
            "tensor \(Self.quoted(tensor)): its bytes end (\(end)) before they start (\(start)). " + Self.damaged
        case .misplaced(let tensor, let start, let expected):
            "tensor \(Self.quoted(tensor)): starts at byte \(start) of the data, but the tensor before it ends at "
                + "\(expected). " + Self.damaged
        case .missingTensor(let name, let nearest):
            "has no tensor \(Self.quoted(name))."
                + (nearest.map { " The nearest name is \(Self.quoted($0))." } ?? " Is it a checkpoint of this model?")
        case .wrongShape(let tensor, let found, let needed):
            "tensor \(Self.quoted(tensor)) is \(found), but \(needed) is needed. Choose a matching checkpoint."
        case .wrongElementType(let tensor, let found, let needed):
            "tensor \(Self.quoted(tensor)) holds \(found.rawValue), but \(needed) is needed."
        case .outOfRange(let tensor, let elementType):
            "tensor \(Self.quoted(tensor)): a value is not a valid \(elementType.rawValue). " + Self.damaged
        case .notRepresentable(let tensor, let value, let elementType):
            "tensor \(Self.quoted(tensor)): \(value) does not fit \(elementType.rawValue). Write F32."
        case .tooLargeForONNX(let byteCount):
            "would have \(sizeInWords(byteCount)), and an ONNX file with its weights in it holds at most 2 GiB. Export a smaller backbone."
        }
    }

    static let damaged = "The file is damaged; download it again."

    static func quoted(_ name: String) -> String { "\"\(name.escapedForDisplay)\"" }

    private static func words(for fault: TextFault) -> String {
        switch fault {
        case .notUTF8: "text that is not UTF-8"
        case .loneSurrogate: "half of a surrogate pair"
        case .controlCharacter: "a control character inside text"
        case .unknownEscape: "an escape that JSON does not know"
        case .tooLong(let byteCount, let limit): "a name of \(byteCount) bytes, and at most \(limit) are read"
        case .tooManyMarks(let limit): "a name with more than \(limit) combining marks in a row"
        }
    }
}
