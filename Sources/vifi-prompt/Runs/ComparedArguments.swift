/// A command line as far as it says what is computed: flags with their values, in any order and spelling.
///
/// What is left out changes no result: where it is written, how often it is saved, with how many threads and how much
/// memory it is computed.
struct ComparedArguments {
    private var values: [String: [[String]]] = [:]

    private static let ignored: Set = ["--output", "-o", "--threads", "--save-every", "--memory", "--seeds"]

    /// - Parameter arguments: after the command's name.
    init(_ arguments: [String]) {
        var flag = ""
        var current: [String] = []
        func isFlag(_ word: String) -> Bool { word.utf8.first == UInt8(ascii: "-") && Double(word) == nil }
        func finish() {
            guard !flag.isEmpty || !current.isEmpty, !Self.ignored.contains(flag) else { return }
            values[flag, default: []].append(current)
        }
        for word in arguments {
            guard isFlag(word) else {
                current.append(word)
                continue
            }
            finish()
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            flag = parts[0]
            current = Array(parts.dropFirst())
        }
        finish()
    }

    /// The first flag, by name, that is not the same in both, with the values it has.
    func firstDifference(from other: ComparedArguments) -> String? {
        for flag in Set(values.keys).union(other.values.keys).sorted() where values[flag] != other.values[flag] {
            func words(_ values: [[String]]?) -> String {
                guard let values else { return "without it" }
                let text = values.map { $0.joined(separator: " ") }.joined(separator: ", ")
                return text.isEmpty ? "with it" : text
            }
            return "\(flag) (\(words(values[flag])), and the group has \(words(other.values[flag])))"
        }
        return nil
    }
}
