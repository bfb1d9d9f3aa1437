import ArgumentParser

/// Where pictures go.
struct PictureOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A folder, or a file whose ending says what is written; may be repeated. The folder pictures/ by default.", valueName: "path"))
    var output: [String] = []

    @Flag(help: "Overwrite existing files that vifi-prompt did not draw.")
    var force = false
}
