import CLIPModel
import Files
import Methods
import Tensors
import VideoData

/// Classes that are added to a head from their own clips alone.
struct HeadExtension {
    let file: HeadFile
    let path: String
    /// The head's own, then the new ones.
    let classNames: [String]
    private let head: any ExtendableHead
    /// Position of each new class among the run's.
    private let places: [Int]

    /// - Parameters:
    ///   - path: of a head, or of the run that learned it.
    ///   - data: its classes may name the head's own, too; clips may be of new ones only.
    /// - Throws: `HeadUseError`, `HeadError` or what reading the file throws.
    init(_ path: String, data: RunData, backbone: Backbone, frameCount: Int, normalization: PixelNormalization) throws {
        let found = HeadFile.file(at: path) ?? path
        file = try HeadFile.load(found)
        self.path = found
        try file.check(backbone, path: found)
        guard let head = file.head as? any ExtendableHead else { throw HeadError.notExtendable(head: file.header.kind) }
        self.head = head
        guard file.prompts == nil else {
            throw HeadUseError.notWith(what: "--extend", reason: "\(found.escapedForDisplay) scores features with prompts; learn it anew.")
        }
        for (what, mine, theirs) in [
            ("frames", "\(frameCount)", "\(file.header.frames)"), ("normalization", normalization.name, file.header.normalization),
        ] where mine != theirs {
            throw HeadUseError.otherLooks(path: found, what: what, head: theirs, here: mine)
        }
        let names = data.classes.names
        let known = Set(file.header.classNames)
        places = names.indices.filter { !known.contains(names[$0]) }
        guard !places.isEmpty else { throw HeadUseError.noNewClasses(path: found) }
        if let clip = data.train.clips.first(where: { known.contains(names[$0.label]) }) {
            throw HeadUseError.knownClass(name: names[clip.label], path: found, clip: clip.name)
        }
        classNames = file.header.classNames + places.map { names[$0] }
    }

    /// The head with the new classes behind its own.
    ///
    /// - Parameter sequences: of the run's classes.
    func head(from features: FeaturePass.Features, sequences: [[Int]], backbone: Backbone, pool: WorkerPool) throws -> any Head {
        let labels = Dictionary(uniqueKeysWithValues: places.enumerated().map { ($1, $0) })
        let examples = try HeadExamples(
            features: features.vectors, labels: features.labels.map { labels[$0] ?? 0 }, clips: features.clips,
            texts: backbone.textFeatures(of: places.map { sequences[$0] }, pool: pool), projection: backbone.projection,
            logitScale: backbone.logitScale)
        return try head.extended(by: examples)
    }

    /// That of the head with the new classes. What held-out clips said was of its own classes, but their temperature is kept.
    var header: HeadFile.Header {
        var header = file.header
        header.classNames = classNames
        header.crossValidatedTop1 = nil
        header.toolVersion = vifiPromptVersion
        return header
    }
}
