/// What a documented command becomes so that it takes a second instead of hours.
extension DocumentedCommand {
    /// The line that the shell gets: the command as it is printed, with options after it. Of repeated options the last
    /// counts.
    var shellLine: String {
        let line = text.withoutComment + shortening
        if text.hasPrefix("vifi-prompt serve") {
            // A server ends when it is told to: once it has said where it listens, at a port that is free.
            return "rm -f address; " + line + " --port 0 > address & serve=$!; for i in {1..1200}; do [ -s address ] && break; sleep 0.05; done; "
                + "kill -TERM $serve; wait $serve && grep -q '^http://127.0.0.1:' address"
        }
        guard text.contains("--watch") else { return line }
        // A watch ends when it is told to: once it has answered every video that is there.
        return line + " --every 100ms --settle 100ms & watch=$!; for i in {1..600}; do "
            + "[ \"$(wc -l < answers.jsonl)\" -ge \"$(ls inbox | wc -l)\" ] && break; sleep 0.05; done 2>/dev/null; "
            + "kill -TERM $watch; wait $watch"
    }

    private var shortening: String {
        let words = text.split(separator: " ").dropFirst().prefix(2).map(String.init)
        let hasOwnVideos = text.contains("--recipe") || text.contains("--train") || text.contains("--halves")
        switch (words.first, words.last) {
        case ("bench", "features"):
            return " --rounds 1 --frames 1"
        case ("bench", "threads"):
            return " --frames 1 --threads 2"
        case ("bench", let part) where part != "decode":
            return " --steps 1 --frames 1" + (text.contains("--clips") ? " --clips 1 --classes 5" : "")
        case ("learn", _), ("bridge", _):
            // The pocket world's recipes are short already.
            return hasOwnVideos && !text.contains("--epochs") && !text.contains("pocket/") ? " --epochs 2" : ""
        case ("evaluate", "few-shot"), ("evaluate", "base-to-novel"):
            return text.contains("--dry-run") ? "" : hasOwnVideos ? " --epochs 1 --frames 2" : " --set training.steps=2"
        case ("evaluate", "zero-shot") where text.contains("--methods"), ("evaluate", "supervised") where text.contains("--methods"):
            return " --dry-run --no-timing"
        case ("ablate", _):
            // All grids of the pocket world are a hundred runs.
            return text.contains("--dry-run") ? "" : hasOwnVideos ? " --epochs 1 --frames 2" : text.contains("ablate depth") ? "" : " --dry-run --no-timing"
        case ("profile", _):
            return text.contains("--backbone") || text.contains("--no-timing") ? "" : " --no-timing"
        default:
            return ""
        }
    }
}

extension String {
    /// Without what follows a blank and a `#`.
    var withoutComment: String {
        range(of: " #").map { String(self[..<$0.lowerBound]) } ?? self
    }
}
