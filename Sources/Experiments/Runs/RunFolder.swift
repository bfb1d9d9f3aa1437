import CLIPModel
import Files
import Foundation
import Tensors
import Training
import VideoData

/// The folder of a run: made or found, gone on with, described.
extension LearningRun {
    /// Runs on captions are no default for commands about classes, which look for names that begin with the kind.
    package var runName: String { data.captions == nil ? kind.rawValue : BackboneFinder.captionRunPrefix + kind.rawValue }

    /// The run's folder, new or found.
    package func open(_ start: RunStart, sequences: [[Int]]) throws -> RunDirectory {
        switch start {
        case .new(let output, let first):
            let path = try output ?? RunDirectory.next(in: BackboneFinder.runsFolder, name: runName)
            let directory = try RunDirectory(newAt: path, resume: context.resumeCommand(kind, path))
            try describe(directory, sequences: sequences, like: first)
            return directory
        case .resumed(let run):
            guard Self.digest(sequences) == run.record.sequencesSHA256 else { throw RunError.otherTokens }
            return try RunDirectory(resuming: run.path)
        }
    }

    /// Goes back to the newest sound checkpoint: the optimizer, the logs, and the state that is returned; nil
    /// where there is none.
    package func restore(
        _ optimizer: Optimizer, in directory: inout RunDirectory
    ) throws -> (state: TrainingState, path: String)? {
        let checkpoints = Checkpoints(run: directory.path)
        directory.sweep()
        let found = try checkpoints.restore(into: optimizer) { path, reason in
            context.warning(.resuming(.damagedCheckpoint(path: path, reason: reason)))
        }
        try directory.cutLogs(to: found?.state.logBytes ?? [:])
        context.note(.resuming(found.map { .checkpoint(path: $0.path, step: $0.state.step) } ?? .noCheckpoint))
        return found
    }

    /// Writes down everything that the run needs to go on after being stopped.
    ///
    /// - Parameter first: the first run of the group that this one belongs to.
    private func describe(
        _ directory: borrowing RunDirectory, sequences: [[Int]], like first: RunRecord?
    ) throws {
        let configuration = try directory.writeConfiguration(recipe.yaml)
        try directory.writeEnvironment(
            version: vifiPromptVersion, threads: settings.pool.threadCount,
            ranks: group.count > 1 ? context.places.places.map(\.host) : [])
        let labels = data.captions == nil ? try directory.writeSplit("labels.csv", text: data.classes.text) : ""
        var lists: [String: RunRecord.List] = [:]
        for (name, bytes, videos) in data.lists {
            let file = name + (data.captions == nil ? ".txt" : ".csv")
            let digest = try directory.writeSplit(file, bytes: bytes)
            let marks = try directory.writeSplit(RunDirectory.marksName(list: name), text: VideoMarks(of: videos).text)
            lists[name] = .init(
                sha256: digest, root: videos.root, videosSHA256: marks, sourceSHA256: name == "train" ? data.sourceSHA256 : digest)
        }
        var record = try RunRecord(
            request: request, isPocket: settings.isPocket, backbone: settings.backbonePath(kind: kind), backboneSHA256: backbone.digest,
            configurationSHA256: configuration, labelsSHA256: labels, sequencesSHA256: Self.digest(sequences),
            initialSHA256: initialDigest, lists: lists, hasCaptions: data.captions != nil, version: vifiPromptVersion, threads: settings.pool.threadCount)
        record.backboneWeightsSHA256 = backbone.weightsDigest
        record.teacherSHA256 = teacherDigest
        record.descriptionsSHA256 = descriptions?.digest
        record.ranks = group.count > 1 ? group.count : nil
        if let first, let other = record.otherInput(than: first) { throw RunError.otherInGroup(path: directory.path, input: other) }
        try directory.write(record: record)
    }

    package static func digest(_ sequences: [[Int]]) -> String { Digest.of("\(sequences)") }
}
