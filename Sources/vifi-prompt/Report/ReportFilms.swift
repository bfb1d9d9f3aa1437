import Charts
import Evaluation
import Files
import Tensors
import Training
import VideoData

/// Confusion, classes, and the films that were taken for another class.
struct ReportFilms {
    typealias Cell = ReportTable.Cell

    let material: ReportMaterial
    /// Strips of frames of the whole page.
    let filmLimit: Int

    /// Evaluations that are shown in full; a page of all of a large protocol would be too large to open.
    private static let evaluationLimit = 8
    /// A chart of more classes is too large for a page.
    private static let chartLimit = 200
    private static let worstLimit = 8
    private static let frameCount = 6
    private static let tilePixels = 144

    private var shown: [ReportEvaluation] { Array(material.evaluations.prefix(Self.evaluationLimit)) }

    private var leftOut: [HTML] {
        let rest = material.evaluations.dropFirst(Self.evaluationLimit)
        guard !rest.isEmpty else { return [] }
        return [
            .paragraph(
                "The first \(Self.evaluationLimit) of \(material.evaluations.count) evaluations are shown. For the others make reports of their own: "
                    + rest.prefix(4).map(\.path).joined(separator: ", ") + (rest.count > 4 ? ", …" : "") + ".", "note")
        ]
    }

    // MARK: Classes

    func classes() throws -> ReportSection {
        var blocks: [HTML] = []
        for evaluation in shown where !evaluation.classes.isEmpty || evaluation.confusion != nil {
            blocks.append(.element("h3", text: evaluation.name))
            if let confusion = evaluation.confusion {
                if confusion.names.count <= Self.chartLimit || confusion.isTooLarge {
                    let errors = confusion.mostFrequentErrors(5)
                    blocks.append(
                        try ReportPage.figure(
                            confusion.chart,
                            caption: "Rows are true classes; shades and numbers are shares of their films in percent."
                                + (errors.isEmpty ? "" : " Most often taken for another: \(errors.joined(separator: "; ")).")))
                } else {
                    blocks.append(.paragraph("The chart of \(confusion.names.count) classes is left out; `viz confusion` draws it.", "note"))
                }
            }
            if !evaluation.classes.isEmpty { blocks.append(.element("details", isOpen(evaluation), [.element("summary", text: "Each class"), classTable(evaluation).html])) }
        }
        return ReportSection("Classes", blocks.isEmpty ? [] : leftOut + blocks)
    }

    private func isOpen(_ evaluation: ReportEvaluation) -> [(String, String)] { evaluation.classes.count <= 60 ? [("open", "open")] : [] }

    private func classTable(_ evaluation: ReportEvaluation) -> ReportTable {
        ReportTable(
            "Classes of \(evaluation.name), worst first", ["class", "films", "right", "top-1 %", "precision %", "recall %", "F1 %"],
            worst(evaluation.classes).map { result in
                .init(
                    [.init(result.name), ReportResults.number(result.videos), ReportResults.number(result.correct)]
                        + [result.top1, result.precision, result.recall, result.f1].map(ReportResults.share))
            })
    }

    /// Classes without films last.
    private func worst(_ classes: [ReportFiles.ClassResult]) -> [ReportFiles.ClassResult] {
        classes.enumerated().sorted { ($0.element.top1 ?? 101, $0.offset) < ($1.element.top1 ?? 101, $1.offset) }.map(\.element)
    }

    // MARK: Films

    /// A film that is shown, and of which evaluation.
    struct WorstFilm {
        let evaluation: ReportEvaluation
        let film: ReportFiles.Film
    }

