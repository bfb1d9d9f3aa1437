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
        if file.backboneDigest == nil { Console.note("\(updates.escapedForDisplay) does not say which backbone it belongs to; it is taken for this one's.") }
        var description = backbone.description
        description.name = name
        description.provenance = "\(backbone.description.name) (\(backbone.digest.prefix(12))) with low-rank updates, rank \(file.updates.rank)"
        let merged = file.updates.merged(with: backbone, described: description, pool: WorkerPool(threadCount: Ranks.threadCount))
        var made = try MadeBackbone(merged, to: target, isHalf: isHalf, vocabulary: vocabulary ?? backbone.vocabularyPath)
        made.rank = file.updates.rank
        if json { try Console.json(made) } else { made.show(merged, making: "made of") }
    }
}
