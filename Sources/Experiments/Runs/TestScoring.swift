import CLIPModel
import Evaluation
import Files
import Recipes
import Tensors
import Training
import VideoData

/// The test list of a run, which is scored once, at the end, with what the validation list chose.
extension LearningRun {
    /// Scores the test list as `evaluate` would score the file, and writes down what was said of each clip.
    ///
    /// - Parameter path: of the run, which has learned and saved.
    /// - Returns: nil where there is no test list.
    /// - Throws: `EvaluationStopped` after a signal: the run is resumed here.
    package func testScores(path: String) throws -> Scores? {
        if let captions = data.captions?.test { return try scores(of: captions, chosenModel(path: path)) }
        return try scores(of: data.test, called: "test", path: path)
    }

    /// Scores a list with what the run chose.
    ///
    /// - Parameter name: `val` or `test`.
    package func scores(of list: AnnotationList?, called name: String, path: String) throws -> Scores? {
        guard let list else { return nil }
        let model = try chosenModel(path: path)
        let job = EvaluationJob(
            evaluationProtocol: name, settings: evaluationSettings, videos: options, model: request.model, pool: settings.pool, context: context)
        let result = try job.evaluate(
            TestList(list: list, classes: data.classes, sha256: Digest.of(AnnotationList.bytes(of: list.clips))), with: model, title: name == "val" ? "validation" : name)
        try DurableFile.write(ClipVerdicts(result.predictions).csv, to: path.appendingPath(ClipVerdicts.fileName(of: name)))
        return Scores(result.metrics)
    }

    private func chosenModel(path: String) throws -> LoadedModel {
        let file = kind.chosenFile(in: path)
        let tokenizer = try BackboneFinder.tokenizer(for: backbone, vocabulary: request.vocabulary)
        if file.lastPathComponent == HeadFile.name { return try LoadedModel(head: file, on: backbone, tokenizer: tokenizer, context: context) }
        guard kind == .bridge else {
            return try LoadedModel(prompts: file, on: backbone, tokenizer: tokenizer, context: context).described(by: descriptions)
        }
        let bridged = try BackboneFinder.load(file, activation: nil, context: context).computing(in: settings.precision)
        // What a method puts behind the image tower is kept where prompts are.
        let beside = RunKind.learn.chosenFile(in: path)
        guard fileExists(beside) else { return LoadedModel(bridged, tokenizer: tokenizer, context: context) }
        return try LoadedModel(prompts: beside, on: bridged, tokenizer: tokenizer, context: context)
    }

    /// How the run itself looks at videos.
    private var evaluationSettings: Recipe {
        var recipe = settings.recipe.scoringSettings
        recipe.data.frames = settings.frameCount
        recipe.fusion = settings.fusion
        recipe.data.onBadVideo = settings.recipe.data.onBadVideo
        recipe.compat = settings.recipe.compat
        recipe.training.seed = Int(exactly: settings.seed)
        return recipe
    }

    private func scores(of list: CaptionList, _ model: LoadedModel) throws -> Scores {
        let sequences = try model.backbone.tokens(
            of: list, prompts: model.prompts?.header.configuration ?? .none, template: settings.recipe.template,
            maxWords: settings.recipe.data.maxWords, tokenizer: model.tokenizer, context: context)
        let encoder = PairEncoder(
            backbone: model.backbone, prompts: model.promptSet,
            frameCount: settings.frameCount, pool: settings.pool)
        return try scores(of: list, sequences: sequences, encoder: encoder, loader: evaluationLoader(list.videoList))
    }
}
