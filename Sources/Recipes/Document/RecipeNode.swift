import CLIPModel
import VideoData

/// A value in a recipe, and where it stands.
package struct RecipeNode: Sendable, Equatable {
    package indirect enum Content: Sendable, Equatable {
        /// `isQuoted` text is never a number, a switch or nothing.
        case scalar(String, isQuoted: Bool)
        case sequence([RecipeNode])
        /// In the order of the file; keys are unique.
        case mapping([(key: String, value: RecipeNode)])

        package static func == (left: Content, right: Content) -> Bool {
            switch (left, right) {
            case (.scalar(let a, let aQuoted), .scalar(let b, let bQuoted)): a == b && aQuoted == bQuoted
            case (.sequence(let a), .sequence(let b)): a == b
            case (.mapping(let a), .mapping(let b)):
                a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
            default: false
            }
        }
    }

    package let content: Content
    /// The recipe's path, or the flag that stands for one.
    package let source: String
    /// From 1.
    package let line: Int?
    /// Dotted keys from the top.
    package let key: String

    package init(_ content: Content, source: String, line: Int?, key: String) {
        self.content = content
        self.source = source
        self.line = line
        self.key = key
    }

    package func fault(_ problem: RecipeError.Problem) -> RecipeError.Fault {
        RecipeError.Fault(source: source, line: line, key: key, problem: problem)
    }
}

// MARK: Typed reading. Each notes a fault and returns nil where the value will not do.

extension RecipeNode {
    /// The text of a scalar, or nil and a fault for what is not one.
    private func scalar(_ kind: String, _ faults: inout [RecipeError.Fault]) -> (text: String, isQuoted: Bool)? {
        switch content {
        case .scalar(let text, let isQuoted):
            let isNothing = !isQuoted && (text.isEmpty || text == "~" || text == "null")
            guard !isNothing else {
                faults.append(fault(.noValue))
                return nil
            }
            return (text, isQuoted)
        case .sequence:
            faults.append(fault(.needs(kind, found: "a list")))
        case .mapping:
            faults.append(fault(.needs(kind, found: "a section")))
        }
        return nil
    }

    package func text(_ faults: inout [RecipeError.Fault]) -> String? {
        guard let (text, _) = scalar("text", &faults) else { return nil }
        let isPrintable = text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        guard !text.isEmpty, isPrintable, text.utf8.count <= 4096 else {
            faults.append(fault(text.isEmpty ? .noValue : .needs("one line of text", found: text)))
            return nil
        }
        return text
    }

