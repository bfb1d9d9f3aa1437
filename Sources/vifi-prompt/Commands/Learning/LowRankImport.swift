import CLIPModel
import Experiments
import Files
import Tensors

/// `import --lora`: writes a backbone with low-rank updates in its weights.
struct LowRankImport {
    let source: String
    let updates: String
    let name: String?
    let output: String?
    let vocabulary: String?
    let activation: Activation?
    let isHalf: Bool
    let force: Bool
    let json: Bool

    /// What `--json` prints.
    private struct Report: Encodable {
        let file: String
        let sha256: String
        let backboneSha256: String
        let vocabularyFile: String?
        let rank: Int
    }

    func run() throws {
        let context = RunContext.commandLine(json: json)
        let backbone = try BackboneFinder.load(source, activation: activation, context: context)
        let name = name ?? "\(BridgeImport.name(of: source))-lora"
        let target = try BridgeImport.target(output: output, name: name, inputs: [source, updates], force: force)
        let file = try LowRankFile.load(updates, for: backbone)
        do {
            try file.check(against: backbone)
        } catch {
            throw ModelError.inFile(path: updates, error)
        }
        if file.backboneDigest == nil { context.note("\(updates.escapedForDisplay) does not say which backbone it belongs to; it is taken for this one's.") }
        var description = backbone.description
        description.name = name
        description.provenance = "\(backbone.description.name) (\(backbone.digest.prefix(12))) with low-rank updates, rank \(file.updates.rank)"
        var merged = file.updates.merged(with: backbone, described: description, pool: WorkerPool(threadCount: Ranks.threadCount))
        if isHalf { merged = merged.roundedToFloat16() }
        try createDirectory(target.parentDirectory)
        let digest = try merged.save(to: target, elementType: isHalf ? .float16 : .float32)
        let kept = try (vocabulary ?? backbone.vocabularyPath).map { try keepVocabulary($0, beside: target) }
        if json {
            return try Console.json(
                Report(file: target, sha256: digest, backboneSha256: merged.digest, vocabularyFile: kept, rank: file.updates.rank))
        }
        var rows = [
            ("backbone", target), ("made of", description.provenance), ("architecture", merged.architecture.summary), ("SHA-256", digest),
            ("digest", merged.digest),
        ]
        if let kept { rows.append(("vocabulary", kept)) }
        Console.result(Inspection.aligned(rows.map { ($0.0, $0.1.escapedForDisplay) }).joined(separator: "\n"))
    }
}
