import Files
import Foundation
import Recipes

/// A command as it can be typed in a shell.
package func shellCommand(_ words: [String]) -> String {
    words.map { word in
        let isPlain = !word.isEmpty && word.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || ("0"..."9").contains($0) || "-_./=,:+@%".unicodeScalars.contains($0)
        }
        // Names that are no UTF-8 as the shell writes them.
        if word.pathBytes != Array(word.utf8) { return "$'" + word.replacing("'", with: "\\'") + "'" }
        return isPlain ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }.joined(separator: " ")
}

extension [String] {
    /// The arguments without some options and their values, however these are written.
    package func without(options: [String]) -> [String] {
        var result: [String] = []
        var skipsValue = false
        for argument in self {
            if skipsValue {
                skipsValue = false
            } else if options.contains(argument) {
                skipsValue = true
            } else if !options.contains(where: { argument.hasPrefix($0 + "=") }) {
                result.append(argument)
            }
        }
        return result
    }
}

extension RunContext {
    /// The command that resumes a run, as the program was called.
    package func resumeCommand(_ kind: RunKind, _ path: String) -> String {
        shellCommand([invocation.first ?? "vifi-prompt", kind.rawValue, "--resume", path])
    }
}