    package func integer(in range: ClosedRange<Int>, _ faults: inout [RecipeError.Fault]) -> Int? {
        guard let (text, isQuoted) = scalar("a whole number", &faults) else { return nil }
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        guard !isQuoted, !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
            faults.append(fault(.needs("a whole number", found: text)))
            return nil
        }
        guard let value = Int(text), range.contains(value) else {
            faults.append(fault(.outOfRange(found: text, allowed: "\(range.lowerBound) to \(range.upperBound)")))
            return nil
        }
        return value
    }

    /// A decimal number; `8e-6`, `8.e-6` and `0.000008` are the same.
    package func number(in range: ClosedRange<Double>, _ faults: inout [RecipeError.Fault]) -> Double? {
        guard let (text, isQuoted) = scalar("a number", &faults) else { return nil }
        guard !isQuoted, isDecimal(text), let value = Double(text) else {
            faults.append(fault(.needs("a number", found: text)))
            return nil
        }
        guard range.contains(value) else {
            let bounds = [range.lowerBound, range.upperBound].map { $0.rounded() == $0 ? "\(Int($0))" : "\($0)" }
            faults.append(fault(.outOfRange(found: text, allowed: bounds.joined(separator: " to "))))
            return nil
        }
        return value
    }

    package func flag(_ faults: inout [RecipeError.Fault]) -> Bool? {
        guard let (text, isQuoted) = scalar("true or false", &faults) else { return nil }
        guard !isQuoted, let value = Bool(text) else {
            faults.append(fault(.needs("true or false", found: text)))
            return nil
        }
        return value
    }

    package func choice(of choices: [String], _ faults: inout [RecipeError.Fault]) -> String? {
        guard let (text, _) = scalar("one of \(choices.joined(separator: ", "))", &faults) else { return nil }
        guard choices.contains(text) else {
            faults.append(fault(.unknownChoice(found: text, choices: choices)))
            return nil
        }
        return text
    }

    /// `vifi-clip`, `none`, or quirks: separated by commas or as a list.
    package func quirks(_ faults: inout [RecipeError.Fault]) -> Set<Quirk>? {
        let nodes: [RecipeNode] = if case .sequence(let nodes) = content { nodes } else { [self] }
        var quirks: Set<Quirk> = []
        for node in nodes {
            guard let (text, _) = node.scalar("one of \(Quirk.names.joined(separator: ", "))", &faults) else { return nil }
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                let name = String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
                if let quirk = Quirk(named: name) {
                    quirks.insert(quirk)
                } else if name == Quirk.groupName {
                    quirks.formUnion(Quirk.ofViFiCLIP)
                } else if name != Quirk.noneName {
                    faults.append(node.fault(.unknownChoice(found: name, choices: Quirk.names)))
                    return nil
                }
            }
        }
        return quirks
    }

    package func views(_ faults: inout [RecipeError.Fault]) -> Views? {
        guard let (text, _) = scalar(Views.form, &faults) else { return nil }
        guard let views = Views(text) else {
            faults.append(fault(.needs(Views.form, found: text)))
            return nil
        }
        return views
    }

    package func layers(_ faults: inout [RecipeError.Fault]) -> PromptLayers? {
        guard let (text, _) = scalar(PromptLayers.form, &faults) else { return nil }
        guard let layers = PromptLayers(text) else {
            faults.append(fault(.needs(PromptLayers.form, found: text)))
            return nil
        }
        return layers
    }

    package func frames(_ faults: inout [RecipeError.Fault]) -> FrameSchedule? {
        guard let (text, _) = scalar(FrameSchedule.form, &faults) else { return nil }
        guard let schedule = FrameSchedule(text) else {
            faults.append(fault(.needs(FrameSchedule.form, found: text)))
            return nil
        }
        return schedule
    }

    /// The entries of a section.
    package func entries(_ faults: inout [RecipeError.Fault]) -> [(key: String, value: RecipeNode)] {
        switch content {
        case .mapping(let entries): return entries
        case .scalar(let text, _): faults.append(fault(.needs("a section of keys", found: text)))
        case .sequence: faults.append(fault(.needs("a section of keys", found: "a list")))
        }
        return []
    }

    /// The members of a list.
    package func members(_ faults: inout [RecipeError.Fault]) -> [RecipeNode] {
        switch content {
        case .sequence(let nodes): return nodes
        case .scalar(let text, _): faults.append(fault(.needs("a list", found: text)))
        case .mapping: faults.append(fault(.needs("a list", found: "a section")))
        }
        return []
    }
}

/// Whether `text` is digits with at most one point and an exponent: no `nan`, `inf` or hexadecimal.
private func isDecimal(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    func skipSign() { if let first = rest.first, first == 0x2B || first == 0x2D { rest.removeFirst() } }
    func skipDigits() -> Int {
        let digits = rest.prefix { $0 >= 0x30 && $0 <= 0x39 }.count
        rest.removeFirst(digits)
        return digits
    }
    skipSign()
    var digitCount = skipDigits()
    if rest.first == UInt8(ascii: ".") {
        rest.removeFirst()
        digitCount += skipDigits()
    }
    guard digitCount > 0 else { return false }
    if let first = rest.first, first == UInt8(ascii: "e") || first == UInt8(ascii: "E") {
        rest.removeFirst()
        skipSign()
        guard skipDigits() > 0 else { return false }
    }
    return rest.isEmpty
}
