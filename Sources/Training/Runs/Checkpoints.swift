import Files
import Foundation
import Glibc
import Tensors
import WeightFiles

/// The checkpoints of a run: folders that appear whole or not at all.
///
///     checkpoints/step_00000120/tensors.safetensors   values and both moments of all that learns
///                               state.json            TrainingState
///                               manifest.json         sizes and SHA-256 of both; written last
///
/// A folder is filled as a `DurableFolder`, so that the name says it is complete. Whether its
/// bytes are still those that were written, the manifest says. One whose bytes are not is set aside as
/// `step_00000120.damaged`: it counts for nothing, and goes when the run is finished.
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
    /// In the names of folders that are being removed.
    private static let temporaryMark = ".tmp"
    private static let damagedMark = ".damaged"
    /// The newest ones that stay: if the last is damaged, the one before is there.
    package static let keptCount = 2

    /// `checkpoints` in the run's folder.
    package let folder: String
    /// Known to be as they were written, since this process wrote or checked them.
    private let known = Known()

    private final class Known { var names: Set<String> = [] }

    package init(run: String) { folder = run.appendingPath("checkpoints") }

    /// Complete ones, the newest first.
    package var names: [String] { (try? listed()) ?? [] }

    /// - Throws: `FileError` where the folder is there and cannot be read.
    private func listed() throws(FileError) -> [String] {
        guard fileExists(folder) else { return [] }
        return try directoryEntries(folder).filter(Self.isName).sorted(by: >)
    }

    /// What else is in the folder of checkpoints is not ours.
    private static func isName(_ name: String) -> Bool { name.contains(/^step_[0-9]{8,}(_epoch)?$/) }

    package func path(of name: String) -> String { folder.appendingPath(name) }

    /// Numbers of equal width sort as names; the end of an epoch comes after its last step.
    static func name(of state: TrainingState) -> String {
        let digits = "\(state.step)"
        return "step_" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
            + (state.isBetweenEpochs ? "_epoch" : "")
    }

    /// Bytes of a checkpoint of this many learning numbers, up to a few kilobytes of names.
    ///
    /// - Parameter momentCount: numbers that the optimizer keeps of each.
    package static func byteCount(parameterCount: Int, momentCount: Int) -> Int { (1 + momentCount) * 4 * parameterCount }

    // MARK: Writing

    /// Writes a checkpoint, tensor by tensor from where they are, and then removes those that are too many.
    ///
    /// - Returns: the checkpoint's folder.
    /// - Throws: `FileError` or `WeightFileError`; checkpoints that were there stay as they are.
    @discardableResult
    package func save(_ state: TrainingState, optimizer: Optimizer) throws -> String {
        let name = Self.name(of: state)
        let target = path(of: name)
        // Saved already, as when a signal comes right after an epoch's end.
        if names.contains(name), (try? Self.verified(target)) != nil { return target }
        try createDirectory(folder)
        let needed = Self.byteCount(parameterCount: optimizer.parameterCount, momentCount: optimizer.momentCount) + 4 * optimizer.stateCount
        let free = freeByteCount(near: folder.appendingPath(name))
        guard Double(free) >= 1.1 * Double(needed) else {
            throw FileError(path: target, problem: .noSpace(neededBytes: needed + needed / 10, freeBytes: free))
        }
        let filling = try DurableFolder(path: target)
        let temporary = filling.temporaryPath
        var files: [String: Manifest.Entry] = [:]
        files[Self.tensorsName] = try write(optimizer.tensors, to: temporary.appendingPath(Self.tensorsName))
        files[Self.stateName] = try Self.write(state, to: temporary.appendingPath(Self.stateName))
        _ = try Self.write(
            Manifest(format: Self.format, files: files), to: temporary.appendingPath(Self.manifestName))
        // A damaged one of the same step goes when this one has its place.
        try filling.commit(replaces: true)
        known.names.insert(name)
        prune(besides: name)
        return target
    }

    /// Removes the sound ones that are too many. What was just written stays; what is damaged makes none of the others go.
    private func prune(besides newest: String) {
        var kept = 1
        for name in names where name != newest {
            if kept >= Self.keptCount {
                remove(name)
                continue
            }
            switch soundness(name) {
            case .success: kept += 1
            case .failure(let error) where error.isDamage: setAside(name)
            // Nobody knows: it may be the last one.
            case .failure: break
            }
        }
    }

    private func soundness(_ name: String) -> Result<Void, Rejection> {
        if known.names.contains(name) { return .success(()) }
        do {
            try Self.verified(path(of: name))
            known.names.insert(name)
            return .success(())
        } catch {
            return .failure(Rejection(error))
        }
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

    /// Fills the optimizer from the newest checkpoint whose bytes are as they were written and which holds numbers.
    ///
    /// The optimizer is not touched before a checkpoint is known to be whole. Damaged ones are set aside once a sound one
    /// is found.
    ///
    /// - Parameter reject: told of each damaged one, with the reason.
    /// - Returns: nil where there is none at all.
    /// - Throws: `TrainingError.otherCheckpoint` where a sound one belongs to something else, `.noSoundCheckpoint` where all
    ///   are damaged; `FileError` where one cannot be read, as then nobody knows whether it is sound.
    package func restore(
        into optimizer: Optimizer, reject: (_ path: String, _ reason: String) -> Void
    ) throws -> (state: TrainingState, path: String)? {
        var rejected: [(name: String, reason: String)] = []
        for name in try listed() {
            let path = path(of: name)
            do {
                try Self.verified(path)
                let state = try JSONDecoder().decode(
                    TrainingState.self, from: Data(try InputFile.contents(of: path.appendingPath(Self.stateName), limit: 64 << 20)))
                let file = try SafetensorsFile(path: path.appendingPath(Self.tensorsName))
                let tensors = optimizer.tensors
                guard file.tensors.count == tensors.count, tensors.allSatisfy({ tensor in
                    (try? file.description(of: tensor.name))?.shape == [tensor.matrix.rowCount, tensor.matrix.columnCount]
                }) else { throw TrainingError.otherCheckpoint(path: path) }
                try Self.checkFinite(file, tensors)
                for (name, matrix) in tensors { try Self.read(name, of: file, into: matrix) }
                optimizer.restore(stepCount: state.optimizerSteps)
                known.names.insert(name)
                for (name, _) in rejected { setAside(name) }
                return (state, path)
            } catch let error as TrainingError {
                throw error
            } catch {
                let rejection = Rejection(error)
                guard rejection.isDamage else { throw TrainingError.checkpointUnread(path: path, reason: rejection.reason) }
                rejected.append((name, rejection.reason))
                reject(path, rejection.reason)
            }
        }
        guard rejected.isEmpty else { throw TrainingError.noSoundCheckpoint(folder: folder, count: rejected.count) }
        return nil
    }

    private static func read(_ name: String, of file: SafetensorsFile, into matrix: MutableMatrix) throws {
        try unsafe matrix.withMutableValues {
            try unsafe file.readFloats(named: name, shape: [matrix.rowCount, matrix.columnCount], into: $0)
        }
    }

    /// A run that has diverged goes on diverging.
    private static func checkFinite(_ file: SafetensorsFile, _ tensors: [(name: String, matrix: MutableMatrix)]) throws {
        for (name, matrix) in tensors {
            let values = MutableMatrix(rows: matrix.rowCount, columns: matrix.columnCount)
            try read(name, of: file, into: values)
            guard nonFiniteCount(in: values) == 0 else { throw Damage(reason: "\"\(name)\" holds NaN or infinity") }
        }
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

    /// Why a checkpoint is not taken.
    private struct Rejection: Error {
        let reason: String
        /// Its bytes are not what was written. Otherwise they could not be read, and may be sound.
        let isDamage: Bool

        init(_ error: any Error) {
            switch error {
            case let error as Damage: (reason, isDamage) = (error.reason, true)
            case let error as FileError: (reason, isDamage) = (error.description, error.isDamage)
            case let error as WeightFileError: (reason, isDamage) = (error.description, error.isDamage)
            case let error as any ReportableError: (reason, isDamage) = (error.description, true)
            default: (reason, isDamage) = ("its JSON cannot be read", true)
            }
        }
    }

    // MARK: Tidying

    /// Removes what a crash left half made. Only for the holder of the run's lock.
    package func sweep() {
        for name in (try? directoryEntries(folder)) ?? [] where name.contains(/^step_.*\.tmp(-[0-9]+-[0-9]+)?$/) {
            removeTree(folder.appendingPath(name))
        }
    }

    /// Removes all of them, when the run is finished and its results are written.
    package func removeAll() {
        sweep()
        for name in names { remove(name) }
        for name in (try? directoryEntries(folder)) ?? [] where name.contains(/^step_[0-9]{8,}(_epoch)?\.damaged(-[0-9]+)?$/) {
            removeTree(folder.appendingPath(name))
        }
        // Unless somebody keeps something there.
        unsafe rmdir(folder)
    }

    /// Under a name that counts for nothing; the next number where there was one of that name.
    private func setAside(_ name: String) {
        var target = path(of: name) + Self.damagedMark
        var number = 2
        while fileExists(target) {
            target = path(of: name) + Self.damagedMark + "-\(number)"
            number += 1
        }
        try? renameDirectory(path(of: name), to: target)
    }

    /// Out of sight first, so that nobody finds half of it.
    private func remove(_ name: String) {
        known.names.remove(name)
        let hidden = path(of: name) + Self.temporaryMark
        removeTree(hidden)
        guard (try? renameDirectory(path(of: name), to: hidden)) != nil else { return }
        removeTree(hidden)
    }
}
