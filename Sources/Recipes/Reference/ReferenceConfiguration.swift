import CLIPModel
import Files

/// A configuration file of ViFi-CLIP, as its `utils/config.py` reads them, turned into a recipe.
///
/// What a file leaves out has the reference's defaults. A batch there is one of `devices` equal processes;
/// here one process takes as many more batches for each step.
package struct ReferenceConfiguration {
    package let recipe: Recipe
    /// Keys of the file that say nothing here, with the reason; in the order of the file.
    package let notTakenOver: [(key: String, reason: String)]
    /// Clips of one optimizer step.
    package let effectiveBatch: Int

    /// - Parameters:
    ///   - path: a YAML file of at most 64 KiB, without anchors; its `BASE` files lie in the outermost folder
    ///     named `configs` around it, else in its own.
    ///   - devices: processes that the configuration is meant for.
    /// - Throws: every fault of every file, together.
    package init(path: String, devices: Int) throws(RecipeError) {
        guard let resolved = resolvedPath(path) else {
            throw RecipeError([
                .init(source: path, line: nil, key: "", problem: .file(FileError(path: path, problem: .missing)))
            ])
        }
        var faults: [RecipeError.Fault] = []
        var draft = Draft()
        Self.read(
            path, resolved: resolved, root: RecipePlace.root(around: resolved, named: "configs"), under: [], into: &draft, &faults)
        guard faults.isEmpty else { throw RecipeError(faults) }
        let (accumulation, overflows) = draft.accumulationSteps.multipliedReportingOverflow(by: devices)
        let (batch, batchOverflows) = draft.batchSize.multipliedReportingOverflow(by: accumulation)
        guard !overflows, !batchOverflows else {
            throw RecipeError([
                .init(
                    source: path, line: nil, key: "TRAIN.ACCUMULATION_STEPS",
                    problem: .outOfRange(found: "\(draft.accumulationSteps) × \(devices)", allowed: "1 to 65536"))
            ])
        }
        effectiveBatch = batch
        // Held to the ranges of recipes.
        recipe = try Recipe(yaml: draft.recipe(accumulationSteps: accumulation).yaml, source: path)
        notTakenOver = draft.notTakenOver
    }

    // MARK: Reading

    /// Files that one may stand on, over all levels.
    private static let fileLimit = 32

    private static func read(
        _ path: String, resolved: String, root: String, under chain: [String], into draft: inout Draft,
        _ faults: inout [RecipeError.Fault]
    ) {
        draft.fileCount += 1
        // Each of eight levels may name many.
        guard draft.fileCount <= fileLimit else {
            faults.append(.init(source: path, line: nil, key: "BASE", problem: .basesTooDeep(limit: fileLimit)))
            return
        }
        let document: RecipeNode
        do {
            document = try RecipeDocument.read(resolved, source: path)
        } catch {
            faults += error.faults
            return
        }
        let entries = document.entries(&faults)
        // Bases first: the file goes over them.
        for base in faults.count > 20 ? [] : entries.filter({ $0.key == "BASE" }).flatMap({ bases(in: $0.value, &faults) }) {
            switch RecipePlace.place(of: base.path, in: resolved, root: root, under: chain) {
            case .success(let basePath):
                read(basePath, resolved: basePath, root: root, under: chain + [resolved], into: &draft, &faults)
            case .failure(let problem):
                faults.append(base.node.fault(problem))
            }
        }
        for (key, value) in entries where key != "BASE" { take(value, as: key, into: &draft, &faults) }
    }

    private static func bases(in node: RecipeNode, _ faults: inout [RecipeError.Fault]) -> [(path: String, node: RecipeNode)] {
        let nodes: [RecipeNode] = if case .sequence(let nodes) = node.content { nodes } else { [node] }
        return nodes.compactMap { node in
            // The reference's own default is a list of one empty name.
            if case .scalar("", _) = node.content { return nil }
            return node.text(&faults).map { ($0, node) }
        }
    }

    private static func take(
        _ node: RecipeNode, as key: String, into draft: inout Draft, _ faults: inout [RecipeError.Fault]
    ) {
        if let entry = ReferenceKey.all.first(where: { $0.name == key }) {
            switch entry.meaning {
            case .read(let read): read(node, &draft, &faults)
            case .nothing(let reason): draft.leaveOut(key, reason)
            }
        } else if ReferenceKey.all.contains(where: { $0.name.hasPrefix(key + ".") }) {
            for (inner, value) in node.entries(&faults) { take(value, as: key + "." + inner, into: &draft, &faults) }
        } else {
            // A section may be meant, or a key that stands in another one.
            let parts = ReferenceKey.all.map { $0.name.split(separator: ".").map(String.init) }
            let names = parts.flatMap { parts in parts.indices.map { parts[...$0].joined(separator: ".") } }
            let leaf = key.split(separator: ".").last.map(String.init) ?? key
            let nearest = key.nearest(among: names) ?? leaf.nearest(among: parts.compactMap(\.last))
            faults.append(node.fault(.unknownKey(nearest: nearest)))
        }
    }
}

