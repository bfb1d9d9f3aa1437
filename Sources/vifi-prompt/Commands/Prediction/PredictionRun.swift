import CLIPModel
import Evaluation
import Files
import Foundation
import Tensors
import Training
import VideoData

/// Films one after another: read, answered, told and noted down.
struct PredictionRun {
    private let models: [FilmModel]
    private let style: AnswerStyle
    private let windows: WindowOptions
    private let batch: BatchOptions
    private let forms: AnswerFormOptions
    private let log: AnswerLog?
    /// For each model, in the names of saved files.
    private let suffixes: [String]
    private let pictures: PictureRules
    /// Files of time lines that were written, and of which films.
    private var saved: [Bytewise: String] = [:]
    private let isolated: IsolatedFilms?
    private let reader: any FilmReading
    /// Films that could not be read, in their order, and why. One that is read later, when it is whole, is none.
    private var failures: [(film: String, error: any Error)] = []
    /// Folders that could not be read when films were last looked for.
    private var closed: [(folder: String, error: FileError)] = []
    private var doneCount = 0
    private var hasHeader = false
    /// One film was named: its error is the command's.
    private var isSingle = false

    /// - Parameter savesMany: several time lines are expected.
    /// - Throws: where a file of `--save` would be overwritten.
    init(
        models: [FilmModel], pictures: PictureRules, style: AnswerStyle, windows: WindowOptions, batch: BatchOptions, forms: AnswerFormOptions,
        log: AnswerLog?, savesMany: Bool
    ) throws {
        self.models = models
        self.pictures = pictures
        self.style = style
        self.windows = windows
        self.batch = batch
        self.forms = forms
        self.log = log
        suffixes = TimelineFile.suffixes(of: models)
        for pattern in forms.saved {
            if savesMany, !pattern.contains("{}") { throw TimelineFileError.severalFilms(path: pattern) }
        }
        if batch.isolate {
            let films = IsolatedFilms(shortSide: models[0].transform.shortSide, pictures: pictures) { path, warnings in Self.warn(path, warnings) }
            isolated = films
            reader = films
        } else {
            isolated = nil
            var films = VideoFileReader().following(pictures)
            films.report = { path, warnings in Self.warn(path, warnings.map(\.description)) }
            reader = films
        }
    }

    private static func warn(_ path: String, _ warnings: [String]) {
        for warning in warnings { Console.warning("\(path.escapedForDisplay): \(warning)") }
    }

    /// Answers all films; with `--watch` goes on until a signal.
    ///
    /// - Throws: the first failure's error, or `PredictionInterrupted`.
    mutating func process(_ sources: FilmSources) throws {
        isSingle = !sources.mayBeMany
        if batch.watch {
            try watch(sources)
        } else {
            let found = sources.found(tells: true)
            let films = found.films
            closed = found.closed
            try checkSaved(films)
            let left = pending(films)
            if left.count < films.count {
                let waiting = Set<Bytewise>(texts: left.map(\.path))
                let failed = films.count { !waiting.contains($0.path) && log?.hasFailed($0) == true }
                Console.note(
                    "\(films.count - left.count) of \(films.count) films are answered already"
                        + (failed > 0 ? "; \(failed) of them could not be read (--retry-failed tries again)" : ""))
            }
            try proveSaving(left)
            try answer(left)
            try finish(total: films.count)
        }
    }

    /// Shows that time lines can be saved before the first film is looked at.
    private func proveSaving(_ films: [FoundFilm]) throws {
        var folders: [String] = []
        for film in films {
            for pattern in forms.saved {
                let path = TimelineFile.path(pattern, film: film.path, suffix: suffixes[0])
                guard !folders.contains(where: { $0.hasSameBytes(as: path.parentDirectory) }) else { continue }
                folders.append(path.parentDirectory)
                if isDirectory(path) { throw FileError(path: path, problem: .notRegular(kind: "a directory")) }
                try proveWritable(file: path)
            }
        }
    }

    private mutating func finish(total: Int) throws {
        if let log = batch.output { Console.note("Answers: \(log.escapedForDisplay)") }
        guard let first = failures.first?.error ?? closed.first?.error else { return }
        if isSingle { throw first }
        throw PredictionFailure(
            failed: failures.count, total: total, closedFolders: closed.count,
            status: (first as? any ReportableError)?.exitStatus ?? .software)
    }

    /// Finds out before the work where two films would be saved in one file, or over what is there.
    private func checkSaved(_ films: [FoundFilm]) throws(TimelineFileError) {
        func place(_ path: String) -> String { (resolvedPath(path.parentDirectory) ?? path.parentDirectory).appendingPath(path.lastPathComponent) }
        var taken: [Bytewise: String] = [:]
        for film in films {
            for (pattern, suffix) in forms.saved.flatMap({ pattern in suffixes.map { (pattern, $0) } }) {
                let path = TimelineFile.path(pattern, film: film.path, suffix: suffix)
                if let other = taken.updateValue(film.path, forKey: Bytewise(place(path))) { throw .twice(path: path, films: [other, film.path]) }
                if let output = batch.output, place(output).hasSameBytes(as: place(path)) { throw .overAnswers(path: path) }
                // With answers of an earlier run, the time line may be its own.
                if !forms.force, log == nil, fileExists(path) { throw .exists(path: path) }
            }
        }
    }

