import Files

/// What can be wrong with prompts from elsewhere.
package enum PromptProblem: Sendable, Equatable {
    /// The tensors of a PEFT folder, without the folder.
    /// A head, which scores classes without prompts.
    case head
    case partOfAdapter
    case noAdapterConfiguration
    /// Weights in a form that can hold code.
    case pickledAdapter
    case adapterType(String?)
    case notAnObject(kind: String)
    /// The tensors are not those that the configuration was written with.
    case adapterDigest(expected: String, actual: String)
    /// A checkpoint without prompts; of a bridged backbone where it holds embeddings of whole texts.
    case noPrompts(isBridged: Bool)
    /// Layers between others have prompts, this one has none.
    case missingLayer(name: String)
    case headerDiffers(key: String, header: Int, found: Int)
    case foreignBackbone(ForeignBackbone)
    /// Nobody named the backbone, and none that was looked at is equal to the one in the file.
    case backboneNotFound
    /// The reference always learns prompts for its text tower.
    case noTextPrompts
    /// The reference's prompts begin at the first layer.
    case lateLayers(tower: String, layers: String)
    /// Of a method whose prompts are not those of layers, alike for all classes and clips.
    case otherMethod(OtherPromptMethod)
    /// The reference merges no tokens.
    case mergedTokens(Int)
    /// Nothing stands behind the input norm where the first layer has no vision prompts.
    case noneBehindNorm
    /// The reference's prompts pass the input norm.
    case behindNorm
    /// Learned words or a temporal transformer, which the reference has no names for.
    case beyondPrompts
    /// What Efficient-Prompt has no names for.
    case notEfficientPrompt
    /// What Dassl's programs have no names for.
    case notDassl
    /// A prompt file holds no projections.
    case mapleProjections
    /// What ActionCLIP has no names for.
    case notActionCLIP
    /// Class embeddings are for videos whose frames have a mean.
    case noClassEmbeddings
    /// What prompts that follow each video cannot be used for.
    case followsVideos(FollowedUse)
    /// Words that are others for each class, for captions.
    case classWordsWithoutNames
    /// The file does not name its classes, and there are others.
    case classWords(count: Int, names: Int)
    /// A class that no words were learned for.
    case noWordsFor(name: String, nearest: String?)
    /// Prompts in pixels of frames of another size than the backbone's.
    case pixelsOfOtherSide(prompts: Int, backbone: Int)
    /// The reference has no names for prompts in pixels.
    case pixelsBeyondReference
    /// Beside a transformer over frames.
    case otherFusion(Fusion)
    case tooManyFrames(Int, most: Int)
    /// - Parameter form: of towers whose texts are not masked: "a SigLIP".
    case templateInDeepLayers(_ form: String)

    var exitStatus: ExitStatus {
        switch self {
        case .backboneNotFound: .missingInput
        case .otherFusion, .tooManyFrames, .classWordsWithoutNames, .classWords, .noWordsFor, .followsVideos(.captions), .followsVideos(.fusion): .usage
        case .followsVideos, .noTextPrompts, .lateLayers, .mergedTokens, .noneBehindNorm, .behindNorm, .beyondPrompts, .notEfficientPrompt, .notDassl,
            .mapleProjections, .notActionCLIP, .noClassEmbeddings, .pixelsOfOtherSide, .pixelsBeyondReference, .templateInDeepLayers: .badConfiguration
        default: .badData
        }
    }

    var words: String {
        switch self {
        case .head:
            "this is a head, which `vifi-prompt learn --method` wrote, and holds no prompts. predict, eval, viz and report take it; "
                + "prompts are learned without --method."
        case .partOfAdapter:
            "these are the tensors of a PEFT folder. Pass the folder, which says in adapter_config.json what they are."
        case .noAdapterConfiguration:
            "is a folder without adapter_config.json. Prompts are a .safetensors file, a ViFi-CLIP .pth, or a folder "
                + "that `vifi-prompt export --to peft` wrote."
        case .pickledAdapter:
            "holds adapter_model.bin, but no adapter_model.safetensors. Save the adapter as safetensors."
        case .adapterType(let type):
            "adapter_config.json: peft_type is \(type.map { "\"\(ModelError.excerpt($0))\"" } ?? "missing"), but only "
                + "\"\(PromptAdapter.type)\" is supported. Other adapters change weights or act elsewhere."
        case .notAnObject(let kind): "adapter_config.json holds \(kind), but an object is needed."
        case .adapterDigest(let expected, let actual):
            "adapter_model.safetensors holds other prompts (\(actual.prefix(12))…) than adapter_config.json was written "
                + "with (\(ModelError.excerpt(String(expected.prefix(12))))…). The folder mixes two adapters; copy it again."
        case .noPrompts(isBridged: true):
            "this ViFi-CLIP checkpoint holds no prompts: it is a backbone that was trained as a whole. "
                + "Pass it with --backbone instead."
        case .noPrompts(isBridged: false):
            "this checkpoint holds no prompts under ViFi-CLIP's names: neither \"prompt_learner.ctx\" nor "
                + "\"image_encoder.VPT\". `vifi-prompt inspect` lists what it holds."
        case .otherMethod(let method): method.words
        case .missingLayer(let name):
            "prompts \"\(ModelError.excerpt(name))\" are missing, although deeper layers have some. The file is incomplete."
        case .headerDiffers(let key, let header, let found):
            "the header gives \"\(key)\" as \(header), but the tensors give \(found). The file contradicts itself; export it again."
        case .foreignBackbone(let foreign):
            foreign.description + ". Use the backbone they belong to (--backbone), or pass --any-backbone to try them on this one."
        case .backboneNotFound:
            "the prompts do not name their backbone, and neither a run here nor Checkpoints has the one that their file "
                + "was saved with. Pass it with --backbone FILE."
        case .noTextPrompts:
            "these prompts are for the vision tower alone. ViFi-CLIP always has prompts for the text tower and would "
                + "fill them with random numbers. Use --to vifi-prompt, peft or npz."
        case .lateLayers(let tower, let layers):
            "the \(tower) prompts are in layers \(layers). ViFi-CLIP's begin at layer 0: it has no names for these, and would put "
                + "random prompts below them. Use --to vifi-prompt, peft or npz."
        case .classWordsWithoutNames:
            "these words are others for each class, so they say nothing of captions. Learn words that all classes share."
        case .classWords(let count, let names):
            "these words are others for each of \(counted(count, "class", "classes")), which the file does not name, but \(names) are given. Pass the list "
                + "that they were learned with, in its order."
        case .noWordsFor(let name, let nearest):
            "these words are others for each class, and none were learned for '\(name.escapedForDisplay)'."
                + (nearest.map { " Did you mean '\($0.escapedForDisplay)'?" } ?? "") + " Words that all classes share take any names."
        case .otherFusion(let fusion):
            "these prompts were learned with a transformer over frames, which fusion \(fusion.rawValue) would leave out. Leave --fusion out."
        case .tooManyFrames(let count, let most):
            "these prompts were learned with a transformer over at most \(counted(most, "frame", "frames")), but clips of \(count) are asked for. "
                + "Set --frames to at most \(most)."
        case .templateInDeepLayers(let form):
            "text prompts start as a template's words (prompts.start: template) in the first layer alone where the backbone is \(form): its texts "
                + "are not masked, so that above it a word's state depends on the class name. Set prompts.start to random, or --text-depth 1."
        case .beyondPrompts:
            "this file holds learned words around the class name or a transformer over frames, which ViFi-CLIP has no names for. Use --to "
                + "vifi-prompt, peft, npz or efficient-prompt."
        case .notDassl:
            "Dassl's programs (CoOp, VPT, IVLP) have names for words before the class name, and for prompts of either tower from layer 0 on. "
                + "They know no merging tokens, no prompts behind the input norm, no prompts in pixels and no transformer over frames. Use --to vifi-prompt, peft or npz."
        case .mapleProjections:
            "MaPLe's own checkpoint holds the projections that make its vision prompts, which a prompt file does not hold. Use --to vifi-pth "
                + "for the same prompts as ordinary ones, or vifi-prompt, peft or npz."
        case .notActionCLIP:
            "an ActionCLIP checkpoint holds a CLIP and a transformer over frames, as `bridge --method actionclip` makes them, and nothing else. Use "
                + "--to vifi-prompt, vifi-pth, peft or npz."
        case .noClassEmbeddings:
            "class embeddings are compared with the mean of a video's frames, but these prompts were learned with a transformer over frames. Use --to "
                + "vifi-prompt, peft, npz or efficient-prompt."
        case .followsVideos(let use): "these prompts are others for each video (CoCoOp). " + use.words
        case .notEfficientPrompt:
            "an Efficient-Prompt checkpoint holds learned words around the class name and a transformer over frames, as `learn --method a5` makes "
                + "them, and nothing else. Use --to vifi-prompt, vifi-pth, peft or npz."
        case .pixelsOfOtherSide(let prompts, let backbone):
            "these prompts are added to the pixels of frames of \(prompts) × \(prompts), but the backbone sees frames of \(backbone) × \(backbone). Use a "
                + "backbone for \(prompts) pixels."
        case .pixelsBeyondReference:
            "these prompts are added to pixels of frames, which ViFi-CLIP has no names for. Use --to vifi-prompt, peft or npz."
        case .noneBehindNorm:
            "prompts behind the input norm are vision prompts of layer 0, and there are none. Leave out --prompts-behind-norm "
                + "(prompts.behind_norm), or give the first layer of the vision tower prompts."
        case .behindNorm:
            "these prompts were learned behind the vision tower's input norm. ViFi-CLIP's pass that norm and would compute something else "
                + "with them. Use --to vifi-prompt, peft or npz."
        case .mergedTokens(let count):
            "these prompts were learned with \(counted(count, "token", "tokens")) merged in each layer of the vision tower. ViFi-CLIP merges "
                + "none and would compute something else with them. Use --to vifi-prompt, peft or npz."
        }
    }
}

/// A use that needs texts which all videos share.
package enum FollowedUse: Sendable, Equatable {
    /// A checkpoint of the reference.
    case reference
    case classEmbeddings
    case captions
    case fusion(Fusion)

    var words: String {
        switch self {
        case .reference: "ViFi-CLIP has no names for the network that makes them. Use --to vifi-prompt, peft or npz."
        case .classEmbeddings:
            "So the classes have no embeddings that a file could hold: the text tower runs once per video. Use --to vifi-prompt, peft or npz."
        case .captions: "Captions would need a text of their own for each pair. Leave --prompts out, or name prompts that were learned from captions."
        case .fusion(let fusion): "They follow the mean of its frames, which fusion \(fusion.rawValue) leaves out. Leave --fusion out."
        }
    }
}
