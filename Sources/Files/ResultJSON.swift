import Foundation

/// What the program tells other programs: documents of `--json`, and files of results beside them. `docs/json.md` lists the keys.
///
/// Keys are sorted and in snake_case, and the same value gives the same bytes. JSON has no infinite numbers and no NaN: these
/// are the words "inf", "-inf" and "nan".
package enum ResultJSON {
    /// In every document, and in every line of JSON lines. It grows when a key goes away or means something else.
    package static let schema = 2

    /// - Parameters:
    ///   - value: has keys; a list is put under one.
    ///   - isOneLine: for JSON lines.
    /// - Returns: text that ends with a line break.
    package static func text(_ value: some Encodable, isOneLine: Bool = false) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if !isOneLine { encoder.outputFormatting.insert(.prettyPrinted) }
        return String(decoding: try encoder.encode(Document(value: value)), as: UTF8.self) + "\n"
    }

    /// For what `text` has made.
    package static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return decoder
    }

    private struct Document<Value: Encodable>: Encodable {
        let value: Value

        private enum CodingKeys: String, CodingKey {
            case schema
        }

        func encode(to encoder: any Encoder) throws {
            try value.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(schema, forKey: .schema)
        }
    }
}
