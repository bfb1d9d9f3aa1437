/// In JSON a recipe is the YAML that it prints.
extension Recipe: Codable {
    package init(from decoder: any Decoder) throws {
        self.init()
        let text = try decoder.singleValueContainer().decode(String.self)
        if !text.isEmpty { self = try Recipe(yaml: text, source: "recipe") }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self == Recipe() ? "" : yaml)
    }
}
