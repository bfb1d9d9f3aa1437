import Foundation
import Testing

/// A page in a browser, and what a person does with it.
final class BrowserPage {
    let browser: Browser
    private let session: String
    /// The window that it lies in.
    private let context: String

    /// Opens an address in a window of its own, which shares nothing with others.
    ///
    /// - Parameter seconds: how long the page may take to be ready, which it says by `data-state` at its root.
    init(_ browser: Browser, _ address: String, width: Int = 1600, height: Int = 1000, isDark: Bool = false, seconds: Double = 30) throws {
        self.browser = browser
        context = try browser.call("Target.createBrowserContext")["browserContextId"] as? String ?? ""
        let target = try browser.call("Target.createTarget", ["url": "about:blank", "browserContextId": context])["targetId"] as? String ?? ""
        session = try browser.call("Target.attachToTarget", ["targetId": target, "flatten": true])["sessionId"] as? String ?? ""
        for domain in ["Runtime", "Log", "Page", "DOM"] { try call("\(domain).enable") }
        try resize(width, height)
        try setScheme(isDark: isDark)
        try open(address, seconds: seconds)
    }

    @discardableResult
    private func call(_ method: String, _ parameters: [String: Any] = [:]) throws -> [String: Any] {
        try browser.call(method, parameters, session: session)
    }

    func open(_ address: String, seconds: Double = 30) throws {
        try call("Page.navigate", ["url": address])
        try wait(for: "location.href !== 'about:blank' && document.documentElement.dataset.state", seconds: seconds)
    }

    func reload() throws {
        try evaluate("delete document.documentElement.dataset.state")
        try call("Page.reload")
        try wait(for: "document.documentElement.dataset.state === 'ready'")
    }

