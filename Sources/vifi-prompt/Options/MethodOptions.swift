import ArgumentParser
import Experiments

/// What is learned: prompts, or a head on features that are computed once.
struct MethodOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "prompts (the default), a head on features that are computed once, such as gda, or auto for the best head by training "
                + "clips that are held out; docs/heads.md names all.",
            valueName: "method"))
    var method: String?

    @Option(help: ArgumentHelp("With a head: views of each clip that it learns from, 1 to 10; 1 by default.", valueName: "views"))
    var views: Int?

    @Flag(help: "With a head: compare methods with every class counting alike, however many clips it has.")
    var equalClasses = false

    /// Nil for prompts.
    var head: String? { method == "prompts" ? nil : method }

    func validate() throws {
        guard let head else {
            guard views == nil else { throw ValidationError("--views is for --method: prompts see other frames in each epoch.") }
            guard !equalClasses else { throw ValidationError("--equal-classes is for --method: it is about comparing heads.") }
            return
        }
        do { _ = try HeadMethod(head) } catch { throw ValidationError(error.description) }
        try requireRange("--views", views, 1...10)
    }

    func apply(to request: inout RunRequest) {
        request.method = head
        request.views = views
        request.weighsClassesEqually = equalClasses ? true : nil
    }
}
