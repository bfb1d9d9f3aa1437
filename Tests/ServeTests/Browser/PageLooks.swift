import Foundation
import Testing

extension BrowserPage {
    /// Looks at the page as it is now: narrow and wide, light and dark.
    ///
    /// Text must stand out from its ground (WCAG 2.2, 1.4.3), controls must have names (4.1.2) and be at least 24 pixels
    /// high (2.5.8), ids must be given once, and nothing may reach beyond the sides.
    ///
    /// - Parameter state: names the pictures, which are written to the folder `VIFI_PROMPT_SCREENSHOTS`, if it is set.
    func look(at state: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for (width, height) in [(360, 740), (1600, 1000)] {
            for isDark in [false, true] {
                try resize(width, height)
                try setScheme(isDark: isDark)
                let name = "\(state)-\(width)-\(isDark ? "dark" : "light")"
                let faults = try evaluate(Self.faults) as? [String] ?? ["nothing could be looked at"]
                #expect(faults.isEmpty, "\(name)", sourceLocation: sourceLocation)
                if let folder = ProcessInfo.processInfo.environment["VIFI_PROMPT_SCREENSHOTS"] { try screenshot(to: "\(folder)/\(name).png") }
            }
        }
        try setScheme(isDark: false)
    }

    /// An expression whose value is a line for each fault.
    private static let faults = #"""
        (() => {
          const faults = []
          const channels = text => { const numbers = text.match(/[\d.]+/g).map(Number); return [numbers[0], numbers[1], numbers[2], numbers[3] ?? 1] }
          const luminance = color => {
            const linear = color.slice(0, 3).map(value => value / 255).map(value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
          }
          const ground = element => {
            let sum = [0, 0, 0, 0]
            for (; element && sum[3] < 0.99; element = element.parentElement) {
              const color = channels(getComputedStyle(element).backgroundColor), share = (1 - sum[3]) * color[3]
              sum = [0, 1, 2].map(index => sum[index] + share * color[index]).concat(sum[3] + share)
            }
            return sum
          }
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
          for (let node; (node = walker.nextNode());) {
            const element = node.parentElement
            if (!node.data.trim() || !element.checkVisibility() || element.closest("option, noscript, .unseen, .skip, :disabled")) continue
            const style = getComputedStyle(element)
            const [light, dark] = [luminance(channels(style.color)), luminance(ground(element))].sort((a, b) => b - a)
            const pixels = parseFloat(style.fontSize), isLarge = pixels >= 24 || (pixels >= 18.66 && style.fontWeight >= 700)
            const ratio = (light + 0.05) / (dark + 0.05)
            if (ratio < (isLarge ? 3 : 4.5)) faults.push(`contrast of ${ratio.toFixed(2)}: ${node.data.trim().slice(0, 40)}`)
          }
          const controls = [...document.querySelectorAll("button, a, select, input, textarea, meter, progress, dialog")].filter(element => element.checkVisibility())
          for (const element of controls) {
            const words = element.matches("select, input, textarea") ? "" : element.textContent.trim()
            if (!element.getAttribute("aria-label") && !element.getAttribute("aria-labelledby") && !words && !element.labels?.length) faults.push(`no name: ${element.outerHTML.slice(0, 80)}`)
            const isDrawnSmall = element.matches("a:not(.button), meter, progress, [type=checkbox], [type=radio], [type=range]")
            if (!isDrawnSmall && element.getBoundingClientRect().height < 24) faults.push(`too low to hit: ${element.outerHTML.slice(0, 80)}`)
          }
          const ids = [...document.querySelectorAll("[id]")].map(element => element.id)
          for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`the id ${id} is given twice`)
          const excess = document.documentElement.scrollWidth - document.documentElement.clientWidth
          if (excess > 0) faults.push(`${excess} pixels too wide`)
          return [...new Set(faults)]
        })()
        """#
}
