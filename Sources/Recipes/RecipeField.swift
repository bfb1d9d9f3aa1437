import CLIPModel
import Files
import VideoData

/// One key of a section: how it is read, printed and laid over another recipe's.
///
/// The list of a section's fields is the only place that names them.
package struct RecipeField<Section> {
    package let key: String
    /// Dotted: its own, or those of a section.
    package let keys: [String]
    package let read: (RecipeNode, inout Section, inout [RecipeError.Fault]) -> Void
    /// Takes over what the first section sets.
    package let overlay: (Section, inout Section) -> Void
    /// YAML after the key, or nil where nothing is set.
    package let printed: (Section, _ indentation: String) -> String?
    /// What is set, by dotted key, as it is printed.
    package let settings: (Section) -> [(key: String, value: String)]
}

/// A part of a recipe; all its values are optional.
package protocol RecipeSection: Sendable, Equatable {
    init()
    static var fields: [RecipeField<Self>] { get }
    /// Other spellings of keys that recipes may have, and the keys that they stand for.
    static var formerKeys: [String: String] { get }
}

extension RecipeSection {
    package static var formerKeys: [String: String] { [:] }

    /// This section, with the values of `base` where this one has none.
    package func overlaid(on base: Self) -> Self {
        var result = base
        for field in Self.fields { field.overlay(self, &result) }
        return result
    }

    package mutating func read(_ node: RecipeNode, _ faults: inout [RecipeError.Fault]) {
        let fields = Self.fields
        var met: Set<String> = []
        for (written, value) in node.entries(&faults) {
            let key = Self.formerKeys[written] ?? written
            guard met.insert(key).inserted else {
                faults.append(value.fault(.duplicateKey))
                continue
            }
            if let field = fields.first(where: { $0.key == key }) {
                field.read(value, &self, &faults)
            } else {
                faults.append(value.fault(.unknownKey(nearest: key.nearest(among: fields.map(\.key)))))
            }
        }
    }

    package func printed(indentation: String) -> String {
        Self.fields.compactMap { field in
            field.printed(self, indentation).map { "\(indentation)\(field.key):\($0)\n" }
        }.joined()
    }

    /// The dotted keys of all settings.
    package static var keys: [String] { fields.flatMap(\.keys) }

    /// What is set, by dotted key, as it is printed.
    package var settings: [(key: String, value: String)] { Self.fields.flatMap { $0.settings(self) } }
}

// MARK: Kinds of values

extension RecipeField {
    private static func value<Value>(
        _ key: String, _ path: WritableKeyPath<Section, Value?>,
        read: @escaping (RecipeNode, inout [RecipeError.Fault]) -> Value?,
        printed: @escaping (Value) -> String
    ) -> RecipeField {
        RecipeField(
            key: key, keys: [key],
            read: { node, section, faults in section[keyPath: path] = read(node, &faults) },
            overlay: { upper, result in
                if let value = upper[keyPath: path] { result[keyPath: path] = value }
            },
            printed: { section, _ in section[keyPath: path].map { " " + printed($0) } },
            settings: { section in section[keyPath: path].map { [(key, printed($0))] } ?? [] })
    }

    package static func text(_ key: String, _ path: WritableKeyPath<Section, String?>) -> RecipeField {
        value(key, path, read: { $0.text(&$1) }, printed: quoted)
    }

    package static func integer(
        _ key: String, _ path: WritableKeyPath<Section, Int?>, _ range: ClosedRange<Int>
    ) -> RecipeField {
        value(key, path, read: { $0.integer(in: range, &$1) }, printed: { "\($0)" })
    }

    package static func number(
        _ key: String, _ path: WritableKeyPath<Section, Double?>, _ range: ClosedRange<Double>
    ) -> RecipeField {
        value(key, path, read: { $0.number(in: range, &$1) }, printed: { "\($0)" })
    }

    package static func flag(_ key: String, _ path: WritableKeyPath<Section, Bool?>) -> RecipeField {
        value(key, path, read: { $0.flag(&$1) }, printed: { "\($0)" })
    }

    package static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ key: String, _ path: WritableKeyPath<Section, Choice?>
    ) -> RecipeField {
        let choices = Choice.allCases.map(\.rawValue)
        return value(
            key, path, read: { $0.choice(of: choices, &$1).flatMap(Choice.init(rawValue:)) }, printed: \.rawValue)
    }

    /// Names separated by commas, or a list of them.
    package static func quirks(_ key: String, _ path: WritableKeyPath<Section, Set<Quirk>?>) -> RecipeField {
        value(key, path, read: { $0.quirks(&$1) }, printed: Quirk.text)
    }

    package static func views(_ key: String, _ path: WritableKeyPath<Section, Views?>) -> RecipeField {
        value(key, path, read: { $0.views(&$1) }, printed: \.text)
    }

    package static func layers(_ key: String, _ path: WritableKeyPath<Section, PromptLayers?>) -> RecipeField {
        value(key, path, read: { $0.layers(&$1) }, printed: \.text)
    }

    package static func frames(_ key: String, _ path: WritableKeyPath<Section, FrameSchedule?>) -> RecipeField {
        value(key, path, read: { $0.frames(&$1) }, printed: \.text)
    }

    package static func section<Inner: RecipeSection>(_ key: String, _ path: WritableKeyPath<Section, Inner>) -> RecipeField {
        RecipeField(
            key: key, keys: Inner.keys.map { "\(key).\($0)" },
            read: { node, section, faults in section[keyPath: path].read(node, &faults) },
            overlay: { upper, result in
                result[keyPath: path] = upper[keyPath: path].overlaid(on: result[keyPath: path])
            },
            printed: { section, indentation in
                let inner = section[keyPath: path].printed(indentation: indentation + "  ")
                return inner.isEmpty ? nil : "\n" + String(inner.dropLast())
            },
            settings: { section in section[keyPath: path].settings.map { ("\(key).\($0.key)", $0.value) } })
    }
}

/// Double-quoted YAML.
private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": result += "\\\(scalar)"
        // `&` would be refused as an anchor, format characters as hidden text, unless they are spelled out.
        case _ where scalar == "&" || [.control, .format].contains(scalar.properties.generalCategory):
            let digits = String(scalar.value, radix: 16)
            result += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
