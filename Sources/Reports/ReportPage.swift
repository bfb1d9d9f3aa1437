import Charts
import Files
import Foundation

/// A part of a report with a heading of its own.
package struct ReportSection {
    package let title: String
    package var blocks: [HTML]

    package init(_ title: String, _ blocks: [HTML] = []) {
        self.title = title
        self.blocks = blocks
    }
}

/// A page that needs nothing but itself: no network, no script to be read, no fonts.
package struct ReportPage {
    package let title: String
    /// What everybody should read first.
    package let introduction: [HTML]
    package let sections: [ReportSection]

    package init(title: String, introduction: [HTML], sections: [ReportSection]) {
        self.title = title
        self.introduction = introduction
        self.sections = sections
    }

    package var html: String {
        let shown = sections.filter { !$0.blocks.isEmpty }
        let contents = shown.enumerated().map { number, section in
            HTML.element("li", [], [.element("a", [("href", "#part\(number + 1)")], text: section.title)])
        }
        let parts = shown.enumerated().map { number, section in
            HTML.element("section", [("id", "part\(number + 1)")], [.element("h2", text: section.title)] + section.blocks)
        }
        let head = HTML.element(
            "head", [],
            [
                .element("meta", [("charset", "utf-8")]),
                .element("meta", [("name", "viewport"), ("content", "width=device-width, initial-scale=1")]),
                // Whatever gets into the page, it can neither load nor send anything.
                .element(
                    "meta",
                    [
                        ("http-equiv", "Content-Security-Policy"),
                        ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"),
                    ]),
                .element("meta", [("name", "color-scheme"), ("content", "light dark")]),
                .element("title", text: title), .own("style", Self.style),
            ])
        let body = HTML.element(
            "body", [],
            [.element("h1", text: title)] + introduction
                + [.element("nav", [("aria-label", "Contents")], [.element("ul", [], contents)])] + parts + [.own("script", Self.script)])
        return "<!DOCTYPE html>\n" + HTML.element("html", [("lang", "en")], [head, body]).markup + "\n"
    }

    // MARK: Pictures

    /// A chart as a picture inside the page: nothing in it can run or clash with another one.
    package static func figure(_ chart: Chart, caption: String) throws(ChartError) -> HTML {
        figure(try chart.svg(), type: "image/svg+xml", words: [chart.title, chart.summary].filter { !$0.isEmpty }.joined(separator: ". "), caption: caption)
    }

    /// - Parameters:
    ///   - words: for those who cannot see it.
    ///   - video: a file of this machine that the caption leads to.
    package static func figure(_ bytes: [UInt8], type: String, words: String, caption: String, kind: String = "chart", video: String? = nil) -> HTML {
        .element(
            "figure", [("class", kind)],
            [
                .element("img", [("alt", words), ("src", "data:\(type);base64," + Data(bytes).base64EncodedString())]),
                .element("figcaption", [], [.text(caption)] + (video.map { [.text(" "), link(toFile: $0, text: "Open the video")] } ?? [])),
            ])
    }

    /// The address of a file here: a page may be kept anywhere, and says nothing of where it lies.
    private static func link(toFile path: String, text: String) -> HTML {
        .element("a", [("href", "file://" + (resolvedPath(path) ?? path).percentEncodedPath)], text: text)
    }

    private static let style = """
        :root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --soft: #f2f2f0; --line: #bbb; --mark: #00456e; --band: #e3eef5; }
        @media (prefers-color-scheme: dark) {
          :root { --ink: #e8e8e6; --paper: #17191b; --soft: #23272a; --line: #555; --mark: #8cc8f0; --band: #1d3445; }
          figure.chart img { filter: invert(.91) hue-rotate(180deg); }
        }
        * { box-sizing: border-box; }
        body { margin: 0 auto; max-width: 76rem; padding: 1rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
          font: 1rem/1.5 system-ui, "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
        h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0 1rem; }
        h2 { font-size: 1.25rem; border-bottom: 2px solid var(--line); margin: 2.5rem 0 1rem; padding-bottom: .2rem; }
        h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
        a { color: var(--mark); }
        p { max-width: 60rem; margin: .5rem 0; }
        nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; padding: 0; }
        .note { border-left: 4px solid var(--line); padding: .25rem .75rem; background: var(--soft); }
        .warning { border: 2px solid var(--ink); padding: .5rem .75rem; font-weight: 600; }
        .small { font-size: .875rem; }
        .caption { font-weight: 600; margin: 1rem 0 .35rem; break-after: avoid; }
        .wide { overflow-x: auto; margin: 0 0 1rem; }
        table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
        th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; overflow-wrap: normal; }
        th { background: var(--soft); border-bottom: 2px solid var(--ink); vertical-align: bottom; white-space: nowrap; }
        td:first-child, td.name { white-space: nowrap; }
        td.key { font-family: ui-monospace, "DejaVu Sans Mono", monospace; }
        td.digest { font-family: ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; min-width: 14rem; }
        .n { text-align: right; white-space: nowrap; }
        tr.ours td { font-weight: 700; background: var(--band); border-top: 2px solid var(--ink); border-bottom: 2px solid var(--ink); }
        tr.differs td:first-child::before { content: "\\2260\\00a0"; font-weight: 700; }
        tr.differs td { background: var(--band); }
        th[aria-sort] { cursor: pointer; }
        th[aria-sort]:focus-visible { outline: 2px solid var(--mark); }
        th[aria-sort=ascending]::after { content: "\\00a0\\25b2"; }
        th[aria-sort=descending]::after { content: "\\00a0\\25bc"; }
        figure { margin: 1rem 0; break-inside: avoid; }
        figure img { max-width: 100%; height: auto; background: #fff; }
        figure.chart img { border: 1px solid var(--line); padding: .25rem; }
        figcaption { font-size: .875rem; max-width: 60rem; }
        details { margin: .5rem 0; }
        summary { cursor: pointer; font-weight: 600; }
        .charts { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
        .charts figure { flex: 1 1 26rem; min-width: 0; margin: 0; }
        @media print {
          :root { --ink: #000; --paper: #fff; --soft: #f4f4f4; --line: #888; --mark: #000; --band: #eee; }
          body { max-width: none; padding: 0; font-size: 9.5pt; }
          nav { display: none; }
          .wide { overflow: visible; }
          table { font-size: 8pt; }
          tr, figure { break-inside: avoid; }
        }

        """

    /// Sorts a table by the column whose heading is chosen; without it the page has everything as well.
    private static let script = """
        "use strict";
        for (const table of document.querySelectorAll("table.sortable")) {
          const heads = Array.from(table.tHead.rows[0].cells), body = table.tBodies[0];
          if (2 > body.rows.length) continue;
          const key = (row, column) => {
            const cell = row.cells[column];
            if (!cell) return "";
            return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
          };
          const order = (a, b) => typeof a === "number" ? (typeof b === "number" ? a - b : -1)
            : typeof b === "number" ? 1 : a.localeCompare(b, undefined, { numeric: true });
          heads.forEach((head, column) => {
            head.setAttribute("aria-sort", "none");
            head.tabIndex = 0;
            const sort = () => {
              const up = head.getAttribute("aria-sort") !== "ascending";
              for (const other of heads) other.setAttribute("aria-sort", "none");
              head.setAttribute("aria-sort", up ? "ascending" : "descending");
              const rows = Array.from(body.rows);
              rows.sort((a, b) => (up ? 1 : -1) * order(key(a, column), key(b, column)));
              body.append(...rows);
            };
            head.addEventListener("click", sort);
            head.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } });
          });
        }

        """
}
