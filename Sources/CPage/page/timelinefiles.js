// A timeline as subtitles and as a table, in the forms that `vifi-prompt predict` writes.

import { isNamed } from "./api.js"

/** SubRip; nothing is shown where the answer is none of the classes. */
export function timelineSubtitles({ segments }) {
  const stamp = seconds => {
    const milliseconds = Math.round(seconds * 1000)
    const two = number => String(number).padStart(2, "0")
    return `${two(Math.floor(milliseconds / 3_600_000))}:${two(Math.floor(milliseconds / 60_000) % 60)}:${two(Math.floor(milliseconds / 1000) % 60)},${String(milliseconds % 1000).padStart(3, "0")}`
  }
  return segments.filter(segment => isNamed(segment.answer)).map(({ start, end, answer }, index) =>
    `${index + 1}\n${stamp(start)} --> ${stamp(end)}\n${answer.class.replaceAll("-->", "→")} (${Math.round(answer.probability * 100)} %)\n\n`).join("")
}

/** A row for each window. */
export function timelineCSV({ video, prompts, windows }) {
  const field = value => /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value)
  const rows = windows.map(({ start, end, answer, scores }) =>
    [video, prompts ?? "", start, end, answer.class, answer.probability ?? "", scores[0]?.class ?? "", scores[0]?.probability ?? ""].map(field).join(","))
  return ["video,prompts,start,end,answer,probability,best_class,best_probability", ...rows, ""].join("\n")
}