    func resize(_ width: Int, _ height: Int) throws {
        try call("Emulation.setDeviceMetricsOverride", ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": false])
    }

    /// What a person answers when the browser asks whether the page may use the camera.
    func permitCamera(_ isAllowed: Bool) throws {
        let setting = isAllowed ? "granted" : "denied"
        try browser.call("Browser.setPermission", ["permission": ["name": "camera"], "setting": setting, "browserContextId": context])
    }

    func forgetCookies() throws { try call("Network.clearBrowserCookies") }

    /// Light or dark; without motion, so that nothing has to be waited for.
    func setScheme(isDark: Bool) throws {
        let features = [["name": "prefers-color-scheme", "value": isDark ? "dark" : "light"], ["name": "prefers-reduced-motion", "value": "reduce"]]
        try call("Emulation.setEmulatedMedia", ["features": features])
    }

    // MARK: Looking

    /// The value of an expression; promises are waited for.
    @discardableResult
    func evaluate(_ expression: String) throws -> Any? {
        let answer = try call("Runtime.evaluate", ["expression": expression, "awaitPromise": true, "returnByValue": true])
        if let details = answer["exceptionDetails"] as? [String: Any] {
            let exception = details["exception"] as? [String: Any]
            throw Browser.Fault(description: "\(expression): \(exception?["description"] ?? details["text"] ?? "an exception")")
        }
        return (answer["result"] as? [String: Any])?["value"]
    }

    /// The text of the first element that is found, with single blanks; empty where there is none.
    func text(_ selector: String) throws -> String {
        try evaluate("(document.querySelector(\(quoted(selector)))?.innerText ?? '').replace(/\\s+/g, ' ').trim()") as? String ?? ""
    }

    /// How many elements are found that can be seen.
    func count(_ selector: String) throws -> Int {
        try evaluate("[...document.querySelectorAll(\(quoted(selector)))].filter(element => element.checkVisibility()).length") as? Int ?? 0
    }

    /// What has the focus: its id, else its label, else its words.
    func focus() throws -> String {
        try evaluate("(e => e.id || e.getAttribute('aria-label') || e.innerText || e.tagName)(document.activeElement)") as? String ?? ""
    }

    /// Waits until an expression is true.
    func wait(for condition: String, seconds: Double = 60, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while Date() < deadline {
            // A page that is being left has nothing to evaluate in.
            if (try? evaluate("Boolean(\(condition))")) as? Bool == true { return }
            usleep(30_000)
        }
        let shown = (try? evaluate("document.body.innerText.slice(0, 3000)")) as? String ?? ""
        Issue.record("Waited \(seconds) s in vain for \(condition). The page says: \(shown)", sourceLocation: sourceLocation)
        throw Browser.Fault(description: "waited in vain for \(condition)")
    }

    /// Waits until an element can be seen.
    func waitToSee(_ selector: String, seconds: Double = 60, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try wait(for: "document.querySelector(\(quoted(selector)))?.checkVisibility()", seconds: seconds, sourceLocation: sourceLocation)
    }

    /// Waits until so many elements are found.
    func wait(forCount count: Int, of selector: String, seconds: Double = 60, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try wait(for: "document.querySelectorAll(\(quoted(selector))).length === \(count)", seconds: seconds, sourceLocation: sourceLocation)
    }

    /// Errors and warnings of the console, exceptions, and what the content security policy forbade.
    func takeProblems() -> [String] {
        browser.takeEvents(of: session).compactMap { event in
            switch event.method {
            case "Runtime.exceptionThrown":
                let details = event.parameters["exceptionDetails"] as? [String: Any]
                return "exception: \((details?["exception"] as? [String: Any])?["description"] ?? details?["text"] ?? "")"
            case "Runtime.consoleAPICalled":
                guard let kind = event.parameters["type"] as? String, ["error", "warning", "assert"].contains(kind) else { return nil }
                return "console.\(kind): \(event.parameters["args"] ?? "")"
            case "Log.entryAdded":
                let entry = event.parameters["entry"] as? [String: Any]
                guard let level = entry?["level"] as? String, ["error", "warning"].contains(level) else { return nil }
                return "\(level): \(entry?["text"] ?? "") \(entry?["url"] ?? "")"
            default: return nil
            }
        }
    }

    /// The whole page as a PNG file.
    func screenshot(to path: String) throws {
        let metrics = try call("Page.getLayoutMetrics")["cssContentSize"] as? [String: Any]
        let clip: [String: Any] = ["x": 0, "y": 0, "width": metrics?["width"] ?? 1600, "height": metrics?["height"] ?? 1000, "scale": 1]
        let answer = try call("Page.captureScreenshot", ["format": "png", "captureBeyondViewport": true, "clip": clip])
        let bytes = (answer["data"] as? String).flatMap { Data(base64Encoded: $0) } ?? Data()
        try bytes.write(to: URL(fileURLWithPath: path))
    }

    // MARK: Doing

    /// Clicks an element where it lies, as a mouse does: what covers it gets the click.
    func click(_ selector: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try waitToSee(selector, sourceLocation: sourceLocation)
        let place = try evaluate("""
            (() => {
              const element = document.querySelector(\(quoted(selector)))
              element.scrollIntoView({ block: "center" })
              const box = element.getBoundingClientRect()
              return element.disabled ? null : [box.x + box.width / 2, box.y + box.height / 2]
            })()
            """) as? [Double]
        guard let place, place.count == 2 else { throw Browser.Fault(description: "\(selector) is disabled.") }
        for kind in ["mousePressed", "mouseReleased"] {
            try call("Input.dispatchMouseEvent", ["type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1])
        }
    }

    /// Drags one element onto another.
    func drag(_ selector: String, to target: String) throws {
        // The browser's own dragging needs a screen; these are the events that it would send.
        try evaluate("""
            (() => {
              const [from, to] = [\(quoted(selector)), \(quoted(target))].map(selector => document.querySelector(selector))
              const dataTransfer = new DataTransfer()
              const send = (element, type) => element.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }))
              send(from, "dragstart")
              if (send(to, "dragover")) throw new Error("nothing may be dropped there")
              send(to, "drop")
              send(from, "dragend")
            })()
            """)
    }

    /// Drops files and folders of the machine onto an element.
    func drop(_ paths: [String], on selector: String) throws {
        let place = try evaluate("""
            (() => {
              const element = document.querySelector(\(quoted(selector)))
              element.scrollIntoView({ block: "center" })
              const box = element.getBoundingClientRect()
              return [box.x + box.width / 2, box.y + Math.min(box.height / 2, 60)]
            })()
            """) as? [Double] ?? [0, 0]
        let data: [String: Any] = ["items": [[String: Any]](), "files": paths, "dragOperationsMask": 1]
        for kind in ["dragEnter", "dragOver", "drop"] {
            try call("Input.dispatchDragEvent", ["type": kind, "x": place[0], "y": place[1], "data": data])
        }
    }

    /// Chooses files in a file input.
    func setFiles(_ selector: String, _ paths: [String]) throws {
        let root = try call("DOM.getDocument")["root"] as? [String: Any]
        let node = try call("DOM.querySelector", ["nodeId": root?["nodeId"] ?? 0, "selector": selector])["nodeId"] ?? 0
        try call("DOM.setFileInputFiles", ["nodeId": node, "files": paths])
    }

    /// Chooses in a select as a person does: it is turned to first.
    func choose(_ selector: String, _ value: String) throws {
        try evaluate("""
            (() => {
              const menu = document.querySelector(\(quoted(selector)))
              menu.focus()
              menu.value = \(quoted(value))
              if (menu.value !== \(quoted(value))) throw new Error("there is no such choice")
              menu.dispatchEvent(new Event("change", { bubbles: true }))
            })()
            """)
    }

    /// Presses a key by its name in the DOM: "Tab", "Enter", "a", " ".
    func press(_ key: String) throws {
        let codes = [
            "Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
            "Delete": 46,
        ]
        var parameters: [String: Any] = ["type": "keyDown", "key": key]
        parameters["windowsVirtualKeyCode"] = codes[key] ?? Int(key.uppercased().utf8.first ?? 0)
        if key == "Enter" { parameters["text"] = "\r" } else if key.count == 1 { parameters["text"] = key }
        try call("Input.dispatchKeyEvent", parameters)
        parameters["type"] = "keyUp"
        parameters["text"] = nil
        try call("Input.dispatchKeyEvent", parameters)
    }

    func type(_ text: String) throws { try call("Input.insertText", ["text": text]) }

    /// Presses the tabulator until the element has the focus.
    func tab(to selector: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for _ in 0..<200 {
            try press("Tab")
            if try evaluate("document.activeElement.matches(\(quoted(selector)))") as? Bool == true { return }
        }
        Issue.record("The tabulator does not reach \(selector).", sourceLocation: sourceLocation)
        throw Browser.Fault(description: "the tabulator does not reach \(selector)")
    }

    /// Text as JavaScript writes it.
    private func quoted(_ text: String) -> String {
        let data = (try? JSONSerialization.data(withJSONObject: text, options: .fragmentsAllowed)) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }
}
