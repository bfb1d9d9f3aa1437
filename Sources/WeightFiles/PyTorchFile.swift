import Files
import Synchronization

/// Tensors of an archive that `torch.save` or `torch.jit.save` wrote, read on demand through one
/// checked descriptor.
///
/// Nothing in the file is run and nothing is inflated: the archive's directory and its pickle are
/// verified when the file is opened, every storage's checksum when it is first read. Reading is safe
/// from several threads.
package final class PyTorchFile: WeightSource {
    package let path: String
    package let format: WeightFormat
    package let metadata: [String: String]
    package let ignoredObjects: [String]
    package let warnings: [String]
    package var tensors: [TensorDescription] { index.tensors }

    private let index: TensorIndex
    /// For each of `tensors`.
    private let places: [Place]
    private let file: InputFile
    private let hasChecksums: Bool
    /// Tensors that nothing reads: views that count elements several times. They stop only who wants them.
    private let refused: [String: WeightFileError.StorageFault]

    /// A tensor in its storage.
    private struct Place: Sendable {
        let storage: Storage
        let layout: StridedLayout
    }

    /// An entry below `data/` with its checksum, which is computed once.
    private final class Storage: Sendable {
        let entry: ZipArchive.Entry
        let isVerified = Mutex(false)

        init(_ entry: ZipArchive.Entry) { self.entry = entry }
    }

    package init(path: String) throws(WeightFileError) {
        let file = try openFile(path)
        try refuseLookalikes(file)
        try refuseHoles(file)
        let archive = try ZipArchive(file: file)
        try Self.checkVersion(archive, file)
        let isTorchScript = archive.entries["constants.pkl"] != nil
        let pickle = try Self.pickle("data.pkl", archive, file)
        let outline = try PickleOutline(
            of: pickle.values, root: pickle.root, entry: "data.pkl", isTorchScript: isTorchScript, path: path)
        var ignored = outline.ignoredObjects
        if isTorchScript {
            let constants = try Self.pickle("constants.pkl", archive, file)
            if !constants.values.tensors.isEmpty {
                ignored.append("constants: \(constants.values.tensors.count) tensors of the program")
            }
        }
        guard !outline.tensors.isEmpty else { throw WeightFileError(path: path, problem: .noTensors(objects: ignored)) }
        let (located, refused) = try Self.locate(outline.tensors, in: pickle.values, archive, file)
        if located.isEmpty, let first = outline.tensors.first(where: { refused[$0.name] != nil }), let fault = refused[first.name] {
            throw WeightFileError(path: path, problem: .storage(tensor: first.name, fault: fault))
        }
        ignored += refused.keys.sorted().map { "\($0): a view that counts elements several times" }
        self.refused = refused
        index = TensorIndex(located.map(\.description), path: path)
        places = located.map(\.place)
        metadata = outline.metadata
        ignoredObjects = ignored
        warnings = outline.warnings + (archive.hasChecksums ? [] : [
            "The archive was written without checksums, so damage to its tensors cannot be noticed."
        ])
        hasChecksums = archive.hasChecksums
        format = isTorchScript ? .torchScript : .pyTorch
        self.path = path
        self.file = file
    }

    package func contains(_ name: String) -> Bool { index.contains(name) }

    /// - Throws: `missingTensor`, with the nearest name there is; `notATensor` where something else has the name.
    package func description(of name: String) throws(WeightFileError) -> TensorDescription {
        tensors[try position(of: name, shape: nil)]
    }

    package func readFloats(
        named name: String, shape: [Int], into destination: UnsafeMutableBufferPointer<Float>
    ) throws(WeightFileError) {
        let position = try position(of: name, shape: shape)
        let tensor = tensors[position]
        precondition(destination.count == tensor.elementCount, "the destination must fit the tensor")
        guard tensor.elementType.isReadableAsFloat else {
            throw error(
                .wrongElementType(tensor: name, found: tensor.elementType, needed: "F32, F16, BF16 or F64"))
        }
        let place = places[position]
        let start = tensor.byteRange.lowerBound
        guard place.layout.isContiguous else {
            try verify(place.storage, tensor: name)
            return try unsafe gather(tensor, place.layout, into: destination)
        }
        guard tensor.byteRange == place.storage.entry.byteRange else {
            try verify(place.storage, tensor: name)
            return try unsafe file.readFloats(of: tensor.elementType, at: start, into: destination)
        }
        // Mostly a tensor is its whole storage: one pass over the bytes does both.
        let checksum = try place.storage.isVerified.withLock { isVerified throws(WeightFileError) -> UInt32? in
            if isVerified || !hasChecksums { return nil }
            var checksum = Checksum()
            try unsafe file.readFloats(of: tensor.elementType, at: start, into: destination) {
                unsafe checksum.update($0)
            }
            isVerified = checksum.value == place.storage.entry.checksum
            return checksum.value
        }
        guard let checksum else { return try unsafe file.readFloats(of: tensor.elementType, at: start, into: destination) }
        try check(checksum, of: place.storage, tensor: name)
    }

    // MARK: -

    private func position(of name: String, shape: [Int]?) throws(WeightFileError) -> Int {
        if let fault = refused[name] { throw error(.storage(tensor: name, fault: fault)) }
        if !index.contains(name), let object = ignoredObjects.first(where: { $0.hasPrefix(name + ": ") }) {
            throw error(.notATensor(name: name, object: String(object.dropFirst(name.count + 2))))
        }
        return try index.index(of: name, shape: shape)
    }

    private func verify(_ storage: Storage, tensor: String) throws(WeightFileError) {
        guard hasChecksums else { return }
        let checksum = try storage.isVerified.withLock { isVerified throws(WeightFileError) -> UInt32? in
            if isVerified { return nil }
            var checksum = Checksum()
            try unsafe file.forEachPiece(of: storage.entry.byteRange) { unsafe checksum.update($0) }
            isVerified = checksum.value == storage.entry.checksum
            return checksum.value
        }
        if let checksum { try check(checksum, of: storage, tensor: tensor) }
    }

    private func check(_ checksum: UInt32, of storage: Storage, tensor: String) throws(WeightFileError) {
        guard checksum == storage.entry.checksum else {
            throw error(.storage(tensor: tensor, fault: .checksum(entry: storage.entry.name)))
        }
    }

    /// Reads the elements in the order of the storage and puts each in its place.
    private func gather(
        _ tensor: TensorDescription, _ layout: StridedLayout, into destination: UnsafeMutableBufferPointer<Float>
    ) throws(WeightFileError) {
        let windowLimit = 1 << 18
        let window = UnsafeMutableBufferPointer<Float>.allocate(capacity: min(windowLimit, layout.spanCount))
        defer { unsafe window.deallocate() }
        var windowRange = 0..<0
        try layout.forEachRun { source, target, sourceStep, targetStep, count throws(WeightFileError) in
            var done = 0
            while done < count {
                let first = source + done * sourceStep
                if !windowRange.contains(first) {
                    windowRange = first..<min(first + window.count, layout.spanCount)
                    try unsafe file.readFloats(
                        of: tensor.elementType,
                        at: tensor.byteRange.lowerBound + first * tensor.elementType.byteCount,
                        into: UnsafeMutableBufferPointer(rebasing: window[..<windowRange.count]))
                }
                let reachable = sourceStep == 0 ? count : done + (windowRange.upperBound - 1 - first) / sourceStep + 1
                for index in done..<min(count, reachable) {
                    unsafe destination[target + index * targetStep] =
                        window[source + index * sourceStep - windowRange.lowerBound]
                }
                done = min(count, reachable)
            }
        }
    }

    private func error(_ problem: WeightFileError.Problem) -> WeightFileError {
        WeightFileError(path: path, problem: problem)
    }
}