/// The values of a configuration, with the reference's defaults (V utils/config.py).
package struct Draft {
    /// Files read so far.
    package var fileCount = 0
    package var data = Recipe.Data()
    package var frames = 8
    package var tuning = Tuning.both
    package var learnsPrompts = false
    package var visionTokens = 0
    package var textTokens = 0
    package var visionDepth = 0
    package var textDepth = 1
    package var usesBareNames = false
    package var epochs = 30
    package var warmupEpochs = 5
    package var weightDecay = 1e-3
    package var learningRate = 8e-6
    package var batchSize = 8
    package var accumulationSteps = 1
    package var seed = 1024
    package var labelSmoothing = 0.1
    package var colorJitter = 0.8
    package var gray = 0.2
    package var mixup = 0.8
    package var cutmix = 1.0
    package var clips = 1
    package var crops = 1
    package var testsManyViews = false
    package private(set) var notTakenOver: [(key: String, reason: String)] = []

    package mutating func leaveOut(_ key: String, _ reason: String) {
        notTakenOver.removeAll { $0.key == key }
        notTakenOver.append((key, reason))
    }

    package func recipe(accumulationSteps: Int) -> Recipe {
        var recipe = Recipe()
        recipe.data = data
        recipe.data.frames = frames
        if learnsPrompts {
            // A depth of 0 switches vision prompts off, whatever their number.
            recipe.prompts.visionTokens = visionDepth > 0 ? visionTokens : 0
            recipe.prompts.visionDepth = visionTokens > 0 ? visionDepth : 0
            recipe.prompts.textTokens = textTokens
            recipe.prompts.textDepth = textTokens > 0 ? textDepth : 0
        } else {
            recipe.tuning = tuning
        }
        recipe.fusion = .embedding
        recipe.template = "a photo of a {}."
        recipe.training.epochs = epochs
        recipe.training.warmupEpochs = warmupEpochs
        recipe.training.weightDecay = weightDecay
        recipe.training.learningRate = learningRate
        recipe.training.batchSize = batchSize
        recipe.training.accumulationSteps = accumulationSteps
        recipe.training.seed = seed
        recipe.augmentation.flip = 0.5
        recipe.augmentation.colorJitter = colorJitter
        recipe.augmentation.gray = gray
        recipe.augmentation.multiScale = true
        recipe.augmentation.labelSmoothing = labelSmoothing
        // Without MixUp the reference does not blend at all.
        recipe.augmentation.mixup = mixup
        recipe.augmentation.cutmix = mixup > 0 ? cutmix : 0
        // Its last test, on request, takes 4 × 3 views.
        recipe.evaluation.views = testsManyViews ? Views("4x3") : Views("\(clips)x\(crops)")
        if usesBareNames { recipe.compat = [.bareNames] }
        return recipe
    }
}
