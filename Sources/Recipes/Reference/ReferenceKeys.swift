import CLIPModel

/// A key of ViFi-CLIP's configuration files, and what becomes of it.
package struct ReferenceKey {
    package enum Meaning {
        case read((RecipeNode, inout Draft, inout [RecipeError.Fault]) -> Void)
        /// Known, but of no effect here, for this reason.
        case nothing(String)
    }

    /// Dotted, as in `TRAIN.EPOCHS`.
    package let name: String
    package let meaning: Meaning

    /// All keys of V utils/config.py, and the one that its command line adds.
    package static var all: [ReferenceKey] {
        data + model + trainer + train + augmentation + test + [
            integer("SEED", \.seed, 0...Int.max),
            nothing("OUTPUT", "--output names the folder of a run"),
            nothing("SAVE_FREQ", "a run is tested and saved five times on its way"),
            nothing("PRINT_FREQ", "progress is shown by time"),
            nothing("LOCAL_RANK", "there is one process"),
        ]
    }

    private static var data: [ReferenceKey] {
        [
            path("DATA.ROOT", \.data.root, flag: "--root"), path("DATA.TRAIN_FILE", \.data.train, flag: "--train"),
            path("DATA.VAL_FILE", \.data.val, flag: "--val"), path("DATA.LABEL_LIST", \.data.labels, flag: "--labels"),
            integer("DATA.NUM_FRAMES", \.frames, 1...1024),
            ReferenceKey(name: "DATA.INPUT_SIZE", meaning: .read { $1.data.side = $0.integer(in: 16...1024, &$2) }),
            nothing("DATA.DATASET", "only a name"),
            nothing("DATA.NUM_CLASSES", "the labels file has as many rows as there are classes"),
        ]
    }

    private static var model: [ReferenceKey] {
        [
            nothing("MODEL.ARCH", "the file that --backbone names has its architecture"),
            nothing("MODEL.PRETRAINED", "import it with `vifi-prompt bridge --import`, then pass --backbone"),
            nothing("MODEL.RESUME", "import it with `vifi-prompt bridge --import`, then pass --backbone"),
            nothing("MODEL.DROP_PATH_RATE", "ViFi-CLIP drops no paths"),
            nothing("MODEL.FIX_TEXT", "ViFi-CLIP does not read it; TRAINER.ViFi_CLIP.USE says what learns"),
        ]
    }

    private static var trainer: [ReferenceKey] {
        let section = "TRAINER.ViFi_CLIP."
        return [
            flag(section + "PROMPT_MODEL", \.learnsPrompts), flag(section + "ZS_EVAL", \.usesBareNames),
            integer(section + "N_CTX_VISION", \.visionTokens, 0...512), integer(section + "N_CTX_TEXT", \.textTokens, 0...512),
            integer(section + "PROMPT_DEPTH_VISION", \.visionDepth, 0...128),
            integer(section + "PROMPT_DEPTH_TEXT", \.textDepth, 1...128),
            ReferenceKey(
                name: section + "USE",
                meaning: .read { node, draft, faults in
                    // Anything else trains the text tower (methods 1.1).
                    if let use = node.text(&faults) { draft.tuning = use == "both" ? .both : use == "image" ? .image : .text }
                }),
            nothing(section + "CTX_INIT", "it has effect for at most 4 text tokens; prompts.start: template does likewise"),
        ]
    }

    private static var train: [ReferenceKey] {
        [
            integer("TRAIN.EPOCHS", \.epochs, 1...100_000), integer("TRAIN.WARMUP_EPOCHS", \.warmupEpochs, 0...100_000),
            number("TRAIN.WEIGHT_DECAY", \.weightDecay, 0...1), number("TRAIN.LR", \.learningRate, 0...10),
            integer("TRAIN.BATCH_SIZE", \.batchSize, 1...65_536),
            integer("TRAIN.ACCUMULATION_STEPS", \.accumulationSteps, 1...65_536),
            only("cosine", "TRAIN.LR_SCHEDULER"), only("adamw", "TRAIN.OPTIMIZER"),
            nothing("TRAIN.OPT_LEVEL", "everything is computed in float32"),
            nothing("TRAIN.AUTO_RESUME", "--resume continues a run"),
            nothing("TRAIN.USE_CHECKPOINT", "memory is bounded otherwise"),
        ]
    }

    private static var augmentation: [ReferenceKey] {
        [
            number("AUG.LABEL_SMOOTH", \.labelSmoothing, 0...0.99), number("AUG.COLOR_JITTER", \.colorJitter, 0...1),
            number("AUG.GRAY_SCALE", \.gray, 0...1), number("AUG.MIXUP", \.mixup, 0...100),
            number("AUG.CUTMIX", \.cutmix, 0...100),
            ReferenceKey(
                name: "AUG.MIXUP_SWITCH_PROB",
                meaning: .read { node, _, faults in
                    // Half of the batches are blended each way here; no other share can be asked for.
                    if let value = node.number(in: 0...1, &faults), value != 0.5 {
                        faults.append(node.fault(.outOfRange(found: "\(value)", allowed: "only 0.5")))
                    }
                }),
        ]
    }

    private static var test: [ReferenceKey] {
        [
            integer("TEST.NUM_CLIP", \.clips, 1...64),
            ReferenceKey(
                name: "TEST.NUM_CROP",
                meaning: .read { node, draft, faults in
                    guard let crops = node.integer(in: 1...3, &faults) else { return }
                    if crops == 2 { faults.append(node.fault(.outOfRange(found: "2", allowed: "1 or 3"))) }
                    draft.crops = crops
                }),
            flag("TEST.MULTI_VIEW_INFERENCE", \.testsManyViews),
            nothing("TEST.ONLY_TEST", "`vifi-prompt eval` only tests"),
        ]
    }

    // MARK: Kinds of keys

    private static func nothing(_ name: String, _ reason: String) -> ReferenceKey {
        ReferenceKey(name: name, meaning: .nothing(reason))
    }

    private static func integer(
        _ name: String, _ path: WritableKeyPath<Draft, Int>, _ range: ClosedRange<Int>
    ) -> ReferenceKey {
        ReferenceKey(
            name: name,
            meaning: .read { node, draft, faults in
                if let value = node.integer(in: range, &faults) { draft[keyPath: path] = value }
            })
    }

    private static func number(
        _ name: String, _ path: WritableKeyPath<Draft, Double>, _ range: ClosedRange<Double>
    ) -> ReferenceKey {
        ReferenceKey(
            name: name,
            meaning: .read { node, draft, faults in
                if let value = node.number(in: range, &faults) { draft[keyPath: path] = value }
            })
    }

    /// `True` as Python spells it, or any of YAML's spellings.
    private static func flag(_ name: String, _ path: WritableKeyPath<Draft, Bool>) -> ReferenceKey {
        ReferenceKey(
            name: name,
            meaning: .read { node, draft, faults in
                guard let text = node.text(&faults) else { return }
                switch text.lowercased() {
                case "true", "yes", "on": draft[keyPath: path] = true
                case "false", "no", "off": draft[keyPath: path] = false
                default: faults.append(node.fault(.needs("True or False", found: text)))
                }
            })
    }

    /// A path, unless it is empty or the placeholder of the shipped files.
    private static func path(_ name: String, _ path: WritableKeyPath<Draft, String?>, flag: String) -> ReferenceKey {
        ReferenceKey(
            name: name,
            meaning: .read { node, draft, faults in
                if case .scalar("", _) = node.content { return }
                guard let text = node.text(&faults) else { return }
                if text.hasPrefix("/PATH/TO") {
                    draft.leaveOut(name, "a placeholder: pass \(flag)")
                } else {
                    draft[keyPath: path] = text
                }
            })
    }

    /// A key with one possible value.
    private static func only(_ value: String, _ name: String) -> ReferenceKey {
        ReferenceKey(name: name, meaning: .read { node, _, faults in _ = node.choice(of: [value], &faults) })
    }
}
