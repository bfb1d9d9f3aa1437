// The answer for a video: its class or its timeline, the player, what it can be saved as, and putting it right.

import { isNamed } from "./api.js"
import { attentionControl } from "./attention.js"
import { button, hue, make, select } from "./dom.js"
import { announce } from "./notices.js"
import { makePlayer } from "./player.js"
import { store } from "./store.js"
import { download, timelineCSV, timelineSubtitles } from "./textfiles.js"
import { makeTimeline } from "./timeline.js"
import { teach } from "./uploads.js"
import { clock, count, listed, percent } from "./words.js"

/**
 * Fills the box.
 *
 * @param video that was asked about.
 * @param answer of the server, with `asking`: the settings that it was asked with.
 * @param classes that could be answered.
 */
export function showAnswer(box, video, answer, classes) {
  const player = makePlayer(video)
  const colors = colorsOf(classes)
  const isTimeline = answer.segments !== undefined
  const timeline = isTimeline ? makeTimeline(answer, colors, player) : null
  box.replaceChildren(make("div", { class: "answer-box" },
    make("div", { class: "watch" }, player.element, timeline?.strip, attentionControl(video, answer, classes, player)),
    make("div", { class: "read" },
      isTimeline ? timelineWords(answer, timeline, video) : wholeWords(answer, colors),
      correction(video, answer))))
}

/** These classes in the order of their colors: those of the open data set keep the color that they have on the board. */
export const colorsOf = classes => [...new Set([...(store.set?.classes ?? []), ...classes])]

function wholeWords({ answer, scores }, colors) {
  const verdict = isNamed(answer)
    ? [make("span", { class: `swatch ${hue(colors.indexOf(answer.class))}` }), `${answer.class}, ${percent(answer.probability)} sure`] : ["None of these"]
  return make("div", {},
    make("p", { class: "verdict" }, ...verdict),
    make("ul", { class: "bars", "aria-label": "The likeliest classes" }, scores.map(score =>
      make("li", {}, make("span", { class: "name" }, score.class),
        make("meter", { min: 0, max: 1, value: score.probability, "aria-label": `${score.class}: ${percent(score.probability)}` }),
        make("span", { class: "figure" }, percent(score.probability))))))
}

function timelineWords(answer, timeline, video) {
  const named = answer.segments.filter(segment => isNamed(segment.answer))
  const found = [...new Set(named.map(segment => segment.answer.class))]
  const words = found.length === 0 ? "None of these, from beginning to end."
    : `${count(answer.segments.length, "part")} in ${clock(answer.seconds, true)}: ${listed(found.slice(0, 4))}${found.length > 4 ? " and others" : ""}.`
  const stem = video.name.replace(/\.[^.]*$/, "")
  return make("div", {},
    make("p", { class: "verdict" }, words), timeline.list,
    make("div", { class: "row" },
      button("Subtitles (SRT)", () => download(timelineSubtitles(answer), `${stem}.srt`, "application/x-subrip"), { id: "download-srt" }),
      button("Table (CSV)", () => download(timelineCSV(answer), `${stem}.csv`, "text/csv"), { id: "download-csv" })))
}

/** A wrong answer becomes a clip of the right class. */
function correction(video, answer) {
  // The data set that the clip is of may be another than the one that is open by now.
  const set = video.set ?? store.set?.id
  const classes = (set === store.set?.id ? store.set : store.sets.find(other => other.id === set))?.classes ?? []
  if (classes.length === 0 || answer.segments !== undefined) return null
  const menu = select([["", "choose its class …"], ...classes.map(name => [name, name])], "", { id: "right-class" })
  let isBusy = false
  const put = async () => {
    const name = menu.value
    if (name === "") return menu.focus()
    if (isBusy) return
    isBusy = true
    const isThere = await (video.file ? teach(video.file, name, set) : store.moveClips([video.clip], name, set))
    isBusy = false
    // Otherwise the reason is shown where clips are sent, or as a message.
    if (!isThere) return
    announce(`${video.name} is now a clip of ${name}. Learn again to make use of it.`)
    box.replaceChildren(make("p", { role: "status" }, `${video.name} is now a clip of ${name}. `, make("a", { href: "#learn" }, "Learn again"), " to make use of it."))
  }
  const box = make("div", { class: "correction" },
    make("p", { class: "hint" }, "Wrong? Teach it:"),
    make("div", { class: "row" }, make("label", { for: "right-class" }, "This is"), menu, button(video.file ? "Add to the clips" : "Put it right", put)))
  return box
}
