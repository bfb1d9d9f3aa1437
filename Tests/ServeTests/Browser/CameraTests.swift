import Foundation
import TestSupport
import Testing

/// The camera of the page: Chromium's own, which shows a clock and a disk that is eaten up.
extension PageTests {
    /// Keeps every question about a piece and its answer, and does with the next ones what `window.mode` says.
    private static let listening = """
        (() => {
          const send = window.fetch
          Object.assign(window, { mode: "", asked: 0, stopped: 0, told: [] })
          window.fetch = async (path, options) => {
            if (!String(path).startsWith("/v1/predict")) return send(path, options)
            window.asked += 1
            if (window.mode === "busy") {
              const body = JSON.stringify({ error: { code: "busy", message: "Too many videos are waiting." } })
              return new Response(body, { status: 503, headers: { "Retry-After": "3" } })
            }
            if (window.mode === "slow") await new Promise((_, fail) => options.signal.addEventListener("abort", () => { window.stopped += 1; fail(options.signal.reason) }))
            const answer = await send(path, options)
            window.told.push({ piece: options.body, answer: await answer.clone().json() })
            return answer
          }
        })()
        """

    private static func state(_ name: String) -> String { "document.querySelector('#camera').dataset.state === '\(name)'" }

    /// A page with names of classes that may use the camera.
    private func visitWithCamera() throws -> PageVisit {
        let visit = try PageVisit()
        try visit.page.permitCamera(true)
        try visit.page.evaluate(Self.listening)
        try visit.page.click("#try-names")
        try visit.page.type(ServedVideos.classNames.joined(separator: ", "))
        return visit
    }

    private func switchOn(_ page: BrowserPage) throws {
        try page.click("#use-camera")
        try page.wait(for: Self.state("live"))
    }

