/// How a command ends. The numbers follow `sysexits.h`, so that scripts can tell the cases apart.
package enum ExitStatus: Int32, Sendable {
    /// Wrong flags or arguments.
    case usage = 64
    /// A file is damaged, hostile or contradicts another one.
    case badData = 65
    /// A file or folder that was named does not exist or cannot be opened.
    case missingInput = 66
    /// This machine lacks something that the program needs.
    case unavailable = 69
    /// A fault in this program.
    case software = 70
    /// Reading or writing failed: full disk, lost file system.
    case inputOutput = 74
    /// Stopped on request after saving; the same command with `--resume` continues.
    case interrupted = 75
    /// A recipe or configuration contradicts itself or the data.
    case badConfiguration = 78
}

/// An error that a person or a file can cause: it knows its exit status and its own words.
///
/// `description` names the file, the place in it, the problem and the remedy.
package protocol ReportableError: Error, CustomStringConvertible, Sendable {
    var exitStatus: ExitStatus { get }
}
