import ArgumentParser
import CLIPModel
import Experiments
import Files
import Recipes
import Tensors
import VideoData
import WeightFiles

/// Says what a file holds.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Says what a CLIP, a prompt file, another file of weights or a video holds.",
        discussion: """
              vifi-prompt inspect runs/learn/prompts/best.safetensors
              vifi-prompt inspect learn-adapter
              vifi-prompt inspect ViT-B-16.pt --tensors
              vifi-prompt inspect clip.mp4 --json

            Backbones and prompt files are checked as if they were to be used: every tensor is read. Without a file it is \
            what the newest run here learned.
            """)

    @Argument(
        help: ArgumentHelp(
            "A file of weights or prompts, a folder of Hugging Face, open_clip or PEFT, or a video; what the newest run learned by default.",
            valueName: "file"))
    var named: String?

    @Option(help: "The activation of a CLIP that does not say it.")
    var activation: Activation?

    @Option(help: ArgumentHelp("The CLIP with the token table that a ViFi-CLIP checkpoint lacks.", valueName: "path"))
    var clip: String?

    @Option(help: ArgumentHelp(
        "Where a file holds several CLIPs, such as a model and its average: what the names of the one that is meant start with.",
        valueName: "prefix"))
    var prefix: String?

    @Flag(help: jsonHelp)
    var json = false

    @Flag(help: "Name every tensor.")
    var tensors = false

    func run() throws {
        let file = try named ?? newest()
        var (inspection, problem) = try inspection(of: file)
        if json {
            if !tensors { inspection.tensors = nil }
            try Console.json(inspection)
        } else {
            Console.result(inspection.text(showsAllTensors: tensors))
        }
        if let problem { throw problem }
    }

    private func newest() throws -> String {
        guard let run = KeptRun.newest() else { throw ValidationError("Missing expected argument '<file>': nothing was learned in \(BackboneFinder.runsFolder)/ that could be meant.") }
        let file = run.prompts ?? run.bridged ?? run.path
        Console.note("The newest run: \(file.escapedForDisplay). For another name its file.")
        return file
    }

    /// What the file holds, and why it cannot be used as what it claims to be.
    private func inspection(of file: String) throws -> (Inspection, problem: (any ReportableError)?) {
        if VideoEndings.isVideo(file.lastPathComponent) { return (try video(file), nil) }
        do {
            return try weights(file)
        } catch let error as WeightFileError {
            // A video without a video's ending is recognized as no file of weights.
            switch error.problem {
            case .headerLength, .unrecognized, .lookalike:
                guard let video = try? video(file) else { throw error }
                return (video, nil)
            default: throw error
            }
        }
    }

    private func video(_ file: String) throws -> Inspection {
        let video = try openVideo(file)
        var inspection = try Inspection(kind: .video, file: file)
        inspection.video = Inspection.Video(video.info, warnings: video.warnings)
        return inspection
    }

    private func weights(_ file: String) throws -> (Inspection, problem: (any ReportableError)?) {
        let isAdapter = isDirectory(file) && PromptAdapter.isAdapter(file)
        let contents = try openWeights(isAdapter ? try PromptAdapter.tensorsPath(of: file) : file)
        var inspection = try Inspection(kind: .tensors, file: file)
        inspection.metadata = contents.metadata
        inspection.format = isAdapter ? PromptFile.Form.adapter.rawValue : contents.format.rawValue
        inspection.tensors = contents.tensors.map(Inspection.Tensor.init)
        inspection.tensorCount = contents.tensors.count
        inspection.ignoredObjects = contents.ignoredObjects
        for warning in contents.warnings where isAdapter { Console.warning("\(file.escapedForDisplay): \(warning)") }
        if contents.metadata[ClassEmbeddingsFile.formatKey] != nil { inspection.kind = .classEmbeddings }
        if let own = HeadFile.file(at: file) {
            let head = try HeadFile.load(own)
            let header = head.header
            Console.note(
                "A head: \(header.kind.rawValue), \(counted(header.classNames.count, "class", "classes")), on \(header.backbone.escapedForDisplay) "
                    + "(\(header.backboneSHA256.prefix(12))…)\(head.prompts == nil ? "" : " with prompts"). predict, eval, viz and report take it as --prompts.")
            return (inspection, nil)
        }
        var problem: (any ReportableError)?
        if isAdapter || contents.format == .safetensors || contents.format == .pyTorch {
            problem = try describePrompts(of: file, in: &inspection)
        }
        let isPrompts = inspection.kind == .prompts
        if !isAdapter, !isPrompts || inspection.prompts?.carriesBackbone == true {
            let other = try describeBackbone(of: file, in: &inspection)
            problem = problem ?? other
            if isPrompts { inspection.kind = .prompts }
        }
        return (inspection, problem)
    }

    /// What the file holds as a CLIP, and why it cannot be used as one.
    private func describeBackbone(of file: String, in inspection: inout Inspection) throws -> (any ReportableError)? {
        let checkpoint: Checkpoint
        do {
            var options = CheckpointOptions(activation: activation, tokens: try clip.map { try Checkpoint(path: $0) })
            options.allowsMissingTokens = true
            options.prefix = prefix
            checkpoint = try Checkpoint(path: file, options: options)
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
        if checkpoint.lacksTokens {
            Console.note(
                "A backbone but for the token embeddings, as ViFi-CLIP saves it: `vifi-prompt bridge --import FILE --clip ViT-B-16.pt` "
                    + "takes them from the CLIP that it started from.")
        }
        if let digest = inspection.sha256 {
            let (known, warning) = try KnownReleases.words(file: file, digest: digest)
            inspection.knownRelease = known
            if let warning { Console.warning(warning) }
        }
        do {
            inspection.backbone = Inspection.BackboneFacts(checkpoint, try checkpoint.survey())
            return nil
        } catch let error as any ReportableError {
            return error
        }
    }

    /// What the file holds as prompts, and why they cannot be used.
    private func describePrompts(of file: String, in inspection: inout Inspection) throws -> (any ReportableError)? {
        let prompts: PromptFile
        do {
            prompts = try PromptFile.load(file)
        } catch ModelError.inFile(_, .notAPromptFile), ModelError.inFile(_, .prompts(.noPrompts)), ModelError.inFile(_, .prompts(.partOfAdapter)) {
            // Then it may be a backbone.
            return nil
        } catch let error as ModelError {
            if case .inFile(_, .prompts(.adapterType)) = error {
                Console.note("No prompts: \(error.description)")
                return nil
            }
            inspection.kind = .prompts
            return error
        }
        inspection.kind = .prompts
        for note in prompts.notes { Console.note("\(file.escapedForDisplay): \(note)") }
        var isHere = true
        do {
            try prompts.check(against: BackboneFinder.backbone(for: prompts, at: file, context: .commandLine))
        } catch ModelError.backboneNotFound, ModelError.prompts(.backboneNotFound) {
            isHere = false
        } catch let error as ModelError {
            throw ModelError.inFile(path: file, error)
        }
        inspection.prompts = Inspection.Prompts(prompts, backboneIsHere: isHere)
        return nil
    }
}
