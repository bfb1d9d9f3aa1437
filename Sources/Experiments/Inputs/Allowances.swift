import VideoData

/// What is refused because the result would be false, unless it is asked for.
package struct Allowances: Codable, Equatable, Sendable {
    /// Videos that are both learned from and tested on, as files or by their bytes.
    package var allowSharedVideos = false
    /// A validation list with classes that the training list has no clips of.
    package var allowUntrainedClasses = false
    /// A video in two places of a draw, and the same list twice.
    package var allowRepeats = false

    package init(allowSharedVideos: Bool = false, allowUntrainedClasses: Bool = false, allowRepeats: Bool = false) {
        self.allowSharedVideos = allowSharedVideos
        self.allowUntrainedClasses = allowUntrainedClasses
        self.allowRepeats = allowRepeats
    }

    /// Looks at the lists of a run before anything is learned; says what is odd about them.
    ///
    /// - Parameters:
    ///   - train: all clips to learn from, before shots are drawn.
    ///   - validation: what is scored: a validation list or a test list.
    /// - Throws: `DatasetError` where a result would be false and nobody asked for it.
    package func check(
        train: AnnotationList, validation: AnnotationList, classes: ClassNames, context: RunContext
    ) throws(DatasetError) {
        let checks = ListChecks(train: train, validation: validation)
        if !allowUntrainedClasses { try checks.refuseUntrainedClasses(classes) }
        let shared = try allowSharedVideos ? [] : checks.refuseSharedVideos()
        for warning in shared + checks.warnings(classes) { context.warning(.list(warning)) }
    }
}
