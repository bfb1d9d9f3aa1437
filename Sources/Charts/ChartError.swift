import Files

/// Why a chart cannot be drawn or kept.
package struct ChartError: ReportableError, Equatable {
    package enum Problem: Sendable, Equatable {
        case file(FileError)
        case unknownForm(ending: String)
        /// The drawing library's own words.
        case drawing(reason: String)
        case tooLarge(width: Int, height: Int)
    }

    /// The file that was to be written, or the chart's title.
    package let path: String
    package let problem: Problem

    package init(path: String, problem: Problem) {
        self.path = path
        self.problem = problem
    }

    package var exitStatus: ExitStatus {
        switch problem {
        case .file(let error): error.exitStatus
        case .unknownForm: .usage
        case .drawing, .tooLarge: .inputOutput
        }
    }

    package var description: String {
        let name = path.escapedForDisplay
        return switch problem {
        case .file(let error):
            error.description
        case .unknownForm(let ending):
            "\(name): charts are written as .svg or .png, not as '\(ending.escapedForDisplay)'."
        case .drawing(let reason):
            "\(name): the chart cannot be drawn: \(reason.escapedForDisplay)."
        case .tooLarge(let width, let height):
            "\(name): a picture of \(width) × \(height) pixels is too large. Write an .svg instead."
        }
    }
}
