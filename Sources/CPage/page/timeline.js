// The labels beneath a video: a strip of its parts that moves with it, how sure each class was, and the same as a list.

import { button, draw, hue, make } from "./dom.js"
import { isNamed } from "./api.js"
import { clock, percent } from "./words.js"

const words = ({ start, end, answer }) => `${clock(start, true)} to ${clock(end, true)}: ${isNamed(answer) ? `${answer.class}, ${percent(answer.probability)} sure` : "none of these"}`

/**
 * @param colors the classes in the order of their colors.
 * @returns `strip` and `list`, both of which lead to the places in the video.
 */
export function makeTimeline({ seconds, segments, windows }, colors, player) {
  const color = answer => isNamed(answer) ? hue(colors.indexOf(answer.class)) : "hue-none"
  const parts = segments.map((segment, index) => {
    const part = button(isNamed(segment.answer) ? segment.answer.class : "–", () => player.seek(segment.start), {
      class: `part ${color(segment.answer)}`, "aria-label": `Play ${words(segment)}`, title: words(segment), tabindex: index === 0 ? "0" : "-1",
    })
    part.style.left = `${100 * segment.start / seconds}%`
    part.style.width = `${100 * (segment.end - segment.start) / seconds}%`
    return part
  })
  const head = make("div", { class: "playhead", "aria-hidden": "true" })
  const bar = make("div", { class: "parts", role: "toolbar", "aria-label": "Timeline. Arrow keys go from part to part, Enter plays." }, parts, head)
  bar.addEventListener("keydown", event => walk(event, parts))
  const rows = segments.map(segment => make("li", {}, button([
    make("span", { class: "time" }, `${clock(segment.start, true)} – ${clock(segment.end, true)}`),
    make("span", { class: `swatch ${color(segment.answer)}` }),
    make("span", { class: "name" }, isNamed(segment.answer) ? segment.answer.class : "none of these"),
    make("span", { class: "figure" }, isNamed(segment.answer) ? percent(segment.answer.probability) : ""),
  ], () => player.seek(segment.start))))

  player.whenMoved(now => {
    head.style.left = `${100 * Math.min(1, now / seconds)}%`
    segments.forEach((segment, index) => {
      const isNow = now >= segment.start && now < segment.end
      if (isNow === (rows[index].getAttribute("aria-current") === "true")) return
      if (isNow) rows[index].setAttribute("aria-current", "true")
      else rows[index].removeAttribute("aria-current")
    })
  })

  return {
    strip: make("div", { class: "timeline" }, bar, lanes(seconds, windows, colors),
      make("div", { class: "ends", "aria-hidden": "true" }, make("span", {}, clock(0)), make("span", {}, clock(seconds)))),
    list: make("ol", { class: "segments", "aria-label": "Parts of the video" }, rows),
  }
}

function walk(event, parts) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key]
  if (step === undefined) return
  event.preventDefault()
  const from = parts.indexOf(document.activeElement)
  const to = Math.max(0, Math.min(parts.length - 1, from + step))
  for (const part of parts) part.tabIndex = -1
  parts[to].tabIndex = 0
  parts[to].focus()
}

/** How sure each class was over time, for the classes that were ever likely; the strip and the list say it in words. */
function lanes(seconds, windows, colors) {
  const most = new Map()
  for (const { scores } of windows) for (const { class: name, probability } of scores) most.set(name, Math.max(most.get(name) ?? 0, probability))
  const names = [...most].sort((a, b) => b[1] - a[1]).slice(0, 5).map(([name]) => name)
  return make("div", { class: "lanes", "aria-hidden": "true" }, names.map(name => {
    const points = windows.map(({ start, end, scores }) => [(start + end) / 2, scores.find(score => score.class === name)?.probability ?? 0])
    const at = ([time, probability]) => `${(1000 * time / seconds).toFixed(1)},${(22 * (1 - probability)).toFixed(2)}`
    const line = [[0, points[0][1]], ...points, [seconds, points[points.length - 1][1]]]
    return make("div", { class: "lane" }, make("span", { class: "name" }, name),
      draw("svg", { viewBox: "0 0 1000 22", preserveAspectRatio: "none", class: hue(colors.indexOf(name)) },
        draw("polygon", { points: `0,22 ${line.map(at).join(" ")} 1000,22` })))
  }))
}
