import CLIPModel
import Evaluation
import Experiments
import Files
import Foundation
import Reports
import Tensors
import Training
import VideoData

/// Videos one after another: read, answered, told and noted down.
struct PredictionRun {
    private let models: [VideoModel]
    private let style: AnswerStyle
    private let windows: WindowOptions
    private let batch: BatchOptions
    private let forms: AnswerFormOptions
    private let log: AnswerLog?
    /// For each model, in the names of saved files.
    private let suffixes: [String]
    private let pictures: PictureRules
    /// Files of time lines that were written, and of which videos.
    private var saved: [Bytewise: String] = [:]
    private let isolated: IsolatedVideos?
    private let reader: any VideoReading
    /// Videos that could not be read, in their order, and why. One that is read later, when it is whole, is none.
    private var failures: [(video: String, error: any Error)] = []
    /// Folders that could not be read when videos were last looked for.
    private var closed: [(folder: String, error: FileError)] = []
    private var doneCount = 0
    private var hasHeader = false
    /// One video was named: its error is the command's.
    private var isSingle = false

    /// - Parameter savesMany: several time lines are expected.
    /// - Throws: where a file of `--save` would be overwritten.
    init(
        models: [VideoModel], pictures: PictureRules, style: AnswerStyle, windows: WindowOptions, batch: BatchOptions, forms: AnswerFormOptions,
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
            if savesMany, !pattern.contains("{}") { throw TimelineFileError.severalVideos(path: pattern) }
        }
        if batch.isolate {
            let videos = IsolatedVideos(shortSide: models[0].transform.shortSide, pictures: pictures) { path, warnings in Self.warn(path, warnings) }
            isolated = videos
            reader = videos
        } else {
            isolated = nil
            var videos = VideoFileReader().following(pictures)
            videos.report = { path, warnings in Self.warn(path, warnings.map(\.description)) }
            reader = videos
        }
    }

    private static func warn(_ path: String, _ warnings: [String]) {
        for warning in warnings { Console.warning("\(path.escapedForDisplay): \(warning)") }
    }

    /// Answers all videos; with `--watch` goes on until a signal.
    ///
    /// - Throws: the first failure's error, or `PredictionInterrupted`.
    mutating func process(_ sources: VideoSources) throws {
        isSingle = !sources.mayBeMany
        if batch.watch {
            try watch(sources)
        } else {
            let found = sources.found(tells: true)
            let videos = found.videos
            closed = found.closed
            try checkSaved(videos, of: sources)
            let left = pending(videos)
            if left.count < videos.count {
                let waiting = Set<Bytewise>(texts: left.map(\.path))
                let failed = videos.count { !waiting.contains($0.path) && log?.hasFailed($0) == true }
                Console.note(
                    "\(videos.count - left.count) of \(videos.count) videos are answered already"
                        + (failed > 0 ? "; \(failed) of them could not be read (--retry-failed tries again)" : ""))
            }
            try proveSaving(left)
            try answer(left)
            try finish(total: videos.count)
        }
    }

    /// Shows that time lines can be saved before the first video is looked at.
    private func proveSaving(_ videos: [FoundVideo]) throws {
        var folders: [String] = []
        for video in videos {
            for pattern in forms.saved {
                let path = TimelineFile.path(pattern, video: video.path, suffix: suffixes[0])
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

    /// Finds out before the work where two videos would be saved in one file, or over what is there.
    private func checkSaved(_ videos: [FoundVideo], of sources: VideoSources) throws(TimelineFileError) {
        func place(_ path: String) -> String { (resolvedPath(path.parentDirectory) ?? path.parentDirectory).appendingPath(path.lastPathComponent) }
        var taken: [Bytewise: String] = [:]
        let inputs = Set<Bytewise>(texts: videos.map { place($0.path) })
        let folders = sources.folders.compactMap(resolvedPath)
        for video in videos {
            for (pattern, suffix) in forms.saved.flatMap({ pattern in suffixes.map { (pattern, $0) } }) {
                let path = TimelineFile.path(pattern, video: video.path, suffix: suffix)
                if let other = taken.updateValue(video.path, forKey: Bytewise(place(path))) { throw .twice(path: path, videos: [other, video.path]) }
                if let output = batch.output, place(output).hasSameBytes(as: place(path)) { throw .overAnswers(path: path) }
                if inputs.contains(Bytewise(place(path))) { throw .overVideo(path: path) }
                if LabeledVideo.isName(path), folders.contains(where: { place(path).isInside($0, recursive: sources.recursive) }) { throw .amongVideos(path: path) }
                // With answers of an earlier run, the time line may be its own.
                if !forms.force, log == nil, fileExists(path) { throw .exists(path: path) }
            }
        }
    }

    /// Videos that some model has not answered yet.
    private func pending(_ videos: [FoundVideo]) -> [FoundVideo] {
        guard let log else { return videos }
        return videos.filter { video in models.contains { !log.isDone(video, prompts: prompts(of: $0)) } }
    }

    private func prompts(of model: VideoModel) -> String? { model.name.isEmpty ? nil : model.name }

    // MARK: Watching

    private mutating func watch(_ sources: VideoSources) throws {
        var arrivals = VideoArrivals(settleSeconds: batch.settle.count)
        let clock = ContinuousClock()
        let start = clock.now
        var isFirst = true
        while !Interruption.isRequested {
            let found = sources.found(tells: isFirst)
            let videos = found.videos
            closed = found.closed
            if isFirst { try checkSaved(videos, of: sources) }
            if isFirst { Console.note("Waiting for videos in \(sources.folders.map(\.escapedForDisplay).joined(separator: ", ")); Ctrl-C ends it") }
            isFirst = false
            let ready = arrivals.ready(
                among: videos, now: (clock.now - start) / .seconds(1), date: Date().timeIntervalSince1970)
            for video in ready {
                if Interruption.isRequested { throw interruption }
                if !pending([video]).isEmpty { try answer([video]) }
                arrivals.take(video)
            }
            Self.sleep(seconds: batch.every.count)
        }
        if arrivals.waitingCount > 0 { throw interruption }
        Console.note("\(counted(doneCount, "video", "videos")) answered, nothing is waiting")
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

    private mutating func answer(_ videos: [FoundVideo]) throws {
        if let spans = windows.spans {
            let timelines = VideoTimelines(models: models, window: spans.window, stride: spans.stride, pictures: pictures)
            for (index, video) in videos.enumerated() {
                try checkInterruption()
                let title = videos.count > 1 ? "\(video.path.lastPathComponent.escapedForDisplay) (\(index + 1)/\(videos.count))" : "predict"
                try settle(video, Result { try timeline(of: video.path, timelines, title: title) })
            }
            return
        }
        let progress = videos.count > 3 ? ProgressReporter("predict", total: videos.count, unit: "videos") : nil
        let prepare: @Sendable (Int) -> Result<PreparedVideo, any Error> = { [models, reader] index in
            Result { try PreparedVideo(path: videos[index].path, models: models, reader: reader, position: index) }
        }
        let prepared = Prefetcher(count: videos.count, threadCount: 1, capacity: 4, make: prepare)
        defer { prepared.cancel() }
        for (index, video) in videos.enumerated() {
            try checkInterruption()
            guard let outcome = try prepared.next() else { break }
            let answers = Result {
                try zip(models, VideoModel.scores(of: outcome.get(), by: models)).map { model, scores in
                    VideoAnswer(video: video.path, model: model, content: .whole(scores))
                }
            }
            progress?.finish()
            try settle(video, answers)
            progress?.show(index + 1)
        }
        progress?.finish()
    }

    private var interruption: PredictionInterrupted { PredictionInterrupted(done: doneCount, keepsAnswers: log != nil) }

    private func checkInterruption() throws {
        if Interruption.isRequested { throw interruption }
    }

    private func timeline(of path: String, _ timelines: VideoTimelines, title: String) throws -> [VideoAnswer] {
        let request = timelines.request(path)
        let stream: any VideoStreaming =
            try isolated?.stream(request) ?? openVideoStream(request)
        // Where the header names no length, bytes tell how far it is.
        let length = stream.outlook.seconds.flatMap { Int(exactly: $0.rounded(.up)) }
        let total = length ?? stream.outlook.byteCount >> 20
        let progress = ProgressReporter(title, total: total, unit: length == nil ? "MB" : "s of video")
        let countsFrames = forms.saved.contains { TimelineFile($0)?.countsFrames == true }
        var frameTimes: [Double] = []
        let (made, warnings) = try timelines.timelines(of: path, stream: stream) { part in
            if countsFrames { frameTimes += part.times }
            try checkInterruption()
            let done = length == nil ? part.readByteCount >> 20 : Int(part.seconds)
            // A header may be wrong: the end is where the video says so.
            if done < total { progress.show(done) }
        }
        progress.finish()
        Self.warn(path, warnings)
        return zip(models, made).map { model, timeline in
            let smoothed = timeline.smoothed(over: windows.smooth)
            return VideoAnswer(
                video: path, model: model,
                content: .timeline(smoothed, segments: smoothed.segments(style.rule, minimumSeconds: windows.minimumSeconds)), frameTimes: frameTimes)
        }
    }

    /// Tells and notes down what became of a video.
    private mutating func settle(_ video: FoundVideo, _ outcome: Result<[VideoAnswer], any Error>) throws {
        switch outcome {
        case .success(let answers):
            failures.removeAll { $0.video.hasSameBytes(as: video.path) }
            // What is noted down is done: so that comes after all that could fail.
            do {
                for (answer, suffix) in zip(answers, suffixes) { try save(answer, suffix: suffix) }
                try log?.append(
                    answers.filter { !(log?.isDone(video, prompts: prompts(of: $0.model)) ?? false) }.map { VideoLine($0, style) }, of: video)
            } catch {
                // What cannot be written is said all the same.
                for answer in answers { tell(answer) }
                // Of a video that came later than the check of names: the others are still waited for.
                guard batch.watch, let error = error as? TimelineFileError else { throw error }
                failures.append((video.path, error))
                Console.error(error.description)
                return
            }
            for answer in answers { tell(answer) }
            doneCount += 1
        case .failure(let error):
            if error is PredictionInterrupted { throw error }
            // Ctrl-C at a terminal reaches workers, too: that is no fault of the video.
            try checkInterruption()
            let lines = models.map { VideoLine(video: video.path, prompts: prompts(of: $0), region: style.region, failure: error) }
            guard batch.badVideoPolicy == .skip else {
                if forms.json { for line in lines { Console.result(line.text) } }
                throw error
            }
            // What the machine lacks to read any video is not the video's fault either.
            if (error as? any ReportableError)?.exitStatus == .unavailable { throw error }
            if batch.watch, FoundVideo(path: video.path).map({ !$0.isUnchanged(from: video) }) ?? true {
                Console.note("\(video.path.escapedForDisplay): changed while it was read; it is looked at again when it is whole")
                return
            }
            failures.removeAll { $0.video == video.path }
            failures.append((video.path, error))
            try log?.append(lines, of: video)
            if forms.json { for line in lines { Console.result(line.text) } }
            // The only one's error is the command's, which is told at the end.
            guard !isSingle else { return }
            Console.error((error as? any ReportableError)?.description ?? "\(error)")
        }
    }

    private mutating func tell(_ answer: VideoAnswer) {
        if forms.json {
            Console.result(VideoLine(answer, style).text)
        } else if forms.csv {
            if !hasHeader { Console.result(VideoAnswer.csvHeader) }
            hasHeader = true
            for row in answer.csvRows(style) { Console.result(row) }
        } else {
            Console.result(answer.text(style))
        }
    }

    private mutating func save(_ answer: VideoAnswer, suffix: String) throws {
        guard case .timeline(let timeline, let segments) = answer.content else { return }
        for pattern in forms.saved {
            let path = TimelineFile.path(pattern, video: answer.video, suffix: suffix)
            let other = saved.updateValue(answer.video, forKey: Bytewise(path))
            let isAgain = other?.hasSameBytes(as: answer.video) == true
            if let other, !isAgain {
                saved[path] = other
                throw TimelineFileError.twice(path: path, videos: [other, answer.video])
            }
            if LabeledVideo.isName(path) {
                try saveVideo(answer, segments: segments, isOwn: isAgain || isAnswered(answer), to: path)
                continue
            }
            guard let form = TimelineFile(path) else { continue }
            let isOwn = isAgain || isAnswered(answer)
            if forms.force || isOwn || !fileExists(path) {
                try form.write(answer, timeline: timeline, segments: segments, style: style, to: path)
            } else if try log == nil || !form.isWritten(answer, timeline: timeline, segments: segments, style: style, at: path) {
                // A crash may have come between a time line and its video's line in the log; then it is the same once more.
                throw TimelineFileError.exists(path: path)
            }
            Console.note("Wrote \(path.escapedForDisplay)")
        }
    }

    /// Whether an earlier run answered the video, so that files of its answer are the command's own.
    private func isAnswered(_ answer: VideoAnswer) -> Bool { log?.hasAnswered(answer.video, prompts: prompts(of: answer.model)) == true }

    /// The video with its labels drawn on.
    private func saveVideo(_ answer: VideoAnswer, segments: [TimelineSegment], isOwn: Bool, to path: String) throws {
        func write(to path: String) throws {
            let request = LabeledVideo.request(answer.video, pictures: pictures)
            let stream: any VideoStreaming = try isolated?.stream(request) ?? openVideoStream(request)
            let total = stream.outlook.seconds.flatMap { Int(exactly: $0.rounded(.up)) } ?? 0
            let progress = ProgressReporter(path.lastPathComponent.escapedForDisplay, total: max(1, total), unit: "s of video")
            try LabeledVideo(answer, segments: segments, style: style).write(stream, to: path) { seconds in
                try checkInterruption()
                if Int(seconds) < total { progress.show(Int(seconds)) }
            }
            progress.finish()
        }
        if forms.force || isOwn || !fileExists(path) {
            try write(to: path)
        } else {
            guard log != nil else { throw TimelineFileError.exists(path: path) }
            // As with other time lines, a crash may have come before the line in the log. The same labels make the same bytes.
            let draft = path.parentDirectory.appendingPath(".draft-\(path.lastPathComponent)")
            defer { _ = unsafe unlink(draft) }
            try write(to: draft)
            guard try Digest.ofFile(draft) == Digest.ofFile(path) else { throw TimelineFileError.exists(path: path) }
        }
        Console.note("Wrote \(path.escapedForDisplay)")
    }
}

extension String {
    /// Whether the path leads into a folder, or with `recursive` also below it. Both are resolved.
    fileprivate func isInside(_ folder: String, recursive: Bool) -> Bool {
        recursive ? hasPrefix(folder.hasSuffix("/") ? folder : folder + "/") : parentDirectory.hasSameBytes(as: folder)
    }
}

/// Some of several videos could not be read; each was told as it came.
private struct PredictionFailure: ReportableError {
    let failed: Int
    let total: Int
    let closedFolders: Int
    let status: ExitStatus
    var exitStatus: ExitStatus { status }

    var description: String {
        let parts = [failed > 0 ? "\(failed) of \(total) videos" : nil, closedFolders > 0 ? counted(closedFolders, "folder", "folders") : nil]
        return "\(parts.compactMap(\.self).joined(separator: " and ")) could not be read; the other videos are answered above."
    }
}

/// A signal asked for the end before all videos were answered.
struct PredictionInterrupted: ReportableError {
    let done: Int
    /// In the file that --output names.
    let keepsAnswers: Bool
    var exitStatus: ExitStatus { .interrupted }
    var description: String {
        "stopped on request after \(counted(done, "video", "videos")). "
            + (keepsAnswers ? "Repeat the command to continue with the rest." : "With --output, repeating the command would continue with the rest.")
    }
}