    /// Films that some model has not answered yet.
    private func pending(_ films: [FoundFilm]) -> [FoundFilm] {
        guard let log else { return films }
        return films.filter { film in models.contains { !log.isDone(film, prompts: prompts(of: $0)) } }
    }

    private func prompts(of model: FilmModel) -> String? { model.name.isEmpty ? nil : model.name }

    // MARK: Watching

    private mutating func watch(_ sources: FilmSources) throws {
        var arrivals = FilmArrivals(settleSeconds: batch.settle.count)
        let clock = ContinuousClock()
        let start = clock.now
        var isFirst = true
        while !Interruption.isRequested {
            let found = sources.found(tells: isFirst)
            let films = found.films
            closed = found.closed
            if isFirst { try checkSaved(films) }
            if isFirst { Console.note("Waiting for films in \(sources.folders.map(\.escapedForDisplay).joined(separator: ", ")); Ctrl-C ends it") }
            isFirst = false
            let ready = arrivals.ready(
                among: films, now: (clock.now - start) / .seconds(1), date: Date().timeIntervalSince1970)
            for film in ready {
                if Interruption.isRequested { throw interruption }
                if !pending([film]).isEmpty { try answer([film]) }
                arrivals.take(film)
            }
            Self.sleep(seconds: batch.every.count)
        }
        if arrivals.waitingCount > 0 { throw interruption }
        Console.note("\(counted(doneCount, "film", "films")) answered, nothing is waiting")
        try finish(total: doneCount + failures.count)
    }

    /// Until then, or a signal.
    private static func sleep(seconds: Double) {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while !Interruption.isRequested, deadline.timeIntervalSinceNow > 0 {
            usleep(UInt32(min(100_000, max(1, deadline.timeIntervalSinceNow * 1e6))))
        }
    }

    // MARK: Answering

    private mutating func answer(_ films: [FoundFilm]) throws {
        if let spans = windows.spans {
            let timelines = FilmTimelines(models: models, window: spans.window, stride: spans.stride, pictures: pictures)
            for (index, film) in films.enumerated() {
                try checkInterruption()
                let title = films.count > 1 ? "\(film.path.lastPathComponent.escapedForDisplay) (\(index + 1)/\(films.count))" : "predict"
                try settle(film, Result { try timeline(of: film.path, timelines, title: title) })
            }
            return
        }
        let progress = films.count > 3 ? ProgressReporter("predict", total: films.count, unit: "films") : nil
        let prepare: @Sendable (Int) -> Result<PreparedFilm, any Error> = { [models, reader] index in
            Result { try PreparedFilm(path: films[index].path, models: models, reader: reader, position: index) }
        }
        let prepared = Prefetcher(count: films.count, threadCount: 1, capacity: 4, make: prepare)
        defer { prepared.cancel() }
        for (index, film) in films.enumerated() {
            try checkInterruption()
            guard let outcome = try prepared.next() else { break }
            let answers = Result {
                try zip(models, outcome.get().views).map { model, views in
                    FilmAnswer(film: film.path, model: model, content: .whole(try model.scores(views: views)))
                }
            }
            progress?.finish()
            try settle(film, answers)
            progress?.show(index + 1)
        }
        progress?.finish()
    }

    private var interruption: PredictionInterrupted { PredictionInterrupted(done: doneCount, keepsAnswers: log != nil) }

    private func checkInterruption() throws {
        if Interruption.isRequested { throw interruption }
    }

    private func timeline(of path: String, _ timelines: FilmTimelines, title: String) throws -> [FilmAnswer] {
        let request = timelines.request(path)
        let stream: any FilmStreaming =
            try isolated?.stream(request) ?? openFilmStream(request)
        // Where the header names no length, bytes tell how far it is.
        let length = stream.outlook.seconds.flatMap { Int(exactly: $0.rounded(.up)) }
        let total = length ?? stream.outlook.byteCount >> 20
        let progress = ProgressReporter(title, total: total, unit: length == nil ? "MB" : "s of film")
        let (made, warnings) = try timelines.timelines(of: path, stream: stream) { part in
            try checkInterruption()
            let done = length == nil ? part.readByteCount >> 20 : Int(part.seconds)
            // A header may be wrong: the end is where the film says so.
            if done < total { progress.show(done) }
        }
        progress.finish()
        Self.warn(path, warnings)
        return zip(models, made).map { model, timeline in
            let smoothed = timeline.smoothed(over: windows.smooth)
            return FilmAnswer(
                film: path, model: model,
                content: .timeline(smoothed, segments: smoothed.segments(style.rule, minimumSeconds: windows.minimumSeconds)))
        }
    }

