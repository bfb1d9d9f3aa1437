import Files

/// Markup that is well formed whatever text goes into it: elements are closed, text and attributes are escaped.
///
/// It is HTML and XML alike: empty elements end with `/>`.
package struct HTML: Sendable {
    package private(set) var markup: String

    private init(markup: String) { self.markup = markup }

    package static let nothing = HTML(markup: "")

    /// Text as it is meant; control characters and what turns the direction of writing are shown as escapes.
    package static func text(_ text: String) -> HTML { HTML(markup: escaped(text.escapedForDisplay)) }

    package static func element(_ name: String, _ attributes: [(String, String)] = [], _ children: [HTML] = []) -> HTML {
        let open = "<" + name + attributes.map { " \($0.0)=\"\(escaped($0.1.escapedForDisplay))\"" }.joined()
        guard !children.isEmpty else { return HTML(markup: empty.contains(name) ? open + "/>" : "\(open)></\(name)>") }
        return HTML(markup: "\(open)>" + children.map(\.markup).joined() + "</\(name)>\(isBlock(name) ? "\n" : "")")
    }

    package static func element(_ name: String, _ attributes: [(String, String)] = [], text: String) -> HTML {
        element(name, attributes, [.text(text)])
    }

    /// Style and script of our own, which hold neither `<` nor `&`.
    package static func own(_ name: String, _ text: String) -> HTML {
        precondition(!text.contains("<") && !text.contains("&"), "not well formed")
        return HTML(markup: "<\(name)>\n\(text)</\(name)>\n")
    }

    package static func joined(_ parts: [HTML]) -> HTML { HTML(markup: parts.map(\.markup).joined()) }

    package static func paragraph(_ text: String, _ kind: String? = nil) -> HTML {
        element("p", kind.map { [("class", $0)] } ?? [], text: text)
    }

    private static let empty: Set<String> = ["meta", "img", "br", "hr"]

    private static func isBlock(_ name: String) -> Bool { ["p", "section", "table", "tr", "figure", "ul", "li", "h2", "h3", "div"].contains(name) }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            // What XML cannot hold at all.
            case "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

/// A table of a report. The first row is the heading; a click on it sorts the others, where scripts run.
package struct ReportTable {
    package struct Cell: ExpressibleByStringLiteral {
        package var text: String
        /// What is sorted by, where it is a number.
        package var number: Double?
        package var kind = ""

        package init(_ text: String, number: Double? = nil, kind: String = "") {
            self.text = text
            self.number = number
            self.kind = kind
        }

        package init(stringLiteral value: String) { self.init(value) }

        package static let none = Cell("–")
    }

    package struct Row {
        package var cells: [Cell]
        package var kind = ""

        package init(_ cells: [Cell], kind: String = "") {
            self.cells = cells
            self.kind = kind
        }
    }

    package var caption: String
    package var header: [String]
    package var rows: [Row]

    package init(_ caption: String, _ header: [String], _ rows: [Row]) {
        self.caption = caption
        self.header = header
        self.rows = rows
    }

    package var html: HTML {
        // A column of numbers stands at the right.
        let isNumeric = header.indices.map { column in
            let cells = rows.compactMap { column < $0.cells.count ? $0.cells[column] : nil }
            return cells.contains { $0.number != nil } && cells.allSatisfy { $0.number != nil || $0.text == "–" || $0.text.isEmpty }
        }
        let head = header.indices.map { column in
            HTML.element("th", [("scope", "col")] + (isNumeric[column] ? [("class", "n")] : []), text: header[column])
        }
        let body = rows.map { row in
            HTML.element(
                "tr", row.kind.isEmpty ? [] : [("class", row.kind)],
                row.cells.enumerated().map { column, cell in
                    let kinds = [column < isNumeric.count && isNumeric[column] ? "n" : "", cell.kind].filter { !$0.isEmpty }
                    let attributes = (kinds.isEmpty ? [] : [("class", kinds.joined(separator: " "))])
                        + (cell.number.map { [("data-v", "\($0)")] } ?? [])
                    return HTML.element("td", attributes, text: cell.text)
                })
        }
        // Outside of what scrolls sideways, so that a narrow window shows all of the caption.
        return .joined([
            .paragraph(caption, "caption"),
            .element(
                "div", [("class", "wide")],
                [
                    .element(
                        "table", [("class", "sortable"), ("aria-label", caption)],
                        [.element("thead", [], [.element("tr", [], head)]), .element("tbody", [], body.isEmpty ? [.nothing] : body)])
                ]),
        ])
    }
}
