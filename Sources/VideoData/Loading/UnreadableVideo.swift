import Files

/// A video of a list that could not be read, where nobody asked to skip it.
package struct UnreadableVideo: ReportableError {
    package let list: String
    package let cause: VideoError

    package init(list: String, cause: VideoError) {
        self.list = list
        self.cause = cause
    }

    package var exitStatus: ExitStatus { cause.exitStatus }

    package var description: String {
        cause.description + "\n`vifi-prompt data check \(list.escapedForDisplay)` names all videos of the list that cannot be read, and "
            + "--write-good writes it without them; --on-bad-video skip continues without them."
    }
}
