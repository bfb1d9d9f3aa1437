import Experiments
import Files
import Synchronization
import TestSupport
import Testing
import VideoData

/// What is told of an experiment: facts for programs, and the words that people read of them.
@Suite struct RunEventTests {
    /// Keeps what happens.
    private final class Listener: RunObserver {
        private let kept = Mutex<[RunEvent]>([])
        private let untold: [String]

        init(untold: [String] = []) { self.untold = untold }

        var events: [RunEvent] { kept.withLock { $0 } }
        func observe(_ event: RunEvent) { kept.withLock { $0.append(event) } }
        func progress(_ title: String, total: Int, unit: String, from first: Int) -> any ProgressDisplay {
            SilentObserver().progress(title, total: total, unit: unit, from: first)
        }
        func takeUntoldWarnings() -> [String] { untold }
    }

    /// A path is anybody's to choose; a terminal acts on what is in it.
    @Test func pathsAreShownWithoutControlCharacters() {
        let (path, shown) = ("runs/a\u{1B}[2Jb\n", #"runs/a\u{1b}[2Jb\u{a}"#)
        let notes: [(RunNote, String)] = [
            (.resuming(.newest(path: path)), "Resuming \(shown)"),
            (.resuming(.finished(path: path, steps: nil)), "\(shown) is finished: there is nothing left to do."),
            (.ofFile(path: path, note: "is odd"), "\(shown): is odd"),
            (.data(.classesOfPrompts(path: path)), "Classes: those of \(shown). For others pass --labels."),
        ]
        for (note, words) in notes {
            #expect(note.description == words)
            #expect(RunEvent.note(note).text == words)
        }
        let warnings: [(RunWarning, String)] = [
            (.data(.closedFolder(path: path)), "\(shown): may not be read; its videos are passed over"),
            (.ofFile(path: path, warning: "is odd"), "\(shown): is odd"),
            (.model(.templateNotUsed(path: path)), "--template is not used: \(shown) has text prompts in its place."),
        ]
        for (warning, words) in warnings { #expect(RunEvent.warning(warning).text == words) }
        #expect(RunEvent.result(.file(.output, path: path)).text == shown)
    }

    /// One of something, several, and what is left out where there is nothing to say.
    @Test func wordsFollowTheFacts() {
        let warnings: [(RunWarning, String)] = [
            (.data(.captionsCut(list: "a.csv", count: 1, total: 1, tokenLimit: 75)), "a.csv: 1 of 1 caption has more than 75 tokens and loses its end."),
            (
                .data(.captionsCut(list: "a.csv", count: 2, total: 9, tokenLimit: 75)),
                "a.csv: 2 of 9 captions have more than 75 tokens and lose their end."
            ),
            (.data(.descriptionsCut(count: 1, tokenLimit: 75)), "1 description of more than 75 tokens loses its end."),
            (.model(.templateNotUsed(path: nil)), "--template is not used: the prompts has text prompts in its place."),
            (.data(.unreadable(BadVideo(path: "a.mp4", reason: "a.mp4: is empty."), .notCounted)), "not counted: a.mp4: is empty."),
        ]
        for (warning, words) in warnings { #expect(warning.description == words) }
        let notes: [(RunNote, String)] = [
            (.resuming(.finished(path: "runs/a", steps: 12)), "runs/a is finished after 12 steps: there is nothing left to do."),
            (.resuming(.noCheckpoint), "There is no checkpoint yet: the run starts from its beginning."),
            (.part(.part(named: "K = 2", number: 2, of: 3, secondsLeft: nil)), "Part 2 of 3: K = 2"),
            (
                .data(.pocketWorld(folders: ["a", "b"], .learningAndScoring)),
                "This is the pocket world: drawn videos in a and b. For your own pass --train LIST --test LIST --labels CSV --backbone FILE."
            ),
            (
                .learning(
                    .begins(.captions(1, videos: 1), frames: 8, schedule: nil, learned: 10, parameters: 20, epochs: 1, steps: 2, mayEndEarly: false, run: "runs/a")),
                "1 caption of 1 video, 8 frames each; 10 of 20 parameters learn; 1 epoch, 2 steps. Run: runs/a"
            ),
        ]
        for (note, words) in notes { #expect(note.description == words) }
        #expect(ShownResult.taken(named: "gda", undecided: [], clips: 1).description == "gda is taken.")
        #expect(
            ShownResult.taken(named: "gda", undecided: ["rocchio", "clap"], clips: 1).description
                == "gda is taken; within the noise of 1 clip it cannot be told from rocchio, clap.")
        #expect(ShownResult.file(.prompts, path: "runs/a/best.safetensors").description == "prompts: runs/a/best.safetensors")
        #expect(RunEvent.step(1, loss: 2).text == nil)
    }

    /// A part's results are notes of the whole, in the same words.
    @Test func resultsOfPartsAreNotes() {
        let listener = Listener()
        let context = RunContext(observer: listener)
        context.result(.headStays(named: "gda"))
        context.ofPart.result(.headStays(named: "gda"))
        #expect(listener.events == [.result(.headStays(named: "gda")), .note(.ofPart(.headStays(named: "gda")))])
        #expect(Set(listener.events.map(\.text)) == ["gda is taken: no prompts do better on held-out clips."])
    }

    /// The first rank tells what the others kept; they say nothing.
    @Test func warningsOfOtherRanksAreToldByTheFirst() throws {
        let heard = try ThreadGroup.run(3) { group in
            let listener = Listener(untold: group.rank == 0 ? [] : ["a.mp4: is odd", "rank \(group.rank)"])
            try RunContext(observer: listener, group: group).tellWarnings()
            return listener.events
        }.map { try $0.get() }
        #expect(heard == [["a.mp4: is odd", "rank 1", "a.mp4: is odd", "rank 2"].map { .repeatedWarning(text: $0) }, [], []])
    }
}
