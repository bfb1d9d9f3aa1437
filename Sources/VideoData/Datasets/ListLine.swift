import Files

/// A problem on its way to getting a file and a line.
struct LineFault: Error {
    let problem: DatasetError.Problem
    init(_ problem: DatasetError.Problem) { self.problem = problem }
}

/// What a line of a list says, before anything is made of it.
struct ListLine: Equatable {
    var path: String
    /// A number or a class's name.
    var label: String
    /// How many frames the list says the video has.
    var frameCount: Int?
    /// The part of the video that is meant; nil for all of it.
    var part: ClipPart?

    /// A line of `path label`, `path frames label` or `path start end label`.
    ///
    /// Two numbers before the label are times where both have a decimal point, an `s` at their end or colons.
    ///
    /// - Parameters:
    ///   - text: without blanks at its ends, not empty.
    ///   - isClass: whether a text is the name of a class.
    init(_ text: String, isClass: (String) -> Bool) throws(LineFault) {
        if text.utf8.first == UInt8(ascii: "\"") {
            let fields = try Self.quotedFields(text)
            (path, label) = fields
            if let (part, rest) = try Self.leadingPart(label) {
                (self.part, label) = (part, rest)
            } else if let (first, rest) = Self.split(label), let count = Self.wholeNumber(first), !isClass(label) {
                (frameCount, label) = (count, rest)
            }
            return
        }
        guard let (before, last) = Self.splitLast(text) else { throw LineFault(.oneField) }
        // Names of classes may hold blanks: the video's ending tells where the times begin.
        if let (path, rest) = Self.splitAfterVideo(text), let (part, name) = try Self.leadingPart(rest) {
            (self.path, self.part, label) = (path, part, name)
            return
        }
        guard Self.looksLikeNumber(last) || isClass(last) else {
            // Names of classes may hold blanks: then the video's ending tells where they begin.
            guard let (path, name) = Self.splitAfterVideo(text), Self.wholeNumber(name.prefixWord) == nil else {
                throw LineFault(.labelNotANumber(last))
            }
            (self.path, label) = (path, name)
            return
        }
        (path, label) = (before, last)
        if let (path, part) = try Self.trailingPart(before) {
            (self.path, self.part) = (path, part)
            return
        }
        guard let (shorter, number) = Self.splitLast(before), let count = Self.wholeNumber(number) else { return }
        if let (_, another) = Self.splitLast(shorter), Self.wholeNumber(another) != nil {
            throw LineFault(.severalNumbers(text))
        }
        (path, frameCount) = (shorter, count)
    }

    init(path: String, label: String, frameCount: Int?, part: ClipPart? = nil) {
        self.path = path
        self.label = label
        self.frameCount = frameCount
        self.part = part
    }

    /// Two times at the start of `text`, and what follows them.
    private static func leadingPart(_ text: String) throws(LineFault) -> (part: ClipPart, rest: String)? {
        guard let (first, others) = split(text), let (second, rest) = split(others), let part = try ClipPart.between(first, second) else { return nil }
        return (part, rest)
    }

    /// Two times at the end of `text`, and what stands before them.
    private static func trailingPart(_ text: String) throws(LineFault) -> (path: String, part: ClipPart)? {
        guard let (before, second) = splitLast(text), let (path, first) = splitLast(before), let part = try ClipPart.between(first, second) else { return nil }
        return (path, part)
    }

    // MARK: Words

    private static func splitLast(_ text: String) -> (before: String, last: String)? {
        guard let blank = text.lastIndex(where: \.isBlank) else { return nil }
        let before = String(text[..<blank]).trimmingBlanks()
        return before.isEmpty ? nil : (before, String(text[text.index(after: blank)...]))
    }

    private static func split(_ text: String) -> (first: String, rest: String)? {
        guard let blank = text.firstIndex(where: \.isBlank) else { return nil }
        return (String(text[..<blank]), String(text[blank...]).trimmingBlanks())
    }

    /// Behind the first word that ends as videos do.
    private static func splitAfterVideo(_ text: String) -> (path: String, rest: String)? {
        var start = text.startIndex
        while let blank = text[start...].firstIndex(where: \.isBlank) {
            let path = String(text[..<blank])
            if VideoEndings.isShownVideo(path.lastPathComponent) { return (path, String(text[blank...]).trimmingBlanks()) }
            start = text.index(after: blank)
        }
        return nil
    }

    /// The number that a text of digits alone is.
    static func wholeNumber(_ text: String) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return Int(text) ?? .max
    }

    /// Digits, maybe with a minus before them.
    static func looksLikeNumber(_ text: String) -> Bool {
        wholeNumber(text.first == "-" ? String(text.dropFirst()) : text) != nil
    }

    private static func quotedFields(_ text: String) throws(LineFault) -> (path: String, label: String) {
        // By scalars: with an accent after it a quote would be another character.
        let scalars = text.unicodeScalars
        var path = String.UnicodeScalarView()
        var index = scalars.index(after: scalars.startIndex)
        while index < scalars.endIndex {
            let next = scalars.index(after: index)
            if scalars[index] != "\"" {
                path.append(scalars[index])
                index = next
            } else if next < scalars.endIndex && scalars[next] == "\"" {
                path.append("\"")
                index = scalars.index(after: next)
            } else {
                let rest = String(scalars[next...])
                guard rest.first?.isBlank == true else { throw LineFault(rest.isEmpty ? .oneField : .textAfterQuote) }
                return (String(path), rest.trimmingBlanks())
            }
        }
        throw LineFault(.unclosedQuote)
    }
}

extension Character {
    var isBlank: Bool { self == " " || self == "\t" }
}

extension String {
    fileprivate var prefixWord: String { String(prefix { !$0.isBlank }) }

    func trimmingBlanks() -> String {
        var text = Substring(self)
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return String(text)
    }
}
