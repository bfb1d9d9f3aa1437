import ArgumentParser
import CLIPModel
import Files
import VideoData
import WeightFiles

/// Says what a file holds.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Says what a backbone, a prompt file, another safetensors file or a film holds.",
        discussion: """
              vifi-prompt inspect runs/learn/prompts/best.safetensors
              vifi-prompt inspect ViT-B-16.safetensors --tensors
              vifi-prompt inspect clip.mp4 --json

            Backbones and prompt files are checked as if they were to be used: every tensor is read.
            """)

    @Argument(help: ArgumentHelp("A .safetensors file or a film.", valueName: "file"))
    var file: String

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
    private func inspection() throws -> (Inspection, problem: ModelError?) {
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

    private func weights() throws -> (Inspection, problem: ModelError?) {
        let contents = try SafetensorsFile(path: file)
        var inspection = try Inspection(kind: .tensors, file: file)
        inspection.metadata = contents.metadata
        inspection.tensors = contents.tensors.map(Inspection.Tensor.init)
        inspection.tensorCount = contents.tensors.count
        if contents.metadata[ClassEmbeddingsFile.formatKey] != nil { inspection.kind = .classEmbeddings }
        do {
            try describePrompts(in: &inspection)
            return (inspection, nil)
        } catch ModelError.inFile(_, .notAPromptFile) {
            // Then it may be a backbone.
        } catch let error as ModelError {
            inspection.kind = .prompts
            return (inspection, error)
        }
        do {
            let backbone = try Backbone.load(file)
            inspection.kind = .backbone
            inspection.backbone = Inspection.BackboneFacts(backbone)
            if !claimsToBeBackbone(contents) {
                Console.note("The file does not name its normalisation and tokenizer: those of OpenAI's CLIP are taken.")
            }
            return (inspection, nil)
        } catch ModelError.inFile(_, .missingTensor(let name)) where !claimsToBeBackbone(contents) {
            if inspection.kind == .tensors {
                Console.note("No backbone: tensor \"\(name.escapedForDisplay)\" is missing.")
            }
            return (inspection, nil)
        } catch let error as ModelError {
            inspection.kind = .backbone
            return (inspection, error)
        }
    }

    /// Backbones that this program wrote say so; CLIPs from elsewhere do not.
    private func claimsToBeBackbone(_ contents: SafetensorsFile) -> Bool {
        contents.metadata["vifi_backbone_format"] != nil
    }

    private func describePrompts(in inspection: inout Inspection) throws {
        let prompts = try PromptFile.load(file)
        inspection.kind = .prompts
        var isHere = true
        do {
            try prompts.check(against: BackboneFinder.backbone(for: prompts))
        } catch ModelError.backboneNotFound {
            isHere = false
        } catch let error as ModelError {
            throw ModelError.inFile(path: file, error)
        }
        inspection.prompts = Inspection.Prompts(prompts, backboneIsHere: isHere)
    }
}
