import Files
import Foundation
import TestSupport
import Testing

/// The page in a browser, before the real server: every state that a person can bring it into.
@Suite(.serialized, .enabled(if: Browser.path != nil, "No Chromium is installed.")) struct PageTests {
    @Test func theEmptyPageSaysWhatComesNext() throws {
        let visit = try PageVisit()
        let page = visit.page
        #expect(try page.text("#drop-words").contains("Drop your videos"))
        #expect(try page.text("#readiness") == "Add some clips first.")
        #expect(try page.evaluate("document.querySelector('#learn-button').disabled && document.querySelector('#recognize').disabled") as? Bool == true)
        #expect(try page.text("#results-panel").contains("Nothing has been learned"))
        #expect(try page.count("#board") == 0)
        #expect(try page.text(".steps [aria-current]") == "1 Clips")
        try page.look(at: "empty")
        visit.expectNoProblems()
    }

    // MARK: Clips

    @Test func clipsAreAddedAndSorted() throws {
        let visit = try PageVisit()
        let page = visit.page
        let broken = visit.server.program.folder.path("broken.mp4")
        try Data("no video".utf8).write(to: URL(fileURLWithPath: broken))
        try page.setFiles("#files", visit.clips.map(\.path) + [broken])
        try page.waitToSee(".upload[data-state=failed]")
        #expect(try page.text(".upload[data-state=failed] .fault").contains("broken.mp4"), "the server's own words")
        try page.waitToSee("#use-suggestion")
        try page.wait(forCount: visit.clips.count, of: "#unsorted .clip")
        try page.wait(for: "[...document.querySelectorAll('#board .clip img')].every(image => image.complete && image.naturalWidth > 0)")
        try page.look(at: "added")
        // It fails again, and can be left out.
        try page.click(".upload[data-state=failed] button")
        try page.waitToSee(".upload[data-state=failed]")
        try page.click(".upload[data-state=failed] button.quiet")
        try page.wait(forCount: 0, of: ".upload")

        try page.click("#use-suggestion")
        try page.wait(forCount: visit.clips.count, of: "#columns .clip")
        #expect(try page.count("#columns .column") == ServedVideos.classNames.count)
        #expect(try page.text("#readiness").hasPrefix("Ready: \(visit.clips.count) clips in \(ServedVideos.classNames.count) classes."))
        // The same files are not there twice: a clip would be learned from and tested with.
        try page.setFiles("#files", [visit.clips[0].path])
        try page.waitToSee(".notices .notice")
        #expect(try page.text(".notices").contains("1 clip was there already"))

        // By dragging, by the menu, and several at once.
        let counts = "[...document.querySelectorAll('.column')].map(column => column.querySelectorAll('.clip').length).join()"
        #expect(try page.evaluate(counts) as? String == "0,4,4,4")
        try page.drag("#columns .column:nth-child(1) .clip", to: "#columns .column:nth-child(2)")
        #expect(try page.evaluate(counts) as? String == "0,3,5,4")
        try page.choose("#columns .column:nth-child(1) .clip .class-menu", "")
        #expect(try page.evaluate(counts) as? String == "1,2,5,4")
        try page.click("#columns .column:nth-child(3) .clip:nth-child(1) .pick")
        try page.click("#columns .column:nth-child(3) .clip:nth-child(2) .pick")
        #expect(try page.text("#selection").hasPrefix("2 clips selected"))
        try page.look(at: "selected")
        try page.choose("#move-selected", "")
        #expect(try page.evaluate(counts) as? String == "3,2,5,2")

        // The server knows all of it.
        try page.wait(for: "document.querySelector('#selection').hidden")
        try page.evaluate("import('/store.js').then(({ store }) => store.settled())")
        try page.reload()
        try page.wait(for: "\(counts) === '3,2,5,2'")
        visit.expectNoProblems(but: "422")
    }

    @Test func foldersNameTheClasses() throws {
        let visit = try PageVisit()
        let page = visit.page
        let root = visit.server.program.folder.path("my_moves")
        for video in visit.clips.prefix(8) {
            let folder = root + "/" + (video.label.split(separator: " ").first.map { "\($0)_about" } ?? "")
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: video.path, toPath: folder + "/" + video.name)
        }
        try Data("notes".utf8).write(to: URL(fileURLWithPath: root + "/notes.txt"))
        try page.drop([root], on: "#drop-zone")
        try page.wait(forCount: 8, of: "#columns .clip")
        #expect(try page.evaluate("document.querySelector('#data-set').selectedOptions[0].text") as? String == "my moves")
        let classes = try page.evaluate("[...document.querySelectorAll('#columns .column')].map(column => column.dataset.class)") as? [String]
        #expect(classes == ServedVideos.classNames.prefix(2).map { "\($0.split(separator: " ")[0]) about" }.sorted())
        #expect(try page.text(".notices").contains("1 other file is no video"))
        #expect(try page.count("#unsorted") == 0)
        // Onto a class, files are its own whatever their folder says.
        try page.drop([visit.clips[8].path], on: "#columns .column:nth-child(2)")
        try page.wait(forCount: 5, of: "#columns .column:nth-child(2) .clip")
        visit.expectNoProblems()
    }

    @Test func classesAndDataSetsAreNamedAndRemoved() throws {
        let visit = try PageVisit()
        let page = visit.page
        try visit.unsortedClips(2, classes: ["walking", "standing still"])
        try page.choose("#unsorted .clip .class-menu", "walking")
        #expect(try page.text("#readiness").contains("All sorted clips are in “walking”"))

        try page.click("#columns [aria-label='Rename walking']")
        try page.evaluate("document.querySelector('dialog input').select()")
        try page.type("standing still")
        try page.press("Enter")
        #expect(try page.text("dialog .fault") == "There is a class of this name already.")
        try page.look(at: "asked")
        try page.evaluate("document.querySelector('dialog input').select()")
        try page.type("strolling")
        try page.press("Enter")
        try page.waitToSee(".column[data-class=strolling] .clip")

        try page.click("#columns [aria-label='Remove the class strolling']")
        try page.waitToSee("dialog")
        #expect(try page.focus() == "Cancel", "what cannot be undone is not done by Enter")
        try page.click("dialog .danger")
        try page.wait(forCount: 2, of: "#unsorted .clip")

        try page.click("#new-set")
        try page.type("Second")
        try page.press("Enter")
        try page.wait(for: "document.querySelector('#data-set')?.selectedOptions[0].text === 'Second'")
        #expect(try page.count("#board") == 0)
        try page.reload()
        #expect(try page.evaluate("document.querySelector('#data-set').selectedOptions[0].text") as? String == "Second", "the last one opens again")
        try page.click("#delete-set")
        try page.click("dialog .danger")
        try page.wait(forCount: 2, of: "#board .clip")
        #expect((try visit.json("/v1/datasets")["data_sets"] as? [Any])?.count == 1)
        visit.expectNoProblems()
    }

    /// Changes reach the server in the order in which they were made: a class that is renamed takes the clip along that has just been put into it.
    @Test func aClassIsRenamedWhileAClipIsOnItsWay() throws {
        let visit = try PageVisit()
        let page = visit.page
        try visit.unsortedClips(1, classes: ["walking", "standing still"])
        try page.evaluate("""
            (() => {
              const send = window.fetch, gate = new Promise(open => { window.openGate = open })
              window.fetch = async (path, options) => {
                if (options?.method === "PATCH" && path.includes("/clips/")) await gate
                return send(path, options)
              }
            })()
            """)
        try page.choose("#unsorted .class-menu", "walking")
        #expect(try page.count("[data-class=walking] .clip") == 1, "it is shown at once")
        try page.click("#columns [aria-label='Rename walking']")
        try page.evaluate("document.querySelector('dialog input').select()")
        try page.type("strolling")
        try page.press("Enter")
        try page.wait(forCount: 0, of: "dialog")
        // Longer than the server takes for a change.
        usleep(300_000)
        try page.evaluate("window.openGate()")
        try page.waitToSee("[data-class=strolling] .clip")
        let set = try visit.openSet()
        #expect(set["classes"] as? [String] == ["strolling", "standing still"])
        #expect((set["clips"] as? [[String: Any]])?.map { $0["class"] as? String } == ["strolling"])
        visit.expectNoProblems()
    }

    /// A clip that the server does not move goes back to where it was, and nothing says that it was moved.
    @Test func aClipThatIsNotMovedGoesBack() throws {
        let visit = try PageVisit()
        let page = visit.page
        try visit.unsortedClips(1, classes: ServedVideos.classNames)
        try page.evaluate("""
            (() => {
              const send = window.fetch
              window.restore = () => { window.fetch = send }
              window.fetch = (path, options) => options?.method === "PATCH" ? Promise.reject(new TypeError("no network")) : send(path, options)
            })()
            """)
        let (name, label) = (visit.clips[0].name, ServedVideos.classNames[1])
        try page.choose("#unsorted .class-menu", label)
        try page.waitToSee(".notices .error")
        #expect(try page.text(".notices .error").hasPrefix("\(name) could not be moved. The server does not answer."))
        #expect(try page.count("#unsorted .clip") == 1 && page.count("#columns .clip") == 0)
        try page.click(".notices .error button")

        // Where a wrong answer is put right, too.
        let id = try #require(try page.evaluate("document.querySelector('.clip').dataset.clip") as? String)
        try page.choose("#try-clip", id)
        try page.click("#recognize")
        try page.waitToSee("#right-class", seconds: 240)
        try page.choose("#right-class", label)
        try page.click(".correction button")
        try page.waitToSee(".notices .error")
        #expect(try !page.text(".correction").contains("is now a clip of"))
        try page.evaluate("window.restore()")
        try page.click(".correction button")
        try page.wait(for: "document.querySelector('.correction').innerText.includes('is now a clip of')")
        #expect((try visit.openSet()["clips"] as? [[String: Any]])?.map { $0["class"] as? String } == [label])
        visit.expectNoProblems()
    }

    // MARK: Learning

    @Test func aClassifierIsLearnedCheckedAndCorrected() throws {
        let visit = try PageVisit()
        let page = visit.page
        try visit.learned()
        let run = try #require((try visit.json("/v1/runs")["runs"] as? [[String: Any]])?.first)
        let result = try #require(run["result"] as? [String: Any])
        let held = try #require(result["held_out"] as? [String: Any])
        let clips = try #require(held["clips"] as? [[String: Any]])
        let right = clips.filter { $0["class"] as? String == $0["predicted"] as? String }.count
        #expect(try page.text("#verdict") == "\(right) of \(clips.count) clips \(right == 1 ? "was" : "were") recognized by a classifier that had not seen them.")
        #expect(try page.count("#wrong .answer") == clips.count - right)
        let cells = "[...document.querySelectorAll('.confusion .cell')].reduce((sum, cell) => sum + Number(cell.textContent), 0)"
        #expect(try page.evaluate(cells) as? Int == clips.count)
        #expect(try page.text(".steps ol") == "✓ Clips ✓ Learn 3 Check 4 Try")
        try page.look(at: "checked")

        // What a threshold costs, in the server's numbers.
        let thresholds = try #require(held["thresholds"] as? [[String: Any]])
        for place in [0, thresholds.count / 2, thresholds.count - 1] {
            try page.evaluate("(slider => { slider.value = \(place); slider.dispatchEvent(new Event('input')) })(document.querySelector('#threshold'))")
            let (answered, correct) = (thresholds[place]["answered"] as? Int ?? -1, thresholds[place]["correct"] as? Int ?? -1)
            #expect(try page.text("#threshold-cost").hasPrefix("\(answered) of \(clips.count) clips would be answered, \(correct) of them rightly"))
        }

        // A cell leads to its clips, and a clip that is moved makes the result out of date.
        try page.click(".confusion .cell")
        let listed = try page.count("#cell-clips .answer")
        #expect(try page.text(".confusion .cell") == "\(listed)")
        #expect(try page.count("#stale .notice") == 0)
        try page.evaluate("document.querySelector('#cell-clips .class-menu').focus()")
        let other = try #require(try page.evaluate("[...document.querySelector('#cell-clips .class-menu').options].at(-1).value") as? String)
        try page.choose("#cell-clips .class-menu", other)
        try page.waitToSee(".learn-again")
        #expect(try page.text("#stale").hasPrefix("1 clip has changed since this was learned."))
        try page.look(at: "corrected")
        try page.click(".learn-again")
        try page.wait(forCount: 2, of: "#result-choice option", seconds: 240)
        try page.wait(forCount: 0, of: "#stale .notice")

        // The file is the server's.
        let link = try #require(try page.evaluate("document.querySelector('#download-classifier').getAttribute('href')") as? String)
        let size = try page.evaluate("fetch('\(link)').then(answer => answer.arrayBuffer()).then(bytes => bytes.byteLength)") as? Int
        let listedSize = (try visit.json("/v1/prompts")["prompts"] as? [[String: Any]])?.compactMap { $0["origin"] as? String == "learned" ? $0["bytes"] as? Int : nil }
        #expect(listedSize?.contains(size ?? -1) == true)
        visit.expectNoProblems()
    }

    /// What comes into a watched folder is there when somebody turns to the page again, and so is why a file does not answer.
    @Test func theFolderIsShown() throws {
        let folder = try TemporaryDirectory()
        let visit = try PageVisit(["--prompts", folder.path])
        let page = visit.page
        try page.wait(for: "document.documentElement.dataset.state === 'ready'")
        #expect(try page.evaluate("document.querySelector('#classifiers').hidden") as? Bool == true)
        try folder.write("no prompts", to: "broken.safetensors")
        try page.wait(for: "dispatchEvent(new Event('focus')) && document.querySelector('#prompt-faults')?.textContent.includes('broken.safetensors')")
        try page.look(at: "folder")
        try removeFile(folder.path("broken.safetensors"))
        try page.wait(for: "dispatchEvent(new Event('focus')) && document.querySelector('#prompt-faults') === null && document.querySelector('#classifiers').hidden")
        visit.expectNoProblems()
    }

    /// A source that is not there, and then is: what is said, the answers, and its end.
    @Test(.enabled(if: Program.installed("ffmpeg") != nil, "ffmpeg is not installed")) func aSourceIsFollowed() throws {
        let folder = try TemporaryDirectory()
        let made = Process()
        made.executableURL = URL(fileURLWithPath: Program.installed("ffmpeg") ?? "/usr/bin/false")
        made.arguments = ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=6", "-c:v", "libx264", "-pix_fmt", "yuv420p", folder.path("a.mkv")]
        try made.run()
        made.waitUntilExit()
        #expect(made.terminationStatus == 0)
        let files = try FileServer(["/a.mkv": FileServer.answer("200 OK", Data(contentsOf: URL(fileURLWithPath: folder.path("a.mkv"))))])
        let visit = try PageVisit(["--source", "gate=http://127.0.0.1:\(files.port)/a.mkv", "--source", "gone=http://127.0.0.1:\(files.port)/none"])
        let page = visit.page
        try page.waitToSee("#try-source")
        // Somebody must say between what.
        try page.choose("#try-source", "gate")
        try page.wait(for: "document.querySelector('#source-message').textContent.includes('two classes')")
        try page.click("#try-names")
        try page.type("walking, running")
        try page.choose("#try-source", "gate")
        try page.wait(for: "document.querySelector('#source-message').textContent === 'gate has come to its end.'")
        #expect(try page.count("#source-latest li") > 3)
        try page.look(at: "source")
        try page.choose("#try-source", "gone")
        try page.wait(for: "document.querySelector('#source-message').textContent.includes('The source gone cannot be read')")
        #expect(try page.evaluate("document.querySelector('#recognize').checkVisibility() && document.querySelector('#source-stop').hidden") as? Bool == true)
        visit.expectNoProblems()
    }

    @Test func promptsLearnInTheBackgroundUntilStopped() throws {
        let visit = try PageVisit()
        let page = visit.page
        try visit.sortedClips()
        try page.click("#prompts-choice summary")
        try page.click("#steps")
        try page.type("5000")
        try page.click("#learn-prompts")
        try page.waitToSee(".loss .curve", seconds: 240)
        #expect(try page.text(".run .state").contains("of 5000"))
        // Only one learns at a time.
        try page.click("#learn-button")
        try page.wait(forCount: 2, of: ".run")
        #expect(try page.text(".run:nth-child(2) .state") == "Waits: 1 run before it.")
        try page.look(at: "learning")
        try page.reload()
        try page.waitToSee(".loss .curve")
        #expect(try page.count(".run") == 2, "both are there after the page was closed")
        try page.click(".run:nth-child(2) .action button")
        try page.wait(for: "[...document.querySelectorAll('.run .state')].some(state => state.textContent.startsWith('Stopped'))")
        try page.click(".run:nth-child(1) .action button")
        try page.wait(for: "[...document.querySelectorAll('.run .state')].every(state => state.textContent.startsWith('Stopped'))", seconds: 120)
        try page.look(at: "stopped")
        visit.expectNoProblems()
    }

    // MARK: Trying

    @Test func aVideoIsAnsweredAsTheServerSays() throws {
        let visit = try PageVisit()
        let page = visit.page
        try visit.learned()
        let video = visit.clips[1]
        try page.setFiles("#try-file", [video.path])
        try page.wait(for: "!document.querySelector('#recognize').disabled")
        try page.click("#recognize")
        try page.waitToSee("#answer .verdict")
        let stored = try visit.storedQuery(of: video)
        let answer = try #require(try page.evaluate("fetch('\(stored)', { method: 'POST' }).then(answer => answer.json())") as? [String: Any])
        let best = try #require(answer["answer"] as? [String: Any])
        let percent = Int(((best["probability"] as? Double ?? 0) * 100).rounded())
        #expect(try page.text("#answer .verdict") == "\(best["class"] ?? ""), \(percent) % sure")
        #expect(try page.count("#answer meter") == (answer["scores"] as? [Any])?.count)
        try page.look(at: "answered")

        // Where it looked lies over the video, and goes away again.
        let painted = """
            (() => {
              const canvas = document.querySelector('.overlay')
              if (canvas.width === 0) return 0
              const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true })
              copy.drawImage(canvas, 0, 0)
              return copy.getImageData(0, 0, canvas.width, canvas.height).data.filter((value, index) => index % 4 === 3 && value > 0).length
            })()
            """
        #expect(try page.evaluate(painted) as? Int == 0)
        try page.click("#attention")
        try page.wait(for: "\(painted) > 1000")
        try page.look(at: "attention")
        try page.click("#attention")
        #expect(try page.evaluate(painted) as? Int == 0)

        // A threshold that nothing reaches.
        try page.evaluate("(slider => { slider.value = 100; slider.dispatchEvent(new Event('input')) })(document.querySelector('#try-threshold'))")
        try page.click("#recognize")
        try page.wait(for: "document.querySelector('#answer .verdict')?.innerText === 'None of these'")
        visit.expectNoProblems()
    }

    @Test func aTimelineIsShownAndSaved() throws {
        let visit = try PageVisit()
        let page = visit.page
        try visit.learned()
        try page.setFiles("#try-file", [visit.clips[1].path])
        try page.wait(for: "!document.querySelector('#recognize').disabled")
        try page.click("input[name=form][value=windows]")
        try page.choose("#try-window", "1s")
        try page.click("#recognize")
        try page.waitToSee(".timeline .part")
        #expect(try page.count(".timeline .part") == page.count(".segments li"))
        try page.look(at: "timeline")

        // The strip and the list lead to places in the video.
        let last = ".segments li:last-child button"
        try page.click(last)
        let start = try #require(try page.text(last + " .time").components(separatedBy: " – ").first?.components(separatedBy: ":").last.flatMap(Double.init))
        try page.wait(for: "document.querySelector('.player video').currentTime >= \(start)")
        try page.wait(for: "document.querySelector('.segments li:last-child').getAttribute('aria-current') === 'true' || document.querySelector('.player video').paused")

        // What is saved is what the server writes.
        try page.evaluate("(make => { URL.createObjectURL = blob => { window.saved = blob; return make.call(URL, blob) } })(URL.createObjectURL)")
        let stored = try visit.storedQuery(of: visit.clips[1])
        func written(_ form: String) throws -> String {
            try page.evaluate("fetch('\(stored)&window=1s&format=\(form)', { method: 'POST' }).then(answer => answer.text())") as? String ?? ""
        }
        try page.evaluate("document.querySelector('#download-srt').click()")
        #expect(try page.evaluate("window.saved.text()") as? String == written("srt"))
        try page.evaluate("document.querySelector('#download-csv').click()")
        let rows = try (page.evaluate("window.saved.text()") as? String ?? "").split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        let expected = try written("csv").split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        #expect(rows.first == expected.first && rows.count == expected.count)
        for (row, line) in zip(rows, expected).dropFirst() {
            for column in [2, 3, 5, 7] { #expect(abs((Double(row[column]) ?? 0) - (Double(line[column]) ?? 0)) < 1e-3) }
            #expect(row[4] == line[4] && row[6] == line[6])
        }
        visit.expectNoProblems()
    }

    @Test func namesOfClassesAnswerWithoutLearning() throws {
        let visit = try PageVisit()
        let page = visit.page
        try page.setFiles("#try-file", [visit.clips[0].path])
        try page.click("#recognize")
        try page.waitToSee(".notices .error")
        #expect(try page.text(".notices").contains("Write at least two classes"))
        try page.click("#try-names")
        try page.type(ServedVideos.classNames.joined(separator: ", "))
        try page.click("#recognize")
        try page.waitToSee("#answer .verdict")
        #expect(try page.count("#answer meter") == ServedVideos.classNames.count)
        #expect(try ServedVideos.classNames.contains { try page.text("#answer .verdict").hasPrefix($0) })
        visit.expectNoProblems()
    }

    // MARK: By the keyboard, and when something is amiss

    @Test func theKeyboardDoesIt() throws {
        let visit = try PageVisit()
        let page = visit.page
        try page.tab(to: "#choose-files")
        // The dialog of the operating system is the one thing that is done in another way.
        let (first, second) = (visit.clips.filter { $0.label == ServedVideos.classNames[0] }, visit.clips.filter { $0.label == ServedVideos.classNames[1] })
        try page.setFiles("#files", (first.prefix(2) + second.prefix(2)).map(\.path))
        try page.wait(forCount: 4, of: "#unsorted .clip")
        try page.tab(to: "#new-class")
        try page.type("one, two")
        try page.press("Enter")
        try page.wait(forCount: 2, of: "#columns .column")
        try page.tab(to: "#unsorted .picture")
        for _ in 0..<4 {
            // The focus goes to the clip that comes next.
            let name = try page.focus()
            let digit = first.contains { name.contains($0.name) } ? "1" : "2"
            try page.press(digit)
        }
        #expect(try page.count("[data-class=one] .clip") == 2 && page.count("[data-class=two] .clip") == 2)
        try page.press("Delete")
        try page.waitToSee("dialog")
        try page.press("Escape")
        try page.wait(for: "!document.querySelector('dialog') && document.activeElement.matches('.picture')")
        try page.press("Enter")
        try page.waitToSee("dialog.viewer video")
        try page.press("Escape")

        try page.tab(to: "#learn-button")
        try page.press("Enter")
        try page.waitToSee("#verdict", seconds: 240)
        try page.tab(to: ".confusion .cell")
        try page.press("Enter")
        #expect(try page.count("#cell-clips .answer") > 0)
        try page.tab(to: "#threshold")
        try page.press("ArrowRight")
        try page.tab(to: "#try-clip")
        try page.choose("#try-clip", try #require(try page.evaluate("document.querySelector('#try-clip').options[1].value") as? String))
        try page.tab(to: "#recognize")
        try page.press("Enter")
        try page.waitToSee("#answer .verdict")
        #expect(try page.focus() == "recognize", "the focus does not get lost")
        try page.tab(to: "#attention")
        try page.press(" ")
        try page.wait(for: "document.querySelector('.attention').innerText.includes('Bright places')")
        visit.expectNoProblems()
    }

    @Test func whatIsAmissIsSaid() throws {
        let visit = try PageVisit()
        let page = visit.page
        try page.setFiles("#files", Array(visit.clips.map(\.path).prefix(1)))
        try page.wait(forCount: 1, of: "#unsorted .clip")
        _ = visit.server.stop()
        try page.click("#new-class")
        try page.type("walking")
        try page.press("Enter")
        try page.waitToSee(".notices .error")
        #expect(try page.text(".notices .error").contains("The server does not answer."))
        #expect(try page.evaluate("document.querySelector('#new-class').value") as? String == "walking", "what was typed is not lost")
        try page.look(at: "amiss")
    }

    @Test func theTokenIsAskedForWhenItIsMissing() throws {
        let token = "a-token-of-many-characters"
        let visit = try PageVisit(["--token", token])
        let page = visit.page
        #expect(try page.evaluate("location.search") as? String == "", "the token does not stay in the address")
        #expect(try page.text("#drop-words").contains("Drop your videos"))
        try page.forgetCookies()
        try page.setFiles("#files", [visit.clips[0].path])
        try page.waitToSee("dialog input[type=password]")
        try page.look(at: "token")
        try page.type(token)
        try page.press("Enter")
        try page.wait(for: "document.documentElement.dataset.state === 'ready' && !document.querySelector('dialog')")
        visit.expectNoProblems(but: "401")
    }
}
