import ArgumentParser
import CLIPModel
import Files
import Tensors
import VideoData
import WeightFiles

/// Says what a file holds.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Says what a CLIP, a prompt file, another file of weights or a film holds.",
        discussion: """
              vifi-prompt inspect runs/learn/prompts/best.safetensors
              vifi-prompt inspect ViT-B-16.pt --tensors
              vifi-prompt inspect clip.mp4 --json

            Backbones and prompt files are checked as if they were to be used: every tensor is read.
            """)

    @Argument(help: ArgumentHelp("A file of weights, a folder of Hugging Face or open_clip, or a film.", valueName: "file"))
    var file: String

    @Option(help: "The activation of a CLIP that does not say it: quick_gelu or gelu.")
    var activation: Activation?

    @Option(help: ArgumentHelp("The CLIP with the token table that a ViFi-CLIP checkpoint lacks.", valueName: "path"))
    var clip: String?

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(help: "Name every tensor.")
    var tensors = false

    func run() throws {
        var (inspection, problem) = try inspection()
        if json {
            if !tensors { inspection.tensors = nil }
            try Console.json(inspection)
        } else {
            Console.result(inspection.text(showsAllTensors: tensors))
        }
        if let problem { throw problem }
    }

    /// What the file holds, and why it cannot be used as what it claims to be.
    private func inspection() throws -> (Inspection, problem: (any ReportableError)?) {
        let ending = file.lastPathComponent.split(separator: ".").last.map { $0.lowercased() } ?? ""
        if ClassFolders.filmEndings.contains(ending) { return (try film(), nil) }
        do {
            return try weights()
        } catch let error as WeightFileError {
            // A film without a film's ending starts with bytes that make no length of a header.
            guard case .headerLength = error.problem, let film = try? film() else { throw error }
            return (film, nil)
        }
    }

    private func film() throws -> Inspection {
        let film = try VideoFile(path: file)
        var inspection = try Inspection(kind: .film, file: file)
        inspection.film = Inspection.Film(film.info, warnings: film.warnings)
        return inspection
    }

    private func weights() throws -> (Inspection, problem: (any ReportableError)?) {
        let contents = try openWeights(checkpointFile(at: file))
        var inspection = try Inspection(kind: .tensors, file: file)
        inspection.metadata = contents.metadata
        inspection.format = contents.format.rawValue
        inspection.tensors = contents.tensors.map(Inspection.Tensor.init)
        inspection.tensorCount = contents.tensors.count
        inspection.ignoredObjects = contents.ignoredObjects
        if contents.metadata[ClassEmbeddingsFile.formatKey] != nil { inspection.kind = .classEmbeddings }
        do {
            if contents.format == .safetensors {
                try describePrompts(in: &inspection)
                return (inspection, nil)
            }
        } catch ModelError.inFile(_, .notAPromptFile) {
            // Then it may be a backbone.
        } catch let error as ModelError {
            inspection.kind = .prompts
            return (inspection, error)
        }
        return try (inspection, describeBackbone(in: &inspection))
    }

    /// What the file holds as a CLIP, and why it cannot be used as one.
    private func describeBackbone(in inspection: inout Inspection) throws -> (any ReportableError)? {
        let checkpoint: Checkpoint
        do {
            let tokens = try clip.map { try Checkpoint(path: $0) }
            checkpoint = try Checkpoint(path: file, options: CheckpointOptions(activation: activation, tokens: tokens))
        } catch ModelError.inFile(_, .noCLIP) {
            if inspection.kind == .tensors { Console.note("No backbone: no CLIP's layout fits the tensors' names.") }
            return nil
        } catch let error as ModelError {
            // Another model is what it is; only what claims to be a CLIP of ours can be broken.
            if case .inFile(_, .otherModel) = error {
                Console.note("No backbone: \(error.description)")
                return nil
            }
            inspection.kind = .backbone
            return error
        }
        inspection.kind = .backbone
        for warning in checkpoint.warnings { Console.warning("\(file.escapedForDisplay): \(warning)") }
        if let digest = inspection.sha256 {
            let (known, warning) = try KnownReleases().words(file: file, digest: digest)
            inspection.knownRelease = known
            if let warning { Console.warning(warning) }
        }
        do {
            inspection.backbone = Inspection.BackboneFacts(try checkpoint.backbone(), checkpoint)
            return nil
        } catch let error as any ReportableError {
            return error
        }
    }

    private func describePrompts(in inspection: inout Inspection) throws {
        let prompts = try PromptFile.load(file)
        inspection.kind = .prompts
        var isHere = true
        do {
            try prompts.check(against: BackboneFinder.backbone(for: prompts.header))
        } catch ModelError.backboneNotFound {
            isHere = false
        } catch let error as ModelError {
            throw ModelError.inFile(path: file, error)
        }
        inspection.prompts = Inspection.Prompts(prompts, backboneIsHere: isHere)
    }
}
