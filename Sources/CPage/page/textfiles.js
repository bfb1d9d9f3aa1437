// What the page saves as files of the person's own: tables and subtitles, in the forms that `vifi-prompt predict` writes.

import { isNamed } from "./api.js"
import { make } from "./dom.js"

/** Saves text as a file. */
export function download(text, name, type) {
  const url = URL.createObjectURL(new Blob([text], { type }))
  make("a", { href: url, download: name }).click()
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

const csv = rows => rows.map(row => `${row.map(csvField).join(",")}\n`).join("")

const csvField = value => /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value)

/**
 * The answers to held-out clips.
 *
 * @param nameOf gives the name of a clip by its id.
 */
export const heldOutCSV = (held, nameOf) => csv([
  ["video", "class", "answer", "probability"],
  ...held.clips.map(item => [nameOf(item.clip), item.class, item.predicted, item.probability]),
])

/** A timeline with a row for each window. */
export const timelineCSV = ({ video, prompts, windows }) => csv([
  ["video", "prompts", "start", "end", "answer", "probability", "best_class", "best_probability"],
  ...windows.map(({ start, end, answer, scores }) =>
    [video, prompts ?? "", start, end, answer.class, answer.probability ?? "", scores[0]?.class ?? "", scores[0]?.probability ?? ""]),
])

/** A timeline as SubRip; nothing is shown where the answer is none of the classes. */
export function timelineSubtitles({ segments }) {
  const stamp = seconds => {
    const milliseconds = Math.round(seconds * 1000)
    const two = number => String(number).padStart(2, "0")
    return `${two(Math.floor(milliseconds / 3_600_000))}:${two(Math.floor(milliseconds / 60_000) % 60)}:${two(Math.floor(milliseconds / 1000) % 60)},${String(milliseconds % 1000).padStart(3, "0")}`
  }
  return segments.filter(segment => isNamed(segment.answer)).map(({ start, end, answer }, index) =>
    `${index + 1}\n${stamp(start)} --> ${stamp(end)}\n${answer.class.replaceAll("-->", "→")} (${Math.round(answer.probability * 100)} %)\n\n`).join("")
}
