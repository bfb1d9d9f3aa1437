import Files
import Tensors
import WeightFiles

/// What somebody may say of a checkpoint that it does not say itself.
package struct CheckpointOptions: Sendable {
    /// The activation; nil for what the checkpoint says, or QuickGELU with a warning.
    package var activation: Activation?
    /// The activation to take where the checkpoint does not say it, without a warning.
    package var likelyActivation: Activation?
    /// The heads of both towers; nil for what the checkpoint says, or what is known of models of its width.
    package var heads: HeadCounts?
    /// The name that the backbone gets; the file's own by default.
    package var name: String?
    /// A CLIP with the token table that ViFi-CLIP's checkpoints lack.
    package var tokens: Checkpoint?
    /// What stands before the names of the model that is meant, where a file holds several, as a model beside its average.
    package var prefix: String?
    /// Describes a ViFi-CLIP checkpoint without any token table; its weights can then be surveyed, not used.
    package var allowsMissingTokens = false

    package init(
        activation: Activation? = nil, likelyActivation: Activation? = nil, heads: HeadCounts? = nil, name: String? = nil,
        tokens: Checkpoint? = nil
    ) {
        self.heads = heads
        self.activation = activation
        self.likelyActivation = likelyActivation
        self.name = name
        self.tokens = tokens
    }
}

/// A tensor of ours, and where its values come from.
struct MappedTensor: Sendable {
    let source: any WeightSource
    /// With the names as the source has them.
    let origin: TensorOrigin
    /// Ours.
    let shape: [Int]
    /// The narrowest type that holds every value as it is stored.
    let elementType: ElementType
}

