import Files
import Foundation
import Tensors
import WeightFiles

/// The checkpoints of a run: folders that appear whole or not at all.
///
///     checkpoints/step_00000120/tensors.safetensors   values and both moments of all that learns
///                               state.json            TrainingState
///                               manifest.json         sizes and SHA-256 of both; written last
///
/// A folder is filled as a `DurableFolder`, so that the name says it is complete. Whether its
/// bytes are still those that were written, the manifest says.
package struct Checkpoints {
    package struct Manifest: Codable, Equatable {
        struct Entry: Codable, Equatable {
            let bytes: Int
            let sha256: String
        }

        let format: Int
        let files: [String: Entry]
    }

    private static let format = 1
    private static let tensorsName = "tensors.safetensors"
    private static let stateName = "state.json"
    private static let manifestName = "manifest.json"
    /// In the names of folders that are being filled (`DurableFolder`) or removed.
    private static let temporaryMark = ".tmp"
    /// The newest ones that stay: if the last is damaged, the one before is there.
    package static let keptCount = 2

    /// `checkpoints` in the run's folder.
    package let folder: String

    package init(run: String) { folder = run.appendingPath("checkpoints") }

    /// Complete ones, the newest first.
    package var names: [String] { (try? listed()) ?? [] }

    /// - Throws: `FileError` where the folder is there and cannot be read.
    private func listed() throws(FileError) -> [String] {
        guard fileExists(folder) else { return [] }
        return try directoryEntries(folder).filter { $0.hasPrefix("step_") && !$0.contains(Self.temporaryMark) }.sorted(by: >)
    }

    package func path(of name: String) -> String { folder.appendingPath(name) }

    /// Numbers of equal width sort as names; the end of an epoch comes after its last step.
    static func name(of state: TrainingState) -> String {
        let digits = "\(state.step)"
        return "step_" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
            + (state.isBetweenEpochs ? "_epoch" : "")
    }

    /// Bytes of a checkpoint of this many learning numbers, up to a few kilobytes of names.
    package static func byteCount(parameterCount: Int) -> Int { 3 * 4 * parameterCount }

    // MARK: Writing

    /// Writes a checkpoint, tensor by tensor from where they are, and then removes those that are too many.
    ///
    /// - Returns: the checkpoint's folder.
    /// - Throws: `FileError` or `WeightFileError`; checkpoints that were there stay as they are.
    @discardableResult
    package func save(_ state: TrainingState, optimiser: Optimiser) throws -> String {
        let name = Self.name(of: state)
        let target = path(of: name)
        // Saved already, as when a signal comes right after an epoch's end.
        if names.contains(name), (try? Self.verified(target)) != nil { return target }
        try createDirectory(folder)
        let needed = Self.byteCount(parameterCount: optimiser.parameterCount)
        let free = freeByteCount(near: folder.appendingPath(name))
        guard Double(free) >= 1.1 * Double(needed) else {
            throw FileError(path: target, problem: .noSpace(neededBytes: needed + needed / 10, freeBytes: free))
        }
        let filling = try DurableFolder(path: target)
        let temporary = filling.temporaryPath
        var files: [String: Manifest.Entry] = [:]
        files[Self.tensorsName] = try write(optimiser.tensors, to: temporary.appendingPath(Self.tensorsName))
        files[Self.stateName] = try Self.write(state, to: temporary.appendingPath(Self.stateName))
        _ = try Self.write(
            Manifest(format: Self.format, files: files), to: temporary.appendingPath(Self.manifestName))
        // A damaged one of the same step makes room.
        removeTree(target)
        try filling.commit(replaces: false)
        for old in names.dropFirst(Self.keptCount) { remove(old) }
        return target
    }

    private func write(_ tensors: [(name: String, matrix: MutableMatrix)], to path: String) throws -> Manifest.Entry {
        let matrices = Dictionary(tensors.map { ($0.name, $0.matrix) }, uniquingKeysWith: { first, _ in first })
        var writer = try SafetensorsWriter(
            path: path,
            tensors: tensors.map { .init(name: $0.name, shape: [$0.matrix.rowCount, $0.matrix.columnCount]) })
        for plan in writer.plans {
            guard let matrix = matrices[plan.name] else { continue }
            // Straight from the tensor's memory: a second copy of a backbone's moments may not fit.
            try unsafe matrix.withValues { try unsafe writer.append($0) }
        }
        let digest = try writer.commit()
        return .init(bytes: try InputFile(path: path).byteCount, sha256: digest)
    }

    private static func write(_ value: some Encodable, to path: String) throws -> Manifest.Entry {
        let bytes = try json(value)
        return .init(bytes: bytes.count, sha256: try DurableFile.write(bytes, to: path))
    }

    // MARK: Reading

    /// Fills the optimiser from the newest checkpoint whose bytes are as they were written.
    ///
    /// - Parameter reject: told of each damaged one, with the reason.
    /// - Returns: nil where there is none.
    /// - Throws: `TrainingError.otherCheckpoint` where a sound one belongs to something else; `FileError` where the
    ///   folder of checkpoints cannot be read, as then nobody knows whether there is one.
    package func restore(
        into optimiser: Optimiser, reject: (_ path: String, _ reason: String) -> Void
    ) throws -> (state: TrainingState, path: String)? {
        for name in try listed() {
            let path = path(of: name)
            do {
                try Self.verified(path)
                let state = try JSONDecoder().decode(
                    TrainingState.self, from: Data(try InputFile.contents(of: path.appendingPath(Self.stateName), limit: 64 << 20)))
                let file = try SafetensorsFile(path: path.appendingPath(Self.tensorsName))
                let tensors = optimiser.tensors
                guard file.tensors.count == tensors.count, tensors.allSatisfy({ tensor in
                    (try? file.description(of: tensor.name))?.shape == [tensor.matrix.rowCount, tensor.matrix.columnCount]
                }) else { throw TrainingError.otherCheckpoint(path: path) }
                for (name, matrix) in tensors {
                    try unsafe matrix.withMutableValues {
                        try unsafe file.readFloats(named: name, shape: [matrix.rowCount, matrix.columnCount], into: $0)
                    }
                }
                optimiser.restore(stepCount: state.optimiserSteps)
                return (state, path)
            } catch let error as TrainingError {
                throw error
            } catch {
                reject(path, Self.reason(error))
            }
        }
        return nil
    }

    /// - Throws: what is wrong with the files of a checkpoint.
    private static func verified(_ path: String) throws {
        let manifest = try JSONDecoder().decode(
            Manifest.self, from: Data(try InputFile.contents(of: path.appendingPath(manifestName), limit: 1 << 20)))
        guard manifest.format == format, Set(manifest.files.keys) == [tensorsName, stateName] else {
            throw Damage(reason: "\(manifestName) is of another form")
        }
        for (name, entry) in manifest.files {
            let file = path.appendingPath(name)
            guard try InputFile(path: file).byteCount == entry.bytes, try Digest.ofFile(file) == entry.sha256 else {
                throw Damage(reason: "\(name) is not what was written")
            }
        }
    }

    private struct Damage: Error { let reason: String }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as Damage: error.reason
        case let error as any ReportableError: error.description
        default: "its JSON cannot be read"
        }
    }

    // MARK: Tidying

    /// Removes what a crash left half made. Only for the holder of the run's lock.
    package func sweep() {
        for name in (try? directoryEntries(folder)) ?? [] where name.contains(Self.temporaryMark) {
            removeTree(folder.appendingPath(name))
        }
    }

    /// Removes all of them, when the run is finished and its results are written.
    package func removeAll() {
        for name in names { remove(name) }
        removeTree(folder)
    }

    /// Out of sight first, so that nobody finds half of it.
    private func remove(_ name: String) {
        let hidden = path(of: name) + Self.temporaryMark
        removeTree(hidden)
        guard (try? renameDirectory(path(of: name), to: hidden)) != nil else { return }
        removeTree(hidden)
    }
}
