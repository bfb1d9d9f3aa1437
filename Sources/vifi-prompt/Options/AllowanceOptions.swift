import ArgumentParser
import VideoData

/// What is refused because the result would be false, unless it is asked for.
struct AllowanceOptions: ParsableArguments {
    @Flag(help: "Allow videos that are both learned from and tested on, as files or by their bytes.")
    var allowSharedVideos = false

    @Flag(help: "Allow a validation list with classes that the training list has no clips of.")
    var allowUntrainedClasses = false

    @Flag(help: "Allow a video in two places of a draw, and the same list twice.")
    var allowRepeats = false

    /// Looks at the lists of a run before anything is learned; says what is odd about them.
    ///
    /// - Parameter train: all clips to learn from, before shots are drawn.
    /// - Throws: `DatasetError` where a result would be false and nobody asked for it.
    func check(train: AnnotationList, validation: AnnotationList, classes: ClassNames) throws(DatasetError) {
        let checks = ListChecks(train: train, validation: validation)
        if !allowUntrainedClasses { try checks.refuseUntrainedClasses(classes) }
        if !allowSharedVideos { try checks.refuseSharedVideos() }
        for warning in checks.warnings(classes) { Console.warning(warning.description) }
    }

    /// The flags as they were given, for commands that start others.
    var arguments: [String] {
        (allowSharedVideos ? ["--allow-shared-videos"] : []) + (allowUntrainedClasses ? ["--allow-untrained-classes"] : [])
            + (allowRepeats ? ["--allow-repeats"] : [])
    }
}

let allowRepeatsHelp: ArgumentHelp = "Allow the same one to be named twice, or a copy of it."