    /// Tells and notes down what became of a film.
    private mutating func settle(_ film: FoundFilm, _ outcome: Result<[FilmAnswer], any Error>) throws {
        switch outcome {
        case .success(let answers):
            failures.removeAll { $0.film.hasSameBytes(as: film.path) }
            // What is noted down is done: so that comes after all that could fail.
            do {
                for (answer, suffix) in zip(answers, suffixes) { try save(answer, suffix: suffix) }
                try log?.append(
                    answers.filter { !(log?.isDone(film, prompts: prompts(of: $0.model)) ?? false) }.map { FilmLine($0, style) }, of: film)
            } catch {
                // What cannot be written is said all the same.
                for answer in answers { tell(answer) }
                // Of a film that came later than the check of names: the others are still waited for.
                guard batch.watch, let error = error as? TimelineFileError else { throw error }
                failures.append((film.path, error))
                Console.error(error.description)
                return
            }
            for answer in answers { tell(answer) }
            doneCount += 1
        case .failure(let error):
            if error is PredictionInterrupted { throw error }
            // Ctrl-C at a terminal reaches workers, too: that is no fault of the film.
            try checkInterruption()
            let lines = models.map { FilmLine(film: film.path, prompts: prompts(of: $0), failure: error) }
            guard batch.badVideoPolicy == .skip else {
                if forms.json { for line in lines { Console.result(line.text) } }
                throw error
            }
            // What the machine lacks to read any film is not the film's fault either.
            if (error as? any ReportableError)?.exitStatus == .unavailable { throw error }
            if batch.watch, FoundFilm(path: film.path).map({ !$0.isUnchanged(from: film) }) ?? true {
                Console.note("\(film.path.escapedForDisplay): changed while it was read; it is looked at again when it is whole")
                return
            }
            failures.removeAll { $0.film == film.path }
            failures.append((film.path, error))
            try log?.append(lines, of: film)
            if forms.json { for line in lines { Console.result(line.text) } }
            // The only one's error is the command's, which is told at the end.
            guard !isSingle else { return }
            Console.error((error as? any ReportableError)?.description ?? "\(error)")
        }
    }

    private mutating func tell(_ answer: FilmAnswer) {
        if forms.json {
            Console.result(FilmLine(answer, style).text)
        } else if forms.csv {
            if !hasHeader { Console.result(FilmAnswer.csvHeader) }
            hasHeader = true
            for row in answer.csvRows(style) { Console.result(row) }
        } else {
            Console.result(answer.text(style))
        }
    }

    private mutating func save(_ answer: FilmAnswer, suffix: String) throws {
        guard case .timeline(let timeline, let segments) = answer.content else { return }
        for pattern in forms.saved {
            let path = TimelineFile.path(pattern, film: answer.film, suffix: suffix)
            let other = saved.updateValue(answer.film, forKey: Bytewise(path))
            let isAgain = other?.hasSameBytes(as: answer.film) == true
            if let other, !isAgain {
                saved[path] = other
                throw TimelineFileError.twice(path: path, films: [other, answer.film])
            }
            guard let form = TimelineFile(path) else { continue }
            let isOwn = isAgain || log?.hasAnswered(answer.film, prompts: prompts(of: answer.model)) == true
            if forms.force || isOwn || !fileExists(path) {
                try form.write(answer, timeline: timeline, segments: segments, style: style, to: path)
            } else if try log == nil || !form.isWritten(answer, timeline: timeline, segments: segments, style: style, at: path) {
                // A crash may have come between a time line and its film's line in the log; then it is the same once more.
                throw TimelineFileError.exists(path: path)
            }
            Console.note("Wrote \(path.escapedForDisplay)")
        }
    }
}

/// Some of several films could not be read; each was told as it came.
private struct PredictionFailure: ReportableError {
    let failed: Int
    let total: Int
    let closedFolders: Int
    let status: ExitStatus
    var exitStatus: ExitStatus { status }

    var description: String {
        let parts = [failed > 0 ? "\(failed) of \(total) films" : nil, closedFolders > 0 ? counted(closedFolders, "folder", "folders") : nil]
        return "\(parts.compactMap(\.self).joined(separator: " and ")) could not be read; the other films are answered above."
    }
}

/// A signal asked for the end before all films were answered.
struct PredictionInterrupted: ReportableError {
    let done: Int
    /// In the file that --output names.
    let keepsAnswers: Bool
    var exitStatus: ExitStatus { .interrupted }
    var description: String {
        "stopped on request after \(counted(done, "film", "films")). "
            + (keepsAnswers ? "The same command goes on with the rest." : "With --output the same command would go on with the rest.")
    }
}
