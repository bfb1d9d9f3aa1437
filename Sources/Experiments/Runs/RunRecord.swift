import Files
import Recipes
import Tensors
import Training

/// What a run was started with, beyond its recipe: enough to start the same thing again.
package struct RunRecord: Codable, Equatable, Sendable {
    /// A list of videos as the run uses it.
    package struct List: Codable, Equatable, Sendable {
        /// Of the copy under `split/`.
        package var sha256: String
        /// The folder that its paths start from.
        package var root: String
        /// Of the videos' marks under `split/`.
        package var videosSHA256: String
        /// SHA-256 over the whole list, from which shots may have been drawn.
        package var sourceSHA256: String

        package init(sha256: String, root: String, videosSHA256: String, sourceSHA256: String) {
            self.sha256 = sha256
            self.root = root
            self.videosSHA256 = videosSHA256
            self.sourceSHA256 = sourceSHA256
        }
    }

    /// Raised when runs of earlier programs cannot be gone on with.
    package static let format = 3

    package var format = RunRecord.format
    /// What was asked for.
    package var request: RunRequest
    package var isPocket: Bool
    package var backbone: String
    package var backboneSHA256: String
    /// Of the weights alone; nil in runs of before the two digests were told apart.
    package var backboneWeightsSHA256: String?
    package var configurationSHA256: String
    package var labelsSHA256: String
    /// Over the tokens of the class names: another vocabulary makes others.
    package var sequencesSHA256: String
    /// Over the prompts of `--init`; nil without.
    package var initialSHA256: String?
    /// Over the sentences in which the teacher of regularized prompts reads the class names; nil without.
    package var teacherSHA256: String?
    /// Over the descriptions that stand for class names; nil for names.
    package var descriptionsSHA256: String?
    /// `train` and, where there are such, `val` and `test`.
    package var lists: [String: List]
    /// Whether the lists are of captions, CSV, and there are no classes.
    package var hasCaptions: Bool?
    package var version: String
    package var threads: Int
    package var processor: String
    /// Processes that shared the steps; nil for one.
    package var ranks: Int?

    package init(
        request: RunRequest, isPocket: Bool, backbone: String, backboneSHA256: String,
        configurationSHA256: String, labelsSHA256: String, sequencesSHA256: String, initialSHA256: String?, lists: [String: List],
        hasCaptions: Bool = false, version: String, threads: Int
    ) {
        self.hasCaptions = hasCaptions ? true : nil
        self.request = request
        self.isPocket = isPocket
        self.backbone = backbone
        self.backboneSHA256 = backboneSHA256
        self.configurationSHA256 = configurationSHA256
        self.labelsSHA256 = labelsSHA256
        self.sequencesSHA256 = sequencesSHA256
        self.initialSHA256 = initialSHA256
        self.lists = lists
        self.version = version
        self.threads = threads
        processor = Machine.processorName
    }

    package var kind: RunKind { request.kind }

    /// The name of a list under `split/`.
    package func fileName(list: String) -> String { list + (hasCaptions == true ? ".csv" : ".txt") }

    /// What a run of the same group was started with otherwise, beyond seed and shots; nil for nothing.
    package func otherInput(than first: RunRecord) -> String? {
        let named = first.backboneWeightsSHA256 == nil ? [backboneSHA256, backboneWeightsSHA256] : [backboneSHA256]
        if !named.contains(first.backboneSHA256) { return "backbone" }
        if labelsSHA256 != first.labelsSHA256 { return "list of labels" }
        if descriptionsSHA256 != first.descriptionsSHA256 { return "file of --descriptions" }
        if sequencesSHA256 != first.sequencesSHA256 { return "vocabulary" }
        if initialSHA256 != first.initialSHA256 { return "file of --init" }
        if teacherSHA256 != first.teacherSHA256 { return "file of --teacher-templates" }
        let names = ["train", "val", "test"]
        if let name = names.first(where: { lists[$0]?.sourceSHA256 != first.lists[$0]?.sourceSHA256 }) { return "\(name) list" }
        return names.dropFirst().first { lists[$0]?.videosSHA256 != first.lists[$0]?.videosSHA256 }.map { "videos of the \($0) list" }
    }

    /// - Returns: nil where the folder holds no run.
    /// - Throws: `FileError` where the file is damaged, or from a program whose runs cannot be gone on with.
    package static func read(run: String) throws(FileError) -> RunRecord? {
        struct Form: Decodable { let format: Int }
        let path = run.appendingPath(RunDirectory.recordName)
        if let form = try readJSON(Form.self, path)?.format, form != format {
            throw FileError(
                path: path,
                problem: .damaged(
                    reason: "it has form \(form), this program's runs have form \(format). Finish the run with the "
                        + "vifi-prompt that began it, or start a new one"))
        }
        return try readJSON(RunRecord.self, path)
    }
}

