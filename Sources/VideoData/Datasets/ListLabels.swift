import Files

/// Turns what lists write for a class into its number.
struct ListLabels {
    private let classCount: Int?
    private let classes: ClassNames?
    /// Names in the spelling that several spellings have in common; nil where two classes share it.
    private let folded: [String: Int?]

    init(classCount: Int?, classes: ClassNames?) {
        self.classCount = classes?.count ?? classCount
        self.classes = classes
        var folded: [String: Int?] = [:]
        for (label, name) in (classes?.names ?? []).enumerated() {
            let key = Self.folded(name)
            folded[key] = folded.keys.contains(key) ? .some(nil) : .some(label)
        }
        self.folded = folded
    }

    /// `HandstandPushups`, `handstand_pushups` and `handstand pushups` are the same.
    private static func folded(_ name: String) -> String { name.lowercased().filter { $0 != " " && $0 != "_" && $0 != "-" } }

    /// Whether `text` is the name of a class.
    func isClass(_ text: String) -> Bool { label(named: text) != nil }

    private func label(named text: String) -> Int? { classes?.index(of: text) ?? folded[Self.folded(text)] ?? nil }

    /// - Returns: nil for a name where classes are not known.
    func label(_ text: String) throws(LineFault) -> Int? {
        guard ListLine.looksLikeNumber(text) else {
            guard let classes else {
                if classCount != nil || Self.isNoName(text) { throw LineFault(.labelNotANumber(text)) }
                return nil
            }
            if let label = label(named: text) { return label }
            if Self.isNoName(text) { throw LineFault(.labelNotANumber(text)) }
            throw LineFault(.unknownClass(text, nearest: text.nearest(among: classes.names)))
        }
        guard let number = Int(text) else { throw LineFault(.labelNotANumber(text)) }
        let limit = classCount ?? AnnotationList.labelLimit
        guard number >= 0 && number < limit else { throw LineFault(.labelOutOfRange(label: number, classCount: limit)) }
        return number
    }

    /// `1.0` and `+1` are numbers gone wrong and no names.
    private static func isNoName(_ text: String) -> Bool { text.isEmpty || Double(text) != nil }
}
