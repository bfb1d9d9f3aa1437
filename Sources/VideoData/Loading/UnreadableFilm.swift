import Files

/// A film of a list that could not be read, where nobody said to go on without it.
package struct UnreadableFilm: ReportableError {
    package let list: String
    package let cause: any Error

    package init(list: String, cause: any Error) {
        self.list = list
        self.cause = cause
    }

    package var exitStatus: ExitStatus { (cause as? any ReportableError)?.exitStatus ?? .badData }

    package var description: String {
        let words = (cause as? any ReportableError)?.description ?? "\(cause)"
        return words + "\n`vifi-prompt data check \(list.escapedForDisplay)` names all films of the list that cannot be read, and "
            + "--write-good writes it without them; --on-bad-video skip goes on without them."
    }
}