// MARK: - Opening

extension PyTorchFile {
    private static func checkVersion(
        _ archive: ZipArchive, _ file: borrowing InputFile
    ) throws(WeightFileError) {
        func fault(_ fault: WeightFileError.ArchiveFault, path: String) -> WeightFileError {
            WeightFileError(path: path, problem: .archive(fault))
        }
        guard archive.entries["data.pkl"] != nil else { throw fault(.missing(entry: "data.pkl"), path: file.path) }
        let version = try text("version", archive, file)
        guard let number = Int(version), (1...10).contains(number) else {
            throw fault(.version(version), path: file.path)
        }
        guard archive.entries["byteorder"] != nil else { return }
        let order = try text("byteorder", archive, file)
        guard order == "little" else { throw fault(.byteOrder(order), path: file.path) }
    }

    private static func text(
        _ name: String, _ archive: ZipArchive, _ file: borrowing InputFile
    ) throws(WeightFileError) -> String {
        var bytes = try contents(of: name, limit: 64, archive, file)
        if bytes.last == 0x0A { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func pickle(
        _ name: String, _ archive: ZipArchive, _ file: borrowing InputFile
    ) throws(WeightFileError) -> (root: PickleValues.Reference, values: PickleValues) {
        let bytes = try contents(of: name, limit: PickleReader.byteLimit, archive, file)
        return try PickleReader.read(bytes, entry: name, path: file.path)
    }

    /// A small entry, whole and verified.
    private static func contents(
        of name: String, limit: Int, _ archive: ZipArchive, _ file: borrowing InputFile
    ) throws(WeightFileError) -> [UInt8] {
        let entry: ZipArchive.Entry
        do {
            entry = try archive.entry(name)
            guard entry.isStored else { throw WeightFileError.ArchiveFault.compressed(entry: name) }
            guard entry.byteRange.count <= limit else {
                throw WeightFileError.ArchiveFault.tooLarge(entry: name, byteCount: entry.byteRange.count, limit: limit)
            }
        } catch let fault as WeightFileError.ArchiveFault {
            throw WeightFileError(path: file.path, problem: .archive(fault))
        } catch { throw asWeightFileError(error, path: file.path) }
        let bytes = try readBytes(of: file, at: entry.byteRange.lowerBound, count: entry.byteRange.count)
        var checksum = Checksum()
        unsafe bytes.withUnsafeBytes { unsafe checksum.update($0) }
        guard checksum.value == entry.checksum || !archive.hasChecksums else {
            throw WeightFileError(path: file.path, problem: .archive(.checksum(entry: name)))
        }
        return bytes
    }

    /// Proves that every tensor lies within its storage, and all of them together within reason.
    private static func locate(
        _ named: [PickleOutline.NamedTensor], in values: PickleValues, _ archive: ZipArchive,
        _ file: borrowing InputFile
    ) throws(WeightFileError) -> (located: [(description: TensorDescription, place: Place)], refused: [String: WeightFileError.StorageFault]) {
        let path = file.path
        var storages: [Int32: Storage] = [:]
        // Views and tied weights count each time: whoever reads them all holds them all.
        let byteLimit = 2 * file.byteCount
        var byteCount = 0
        var result: [(description: TensorDescription, place: Place)] = []
        var refused: [String: WeightFileError.StorageFault] = [:]
        result.reserveCapacity(named.count)
        for item in named {
            let tensor = values.tensors[Int(item.index)]
            func fault(_ fault: WeightFileError.StorageFault) -> WeightFileError {
                WeightFileError(path: path, problem: .storage(tensor: item.name, fault: fault))
            }
            let width = tensor.elementType.byteCount
            guard let count = checkedElementCount(shape: tensor.shape, elementByteCount: width) else {
                throw WeightFileError(path: path, problem: .sizeOverflow(tensor: item.name, shape: tensor.shape))
            }
            let declared = values.storages[Int(tensor.storage)]
            if storages[tensor.storage] == nil {
                do {
                    storages[tensor.storage] = try storage(declared, archive)
                } catch { throw fault(error) }
            }
            guard let storage = storages[tensor.storage] else { continue }
            let layout: StridedLayout
            do {
                layout = try StridedLayout(
                    shape: tensor.shape, strides: tensor.strides, offset: tensor.offset,
                    storedCount: storage.entry.byteRange.count / width)
            } catch {
                guard case .overlapping = error else { throw fault(error) }
                refused[item.name] = error
                continue
            }
            let (sum, overflow) = byteCount.addingReportingOverflow(count * width)
            guard !overflow, sum <= byteLimit else {
                let problem = WeightFileError.StorageFault.total(byteCount: overflow ? .max : sum, limit: byteLimit)
                // One tensor that was expanded is not a reason to refuse the others.
                guard count > layout.spanCount else { throw fault(problem) }
                refused[item.name] = problem
                continue
            }
            byteCount = sum
            let start = storage.entry.byteRange.lowerBound + tensor.offset * width
            result.append((
                TensorDescription(
                    name: item.name, elementType: tensor.elementType, shape: tensor.shape,
                    byteRange: start..<start + layout.spanCount * width),
                Place(storage: storage, layout: layout)
            ))
        }
        let located = result.enumerated()
            .sorted { ($0.element.description.byteRange.lowerBound, $0.offset) < ($1.element.description.byteRange.lowerBound, $1.offset) }
            .map(\.element)
        return (located, refused)
    }

    private static func storage(
        _ declared: PickleValues.Storage, _ archive: ZipArchive
    ) throws(WeightFileError.StorageFault) -> Storage {
        let name = "data/" + declared.key
        guard let entry = archive.entries[name] else { throw .missing(entry: name) }
        guard entry.isStored else { throw .compressed(entry: name) }
        let (byteCount, overflow) = declared.elementCount.multipliedReportingOverflow(
            by: declared.elementType?.byteCount ?? 1)
        guard !overflow, byteCount == entry.byteRange.count else {
            throw .byteCount(entry: name, stored: entry.byteRange.count, declared: overflow ? .max : byteCount)
        }
        return Storage(entry)
    }
}