/// A CLIP as a file or folder holds it, whoever wrote it: layout, sizes and everything else that can be known
/// before the weights are read.
package struct Checkpoint: Sendable {
    package let path: String
    package let source: any WeightSource
    package let layout: CheckpointLayout.Kind
    package let architecture: CLIPArchitecture
    package let description: BackboneDescription
    /// Whether this program wrote it as a backbone.
    package let isOwn: Bool
    /// Tensors that are not part of the backbone, by what they are: "optimizer" and their names.
    package let ignored: [IgnoredTensors]
    /// Learned prompts inside, which are not part of the backbone either.
    package let promptNames: [String]
    package let warnings: [CheckpointWarning]
    /// Whether the numbers of heads are told, not taken from what is known of models of its width.
    package let headsAreSaid: Bool
    /// CLIP's vocabulary beside the weights.
    package let vocabularyPath: String?
    /// Whether the token table is neither in the file nor supplied: its size is CLIP's then.
    package let lacksTokens: Bool
    let tensors: BackboneParameters<MappedTensor>

    package struct IgnoredTensors: Sendable, Equatable {
        package let what: String
        package let names: [String]
    }

    /// - Parameter path: a file, or a folder of Hugging Face or open_clip.
    /// - Throws: `ModelError` or `WeightFileError`, naming the file.
    package init(path: String, options: CheckpointOptions = CheckpointOptions()) throws {
        let source = try openWeights(path)
        do {
            try self.init(source: source, path: path, options: options)
        } catch let error as ModelError {
            throw ModelError.inFile(path: path, error)
        }
    }

    private init(source: any WeightSource, path: String, options: CheckpointOptions) throws {
        if source.metadata[PromptHeader.Key.format] != nil { throw ModelError.notABackbone }
        isOwn = BackboneDescription.isClaimed(by: source.metadata)
        var mapping = try CheckpointMapping(source: source, prefix: options.prefix)
        let holdsTokens = mapping.layout.kind != .vifi || mapping.tensors[CheckpointNames.tokenEmbedding] != nil
        lacksTokens = !holdsTokens && options.tokens == nil
        if !holdsTokens {
            if let tokens = options.tokens {
                mapping.tensors[CheckpointNames.tokenEmbedding] = tokens.tensors.text.tokenEmbedding
            } else if options.allowsMissingTokens, let width = mapping.tensors[CheckpointNames.textPositions]?.shape.last {
                mapping.tensors[CheckpointNames.tokenEmbedding] = MappedTensor(
                    source: source, origin: .same(CheckpointNames.tokenEmbedding),
                    shape: [CLIPArchitecture.usualVocabularySize, width], elementType: .float32)
            } else {
                throw ModelError.noTokenTable
            }
        }
        // Of a folder of the hub's cache this is the one in it that holds the weights.
        let folder = CheckpointFolder(holding: source.path, layout: mapping.layout.kind)
        let kept = ReferenceCheckpoint.keptBackbone(in: source)
        var said = try isOwn || kept != nil
            ? CheckpointConfiguration(metadata: kept ?? source.metadata) : folder.configuration()
        if said.activation == nil { said.activation = try ReferenceCheckpoint.keptActivation(in: source) }
        let own = said.headCounts
        if let heads = options.heads { (said.headCounts.vision, said.headCounts.text) = (heads.vision, heads.text) }
        let activation = Self.activation(options: options, said: said, mapping: mapping)
        let shapes = CheckpointShapes(shapes: mapping.tensors.mapValues(\.shape))
        let tokenCount = shapes.shapes[CheckpointNames.tokenEmbedding]?.first ?? 0
        if let other = OtherModels.refusal(forVocabularyOf: tokenCount) { throw other }
        do throws(ModelError) {
            architecture = try shapes.architecture(
                headCounts: said.headCounts, activation: activation ?? .quickGELU, textActivation: options.activation == nil ? said.textActivation : nil)
            try shapes.check(against: architecture)
        } catch {
            let renamed = error.renamed(mapping.sourceName)
            // What is missing may be there as something that is not a tensor.
            guard case .missingTensor(let name) = renamed else { throw renamed }
            throw try mapping.missingTensor(name)
        }
        try said.check(against: architecture)
        // OpenAI's own code takes heads of 64, and ViFi-CLIP's with it; the others' read how many there are.
        if [.huggingFace, .openCLIPText, .timm].contains(mapping.layout.kind), !isOwn {
            let (vision, text) = (architecture.vision.width, architecture.text.width)
            if said.headCounts.vision == nil, KnownHeads.vision(width: vision) == nil { throw ModelError.unknownHeads(tower: "image", width: vision) }
            if said.headCounts.text == nil, KnownHeads.text(width: text) == nil { throw ModelError.unknownHeads(tower: "text", width: text) }
        }

        var warnings = source.warnings.map(CheckpointWarning.ofSource)
        if activation == nil { warnings.append(.guessedActivation) }
        if let flag = options.activation, let own = said.activation, flag != own {
            warnings.append(.otherActivation(said: own, used: flag))
        }
        if let flag = options.heads, own.vision ?? flag.vision != flag.vision || own.text ?? flag.text != flag.text {
            warnings.append(.otherHeads(said: own, used: flag))
        }
        warnings += said.notes(for: architecture).map(CheckpointWarning.doneOtherwise)
        headsAreSaid = isOwn || said.headCounts.vision != nil && said.headCounts.text != nil
        for (tower, sizes, heads) in [
            ("image", architecture.vision, said.headCounts.vision), ("text", architecture.text, said.headCounts.text),
        ] where heads == nil && sizes.headWidth != 64 {
            warnings.append(.guessedHeads(tower: tower, width: sizes.width, headCount: sizes.headCount))
        }
        self.warnings = warnings
        let resolved = mapping.tensors
        tensors = try BackboneParameters<TensorSpecification>(of: architecture).map { specification in
            guard let tensor = resolved[specification.name] else { throw ModelError.missingTensor(name: specification.name) }
            return MappedTensor(
                source: tensor.source, origin: tensor.origin, shape: specification.shape, elementType: tensor.elementType)
        }
        if isOwn {
            description = try BackboneDescription(metadata: source.metadata, path: path)
        } else if let kept {
            var described = try BackboneDescription(metadata: kept, path: path)
            described.name = options.name ?? described.name
            description = described
        } else {
            description = BackboneDescription(
                name: options.name ?? path.lastPathComponent,
                normalization: said.normalization ?? Self.usualNormalization(of: architecture, in: mapping.layout.kind),
                tokenizer: architecture.form.family == .sigLIP ? .sigLIP : .clipBPE,
                provenance: "\(mapping.layout.kind.rawValue), \(source.format.rawValue) \(path.lastPathComponent)")
        }
        // Beside a SigLIP lies another kind of tokenizer.
        vocabularyPath = isOwn ? keptVocabulary(beside: path) : architecture.form.family == .sigLIP ? nil : folder.vocabularyPath
        layout = mapping.layout.kind
        ignored = mapping.ignored
        promptNames = mapping.promptNames
        self.path = path
        self.source = source
    }

    /// How pixels were normalized where nobody says it.
    private static func usualNormalization(of architecture: CLIPArchitecture, in layout: CheckpointLayout.Kind) -> PixelNormalization {
        switch architecture.form.family {
        case .clip: layout == .vifi || architecture.crossFrame != nil ? .imageNet : .clip
        case .perceptionEncoder, .sigLIP: .centered
        }
    }

    /// The activation as somebody said it; nil where it can only be guessed.
    private static func activation(
        options: CheckpointOptions, said: CheckpointConfiguration, mapping: CheckpointMapping
    ) -> Activation? {
        if let activation = options.activation ?? said.activation { return activation }
        // All Perception Encoders have the same, and SigLIPs in each of the two libraries.
        if mapping.tensors[CheckpointNames.poolingProbe] != nil { return mapping.layout.kind == .huggingFace ? .tanhGELU : .gelu }
        switch mapping.layout.kind {
        // Wrapped around OpenAI's own model.
        case .vifi: return .quickGELU
        // Only OpenAI's archives carry their sizes as tensors.
        case .openAI where mapping.source.format == .torchScript && mapping.holdsSizes: return .quickGELU
        default: return options.likelyActivation
        }
    }
}

/// What is used although nobody said so.
package enum CheckpointWarning: Sendable, Equatable, CustomStringConvertible {
    /// A sentence about the file as such.
    case ofSource(String)
    case guessedActivation
    case otherActivation(said: Activation, used: Activation)
    case guessedHeads(tower: String, width: Int, headCount: Int)
    case otherHeads(said: CheckpointShapes.HeadCounts, used: HeadCounts)
    /// A sentence about something that a folder asks for and that is done differently here.
    case doneOtherwise(String)

    package var description: String {
        switch self {
        case .ofSource(let sentence): sentence
        case .guessedActivation:
            "does not say which activation it was trained with: \(Activation.quickGELU.rawValue) is assumed, as in OpenAI's CLIP. "
                + "Most models of open_clip need --activation gelu (all but those with \"quickgelu\" in their names)."
        case .otherActivation(let said, let used):
            "says that its activation is \(said.rawValue); --activation \(used.rawValue) overrides it."
        case .otherHeads(let said, let used):
            "says that its heads are \(said.vision.map { "\($0)" } ?? "unknown") and \(said.text.map { "\($0)" } ?? "unknown"); "
                + "--heads \(used.vision),\(used.text) overrides it."
        case .doneOtherwise(let sentence): sentence
        case .guessedHeads(let tower, let width, let headCount):
            "does not say how many heads its \(tower) tower has: for its width of \(width), \(headCount) are assumed, as in open_clip's "
                + "models of this width. A folder with its open_clip_config.json or config.json states it, or pass `bridge --import --heads`."
        }
    }
}
