import ArgumentParser
import CLIPModel
import Experiments
import Recipes

/// What is learned: prompts, or a head on features that are computed once.
struct MethodOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "prompts (the default); another way to prompt, such as maple; a head on features that are computed once, such as gda; or auto "
                + "for the best head by training clips that are held out. docs/methods.md and docs/heads.md name all.",
            valueName: "method"))
    var method: String?

    @Option(help: ArgumentHelp("With a head: views of each clip that it learns from, 1 to 10; 1 by default.", valueName: "views"))
    var views: Int?

    @Flag(help: "With a head: compare methods with every class counting alike, however many clips it has.")
    var equalClasses = false

    @Option(
        help: ArgumentHelp(
            "With --method auto: look for the best in that time, such as 90s, 20m or 2h. Prompts are tried too, as far as they fit, and "
                + "heads on them.", valueName: "time"),
        transform: { try Budget(argument: $0) })
    var budget: Budget?

    @Option(
        help: ArgumentHelp(
            "Add the classes of --labels that this head does not know, from their own clips alone; for nearest-mean, cosine-mean, rocchio "
                + "and tip-adapter, whose result is then what the clips of all classes give.", valueName: "file"))
    var extend: String?

    @Option(
        help: ArgumentHelp(
            "Hold the prompts near CLIP without prompts, so that they forget less: kgcoop, promptsrc, froster, or none for a method that brings one.",
            valueName: "way"))
    var regularize: String?

    @Option(
        help: ArgumentHelp(
            "With --regularize: sentences in which the teacher reads class names, one per line with {} for the name; by default a list "
                + "that comes with the program.", valueName: "file"))
    var teacherTemplates: String?

    @Option(
        help: ArgumentHelp(
            "Learn with descriptions of every class in place of its name: JSON or YAML, `class name: [sentence, …]`.", valueName: "file"))
    var descriptions: String?

    @Option(
        help: ArgumentHelp(
            "With --descriptions: mean, videos meet their mean vector (the default), or transport, frames are matched with them as OST does.",
            valueName: "way"))
    var match: Recipe.DescriptionMatch?

    @Option(
        help: ArgumentHelp(
            "With --method gcn: the edges of its graph, one a line as two class names with a tab between them; by default each class is "
                + "joined to those whose texts are nearest.", valueName: "file"))
    var graph: String?

    /// Whether a head is learned, and not prompts.
    var isAboutHead: Bool { head != nil || extend != nil }

    /// Nil for prompts.
    var head: String? { method == "prompts" || prompting != nil ? nil : method }

    /// The way to prompt, where it is not ViFi-CLIP's.
    private var prompting: String? { method.flatMap { PromptMethods.names.contains($0) ? $0 : nil } }

    func validate() throws {
        if extend != nil {
            guard regularize == nil, teacherTemplates == nil else { throw ValidationError("--regularize is for prompts: leave it out with --extend.") }
            guard descriptions == nil, match == nil else { throw ValidationError("--descriptions is for prompts: leave it out with --extend.") }
            guard method == nil, views == nil, budget == nil, graph == nil, !equalClasses else {
                throw ValidationError(
                    "--extend keeps the head's method and settings: leave out --method, --views, --budget, --graph and --equal-classes.")
            }
            return
        }
        guard graph == nil || method == "gcn" else { throw ValidationError("--graph is for --method gcn: other methods have none.") }
        guard let head else {
            guard views == nil else { throw ValidationError("--views is for --method: prompts see other frames in each epoch.") }
            guard budget == nil else { throw ValidationError("--budget is for --method auto: it is the time in which the best is looked for.") }
            guard !equalClasses else { throw ValidationError("--equal-classes is for --method: it is about comparing heads.") }
            return
        }
        guard regularize == nil, teacherTemplates == nil else { throw ValidationError("--regularize is for prompts: leave it out with --method \(head).") }
        guard descriptions == nil, match == nil else { throw ValidationError("--descriptions is for prompts: leave it out with --method \(head).") }
        if head == Tuning.lora.rawValue {
            throw ValidationError("lora changes weights, so that a backbone comes out and no prompts: `vifi-prompt bridge --tuning lora` learns it.")
        }
        if BridgeMethods.names.contains(head) {
            throw ValidationError(SettingsError.forWholeCLIP(method: head).description)
        }
        do { _ = try HeadMethod(head) } catch { throw ValidationError(error.description) }
        try requireRange("--views", views, 1...10)
        guard budget == nil || head == "auto" else { throw ValidationError("--budget is for --method auto: with \(head) there is nothing to choose.") }
    }

    func apply(to recipe: inout Recipe) {
        recipe.prompts.method = prompting ?? recipe.prompts.method
        recipe.prompts.regularize = regularize ?? recipe.prompts.regularize
        recipe.prompts.teacherTemplates = teacherTemplates ?? recipe.prompts.teacherTemplates
        recipe.prompts.descriptions = descriptions ?? recipe.prompts.descriptions
        recipe.prompts.match = match ?? recipe.prompts.match
    }

    func apply(to request: inout RunRequest) {
        request.method = head
        request.views = views
        request.weighsClassesEqually = equalClasses ? true : nil
        request.budget = budget?.seconds
        request.extended = extend
        request.graph = graph
    }
}

/// A time that somebody gives: a number with s, m or h behind it.
struct Budget: Equatable {
    let seconds: Double

    /// - Throws: `ValidationError`, to be shown behind the option's name.
    init(argument: String) throws {
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600]
        guard let unit = argument.last.flatMap({ units[$0] }), let number = Double(argument.dropLast()), number > 0, number * unit <= 366 * 86_400 else {
            throw ValidationError("'\(argument.escapedForDisplay)' is no time. Write a number above 0 with s, m or h behind it, such as 20m.")
        }
        seconds = number * unit
    }
}
