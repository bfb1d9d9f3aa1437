import CLIPModel
import Experiments
import Files
import Foundation
import Logging
import Synchronization

/// A folder whose prompt files and heads answer while they are there.
///
/// It is looked into when somebody asks for prompts, at most once a second: what has appeared or changed since is read and
/// checked against the backbone, what has gone is let go. A file that is damaged, does not fit, or is not whole yet is told of
/// with its fault; it keeps no other from answering, and is read again when it changes.
///
/// Links are followed within the folder alone: otherwise whoever may write there could have any file of the server's user read
/// and handed out.
final class PromptFolder: Sendable {
    /// Why a file does not answer.
    struct Fault: Encodable, Sendable {
        let file: String
        let message: String
    }

    private struct Entry: Sendable {
        /// Stays while the file has its name, whatever it holds.
        let id: String
        /// Of what was read; nil where it is to be read again at the next look.
        let identity: FileIdentity?
        let outcome: Result<Answerer, RequestFault>

        var message: String? {
            guard case .failure(let fault) = outcome else { return nil }
            return fault.message
        }
    }

    private struct State {
        /// By the file's name.
        var entries: [String: Entry] = [:]
        /// Of the folder itself.
        var fault: Fault?
        var looked: ContinuousClock.Instant?
        /// Files that were seen so far.
        var count = 0
    }

    let path: String
    private let idPrefix: String
    private let base: LoadedModel
    private let context: RunContext
    private let logger: Logger
    private let state = Mutex(State())

    private static let interval = Duration.seconds(1)
    /// Files of one folder that are read.
    private static let fileLimit = 256
    private static let endings = ["safetensors", "pth", "pt", "ckpt"]

    /// - Parameters:
    ///   - idPrefix: of the ids of what answers, unlike that of others.
    ///   - base: the backbone that all of them need.
    init(path: String, idPrefix: String, base: LoadedModel, context: RunContext, logger: Logger) {
        self.path = path
        self.idPrefix = idPrefix
        self.base = base
        self.context = context
        self.logger = logger
    }

    /// Whether a path that is named at the start is such a folder, and not prompts by itself.
    static func isOne(_ path: String) -> Bool { isDirectory(path) && HeadFile.file(at: path) == nil && !PromptFile.isNamed(byFolder: path) }

    // MARK: What is there

    /// In the order of the files' names.
    var answerers: [Answerer] { entries.compactMap { try? $0.value.outcome.get() } }

    /// Of files that do not answer, and of the folder itself.
    var faults: [Fault] {
        let own = state.withLock { $0.fault }
        return [own].compactMap(\.self) + entries.compactMap { name, entry in entry.message.map { Fault(file: name, message: $0) } }
    }

    private var entries: [(key: String, value: Entry)] {
        let entries = state.withLock { $0.entries }
        return entries.keys.sortedBytewise().compactMap { name in entries[name].map { (name, $0) } }
    }

    // MARK: Looking

    /// Looks again, where that was not done within the last second. One thread looks at a time.
    func look() {
        let known = state.withLock { state in
            state.looked.map { ContinuousClock.now - $0 < Self.interval } ?? false ? nil : state.entries
        }
        guard let known else { return }
        var entries: [String: Entry] = [:]
        var (fault, reason): (Fault?, String) = (nil, "")
        do throws(FileError) {
            let names = try directoryEntries(path).filter { name in !name.isHiddenName && name.pathEnding.map(Self.endings.contains) ?? false }
            if names.count > Self.fileLimit {
                fault = Fault(file: path.lastPathComponent, message: "The folder holds \(names.count) files of prompts; the first \(Self.fileLimit) by name answer.")
            }
            // What the folder's own name leads to may change, too.
            let folder = resolvedPath(path) ?? path
            var fileOfName: [String: String] = [:]
            for name in names.prefix(Self.fileLimit) {
                let entry = entry(name, in: folder, known: known[name], twin: fileOfName.updateValue(name, forKey: name.pathStem))
                entries[name] = entry
                if let message = entry.message, message != known[name]?.message { log(name, entry) }
            }
        } catch {
            // A folder that is gone holds nothing; one that cannot be read at the moment holds what it held.
            let isGone = error.problem == .missing
            if !isGone { entries = known }
            fault = Fault(file: path.lastPathComponent, message: isGone ? "The folder is not there any more." : "The folder cannot be read at the moment.")
            reason = error.description
        }
        let isNews = state.withLock { state in
            defer { (state.entries, state.fault, state.looked) = (entries, fault, .now) }
            return fault != nil && state.fault?.message != fault?.message
        }
        if isNews, let fault { logger.warning("\(path.escapedForDisplay): \(fault.message) \(reason)") }
    }

    private func log(_ name: String, _ entry: Entry) {
        let place = path.appendingPath(name).escapedForDisplay
        guard case .failure(let fault) = entry.outcome else { return }
        logger.warning("\(place) does not answer: \(fault.message)")
        fault.log(place, logger)
    }

    /// What a file is now.
    ///
    /// - Parameters:
    ///   - folder: without links.
    ///   - known: what it was at the last look.
    ///   - twin: a file whose name differs by its ending alone.
    private func entry(_ name: String, in folder: String, known: Entry?, twin: String?) -> Entry {
        let id = known?.id ?? state.withLock { state in
            state.count += 1
            return "\(idPrefix)\(state.count)"
        }
        func fault(_ words: String) -> Entry { Entry(id: id, identity: nil, outcome: .failure(RequestFault(.unprocessable, words))) }
        let shown = name.escapedForDisplay
        if let twin { return fault("\(twin.escapedForDisplay) has the same name but for the ending, and answers to it. Rename \(shown).") }
        guard let place = resolvedPath(path.appendingPath(name)) else { return fault("\(shown) leads to nothing.") }
        guard place.utf8.starts(with: folder.appendingPath("").utf8) else { return fault("\(shown) is a link out of the folder, which is not followed. Put the file itself there.") }
        guard let identity = FileIdentity(path: place) else { return fault("\(shown) is no file with contents of its own.") }
        if let known, known.identity == identity { return known }
        do {
            let model = try LoadedModel(prompts: place, sharing: base, anyBackbone: false, context: context)
            guard FileIdentity(path: place) == identity else { return fault("\(shown) changed while it was read. It is read again in a second.") }
            let answerer = Answerer(
                id: id, name: name.pathStem, path: place, origin: .folder, model: model, dataSet: nil, run: nil, created: nil, version: identity)
            return Entry(id: id, identity: identity, outcome: .success(answerer))
        } catch {
            let fault = RequestFault(error, path: place, name: name)
            // What the machine lacked for a moment is no fault of the file.
            let isPassing = fault.code == .busy || fault.code == .fault
            return Entry(id: id, identity: isPassing ? nil : identity, outcome: .failure(fault))
        }
    }
}