    @Test func theCameraIsAnsweredPieceByPiece() throws {
        let visit = try visitWithCamera()
        let page = visit.page
        #expect(try page.count("#camera") == 0)
        // Looking at the page in other sizes may push the camera out of sight.
        try page.evaluate("(() => { window.IntersectionObserver = class { observe() {} disconnect() {} } })()")
        try switchOn(page)
        #expect(try page.focus() == "camera-stop")
        #expect(try page.evaluate("document.querySelector('#camera-picture').srcObject.getAudioTracks().length") as? Int == 0)
        try page.wait(for: "document.querySelectorAll('#camera-latest li').length >= 3")
        try page.look(at: "camera")

        // What is shown is what the server said, the newest first.
        let shown = try page.evaluate("[...document.querySelectorAll('#camera-latest li')].map(row => [row.querySelector('.name').textContent, row.querySelector('.figure').textContent]).reverse()")
        let told = try page.evaluate("window.told.map(({ answer: { answer } }) => [answer.class, `${Math.round(100 * answer.probability)}\\u00a0%`])")
        let (rows, answers) = (try #require(shown as? [[String]]), try #require(told as? [[String]]))
        #expect(rows.count >= 3 && Array(answers.prefix(rows.count)) == rows)
        #expect(try ServedVideos.classNames.contains(page.text("#camera-answer .name")))

        // Each piece is a video by itself, and decoded to its last picture.
        let url = try #require(try page.evaluate("""
            new Promise(resolve => {
              const reader = new FileReader()
              reader.onload = () => resolve(reader.result.split(",")[1])
              reader.readAsDataURL(window.told[1].piece)
            })
            """) as? String)
        let piece = try #require(Data(base64Encoded: url))
        let program = visit.server.program
        try piece.write(to: URL(fileURLWithPath: program.folder.path("piece.webm")))
        let count = try program.shell("ffprobe -v error -count_frames -select_streams v -show_entries stream=nb_read_frames -of csv=p=0 piece.webm").output
        let report = try program.run(["inspect", "piece.webm", "--json"]).output
        let video = (try JSONSerialization.jsonObject(with: Data(report.utf8)) as? [String: Any])?["video"] as? [String: Any]
        #expect(video?["frames"] as? Int == Int(count.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(video?["warnings"] as? [String] == [])

        // Settings hold for the next piece.
        try page.evaluate("(slider => { slider.value = 100; slider.dispatchEvent(new Event('input')) })(document.querySelector('#try-threshold'))")
        try page.wait(for: "document.querySelector('#camera-answer .name').textContent === 'None of these'")

        try page.evaluate("(() => { window.track = document.querySelector('#camera-picture').srcObject.getVideoTracks()[0] })()")
        try page.click("#camera-stop")
        #expect(try page.evaluate("\(Self.state("stopped")) && window.track.readyState === 'ended' && document.querySelector('#camera-picture').srcObject === null") as? Bool == true)
        #expect(try page.text("#camera-message") == "The camera is off.")
        #expect(try page.focus() == "use-camera", "the focus does not get lost")
        let asked = try page.evaluate("window.asked") as? Int
        usleep(3_000_000)
        #expect(try page.evaluate("window.asked") as? Int == asked, "nothing is asked any more")
        try page.look(at: "camera-stopped")
        #expect((try visit.json("/v1/datasets")["data_sets"] as? [Any])?.count == 0, "nothing was kept")
        visit.expectNoProblems()
    }

    @Test func thePageSaysWhyThereIsNoCamera() throws {
        let visit = try PageVisit()
        let page = visit.page
        func refused(_ words: String, after preparation: String? = nil, sourceLocation: SourceLocation = #_sourceLocation) throws {
            if let preparation { try page.evaluate("(() => { \(preparation) })()") }
            try page.evaluate("document.querySelector('#camera').dataset.state = ''")
            try page.click("#use-camera")
            try page.wait(for: Self.state("failed"), sourceLocation: sourceLocation)
            #expect(try page.text("#camera-message").contains(words), sourceLocation: sourceLocation)
        }
        try page.permitCamera(false)
        try refused("The camera is not allowed. Allow it for this page")
        try page.look(at: "camera-denied")
        // What a device without a camera, or with one that is in use, makes the browser say.
        for (name, words) in [
            ("NotFoundError", "There is no camera. Plug one in"), ("NotReadableError", "Another program may have it"), ("OddError", "The browser says: Odd."),
        ] {
            try refused(words, after: "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('Odd.', '\(name)'))")
        }
        try refused("cannot record", after: "window.recorder = window.MediaRecorder; delete window.MediaRecorder")
        try refused(
            "open http://127.0.0.1:\(visit.server.port)/ instead",
            after: "window.MediaRecorder = window.recorder; Object.defineProperty(window, 'isSecureContext', { value: false, configurable: true })")
        try page.look(at: "camera-insecure")

        // Whoever stops while the browser asks is not looked at when it is allowed later.
        try page.permitCamera(true)
        try page.evaluate("""
            (() => {
              Object.defineProperty(window, "isSecureContext", { value: true, configurable: true })
              const gate = new Promise(open => { window.openGate = open })
              delete navigator.mediaDevices.getUserMedia
              const give = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices)
              navigator.mediaDevices.getUserMedia = async wishes => { await gate; return window.stream = await give(wishes) }
            })()
            """)
        try page.click("#use-camera")
        try page.wait(for: Self.state("asking"))
        try page.look(at: "camera-asking")
        try page.click("#camera-stop")
        try page.evaluate("window.openGate()")
        try page.wait(for: "window.stream?.getVideoTracks()[0].readyState === 'ended'")
        #expect(try page.evaluate(Self.state("stopped")) as? Bool == true)
        visit.expectNoProblems()
    }

    @Test func piecesAreLeftOutWhileTheServerIsBusy() throws {
        let visit = try visitWithCamera()
        let page = visit.page
        try page.evaluate("window.mode = 'busy'")
        try switchOn(page)
        try page.choose("#try-window", "1s")
        try page.wait(for: "document.querySelector('#camera-fault').textContent === 'The server is busy; it is asked again in 3 seconds.'")
        try page.evaluate("window.mode = ''")
        try page.wait(for: "document.querySelectorAll('#camera-latest li').length > 0 && document.querySelector('#camera-fault').textContent === ''")
        try page.wait(for: "document.querySelector('#camera-tally').textContent.includes('left out: the server was still busy')")

        // While one question is on its way, no other is sent, and of those that come the newest waits.
        try page.evaluate("(() => { Object.assign(window, { mode: 'slow', asked: 0 }) })()")
        try page.wait(for: "window.asked === 1")
        let leftOut = "(parseInt(document.querySelector('#camera-tally').textContent) || 0)"
        let before = try #require(try page.evaluate(leftOut) as? Int)
        try page.wait(for: "\(leftOut) >= \(before) + 2")
        #expect(try page.evaluate("window.asked") as? Int == 1)
        try page.look(at: "camera-busy")
        try page.click("#camera-stop")
        #expect(try page.evaluate("window.stopped") as? Int == 1)

        try page.evaluate("window.mode = ''")
        try switchOn(page)
        _ = visit.server.stop()
        try page.wait(for: Self.state("failed"))
        #expect(try page.text("#camera-message").hasPrefix("The camera is off. The server does not answer."))
    }

    @Test func theCameraGoesOffByItself() throws {
        let visit = try visitWithCamera()
        let page = visit.page
        try switchOn(page)
        try page.evaluate("document.querySelector('#camera-picture').srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))")
        #expect(try page.text("#camera-message").hasPrefix("The camera has gone"))
        try switchOn(page)
        try page.evaluate("""
            Object.defineProperty(document, "hidden", { value: true, configurable: true })
            document.dispatchEvent(new Event("visibilitychange"))
            delete document.hidden
            """)
        #expect(try page.text("#camera-message") == "The camera was switched off, because the page was out of sight.")
        try page.resize(1600, 400)
        try switchOn(page)
        try page.evaluate("scrollTo(0, 0)")
        try page.wait(for: Self.state("stopped"))
        #expect(try page.text("#camera-message") == "The camera was switched off, because this part of the page was out of sight.")
        try page.resize(1600, 1000)
        try switchOn(page)
        try page.setFiles("#try-file", [visit.clips[0].path])
        try page.wait(for: "!document.querySelector('#recognize').disabled && document.querySelector('#camera').hidden")
        #expect(try page.evaluate("document.querySelector('#camera-picture').srcObject === null") as? Bool == true)
        visit.expectNoProblems()
    }

    @Test func whatTheCameraSawBecomesAClip() throws {
        let visit = try visitWithCamera()
        let page = visit.page
        try visit.unsortedClips(1, classes: ["walking", "standing still"])
        try switchOn(page)
        try page.waitToSee("#camera-keep")
        try page.click("#camera-keep")
        #expect(try page.focus() == "camera-class", "the class is asked for")
        try page.choose("#camera-class", "standing still")
        try page.click("#camera-keep")
        try page.waitToSee("[data-class='standing still'] .clip")
        try page.wait(for: "document.querySelector('#camera .keeper').innerText.includes('is now a clip of standing still.')")
        #expect(try page.evaluate(Self.state("live")) as? Bool == true)
        let clips = try #require(try visit.openSet()["clips"] as? [[String: Any]])
        let clip = try #require(clips.first { $0["class"] as? String == "standing still" })
        #expect((clip["name"] as? String)?.wholeMatch(of: /camera \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d\.webm/) != nil)
        #expect((clip["seconds"] as? Double ?? 0) > 0 && clip["width"] as? Int == 640)
        visit.expectNoProblems()
    }
}
