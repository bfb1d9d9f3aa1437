import ArgumentParser
import Experiments

/// What is refused because the result would be false, unless it is asked for.
struct AllowanceOptions: ParsableArguments {
    @Flag(help: "Allow videos that are both learned from and tested on, as files or by their bytes.")
    var allowSharedVideos = false

    @Flag(help: "Allow a validation list with classes that the training list has no clips of.")
    var allowUntrainedClasses = false

    @Flag(help: "Allow a video in two places of a draw, and the same list twice.")
    var allowRepeats = false

    var inputs: Allowances {
        Allowances(
            allowSharedVideos: allowSharedVideos, allowUntrainedClasses: allowUntrainedClasses, allowRepeats: allowRepeats)
    }
}

let allowRepeatsHelp: ArgumentHelp = "Allow the same one to be named twice, or a copy of it."