    /// Of the worst classes of each evaluation the films whose wrong answer was surest; the limit is shared by evaluations
    /// and classes.
    func worstFilms(_ limit: Int) -> [WorstFilm] {
        let candidates = shown.filter { !($0.wrong ?? []).isEmpty }
        var result: [WorstFilm] = []
        for (index, evaluation) in candidates.enumerated() {
            // What earlier ones did not need goes to the later ones.
            let share = (limit - result.count + candidates.count - index - 1) / (candidates.count - index)
            let wrong = evaluation.wrong ?? []
            let names = worst(evaluation.classes).prefix(Self.worstLimit).map(\.name)
            var queues = (names.isEmpty ? Array(Set(wrong.map(\.class))).sorted() : Array(names)).map { name in
                wrong.filter { $0.class == name }.sorted { ($0.probability, $1.video) > ($1.probability, $0.video) }[...]
            }
            var chosen: [ReportFiles.Film] = []
            while chosen.count < share, queues.contains(where: { !$0.isEmpty }) {
                for place in queues.indices where chosen.count < share { if let film = queues[place].popFirst() { chosen.append(film) } }
            }
            // Films of a class stand together, the worst class first.
            let order = Dictionary(names.enumerated().map { ($1, $0) }) { first, _ in first }
            result += chosen.enumerated().sorted { (order[$0.element.class] ?? 0, $0.offset) < (order[$1.element.class] ?? 0, $1.offset) }
                .map { WorstFilm(evaluation: evaluation, film: $0.element) }
        }
        return result
    }

    func films() throws -> ReportSection {
        let all = shown.reduce(0) { $0 + ($1.wrong?.count ?? 0) }
        let films = worstFilms(filmLimit)
        guard !films.isEmpty else {
            let none = shown.contains { $0.wrong != nil } && all == 0
            return ReportSection("Films taken for another class", none ? [.paragraph("No film was taken for another class.")] : [])
        }
        var blocks: [HTML] = [
            .paragraph(
                films.count < all
                    ? "\(films.count) of \(all) films are shown, of the worst classes those whose wrong answer was surest; --films N shows more."
                    : "All \(all) films that were taken for another class.")
        ]
        var heading = ""
        for entry in films {
            let film = entry.film
            let result = entry.evaluation.classes.first { $0.name == film.class }
            let share = result?.top1.map { ": \(percent($0)) of \(counted(result?.videos ?? 0, "film", "films"))" } ?? ""
            let words = "\(entry.evaluation.name): \(film.class)\(share)"
            if words != heading { blocks.append(.element("h3", text: words)) }
            heading = words
            blocks.append(try strip(of: entry))
        }
        return ReportSection("Films taken for another class", blocks)
    }

    private func strip(of entry: WorstFilm) throws -> HTML {
        let film = entry.film
        let truth = film.top.first { $0.class == film.class }?.probability
        let words = "\(film.video): taken for \"\(film.predictedClass)\", \(percent(100 * film.probability)); "
            + "the true class came as number \(film.rank)" + (truth.map { ", \(percent(100 * $0))" } ?? "") + "."
        let path = entry.evaluation.filmPath(film.video)
        guard fileExists(path) || StoredFilm.exists(path) else {
            return .element("figure", [], [.paragraph("The film is not there any more: \(path)", "note"), .element("figcaption", text: words)])
        }
        do {
            let picture = try Self.frames(of: path)
            return ReportPage.figure(
                try picture.png(), type: "image/png", words: "\(Self.frameCount) frames of \(film.video), a film of \(film.class)", caption: words,
                kind: "strip", film: fileExists(path) ? path : nil)
        } catch let error as VideoError {
            return .element("figure", [], [.paragraph("The film cannot be shown: \(error.description)", "note"), .element("figcaption", text: words)])
        }
    }

    /// Frames beside each other, evenly spread over the film.
    private static func frames(of path: String) throws -> Picture {
        let video = try openFilm(path)
        let indices = FrameSampler(sampleCount: frameCount).testIndices(frameCount: video.frameCount)
        let tiles = try video.frames(at: indices) { $0.fitted(tilePixels) }
        let (width, height) = (tiles[0].width, tiles[0].height)
        let gap = 4
        var pixels: [UInt8] = []
        pixels.reserveCapacity((width + gap) * tiles.count * height * 3)
        for row in 0..<height {
            for (index, tile) in tiles.enumerated() {
                if index > 0 { pixels += [UInt8](repeating: 255, count: gap * 3) }
                pixels += tile.pixels[row * width * 3..<(row + 1) * width * 3]
            }
        }
        return Picture(width: width * tiles.count + gap * (tiles.count - 1), height: height, pixels: pixels)
    }
}
