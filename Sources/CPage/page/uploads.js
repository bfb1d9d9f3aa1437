// Sending clips: two at a time, each with its progress; what fails says why and can be tried again.

import * as api from "./api.js"
import { button, byID, make } from "./dom.js"
import { announce, attempt, notify } from "./notices.js"
import { sorted } from "./files.js"
import { store } from "./store.js"
import { bytes, count, percent } from "./words.js"

const atOnce = 2

/** Each has `file`, `class`, `set`, `state` ("waiting", "sending", "failed"), `fraction`, `message` and its row. */
let items = []
/** Of the batch that is under way. */
let arrived = 0

/**
 * Adds what was dropped or chosen.
 *
 * @param found from `droppedFiles` or `chosenFiles`.
 * @param className the class of all of them, where they were dropped on one.
 */
export async function addVideos(found, className = null) {
  const { videos, skipped, name } = sorted(found)
  if (videos.length === 0) {
    notify(skipped > 0 ? "There is no video among these files." : "There are no files in this folder.", { kind: "error" })
    return
  }
  const hasFolders = className === null && videos.some(video => video.class !== null)
  const set = await attempt(() => store.someSet(hasFolders && name ? name : undefined))
  if (!set) return
  // All classes first: their order is that of the folders, not that of the uploads.
  const classes = className === null ? videos.map(video => video.class).filter(name => name !== null) : []
  if (classes.length > 0 && await attempt(() => store.addClasses(classes)) === undefined) return

  // A clip that is there twice would be learned from and tested with at once.
  const isKnown = file => store.set.clips.some(clip => clip.name === file.name && clip.bytes === file.size)
    || items.some(item => item.set === set.id && item.file.name === file.name && item.file.size === file.size)
  let known = 0
  for (const video of videos) {
    if (isKnown(video.file)) known += 1
    else enqueue({ file: video.file, class: className ?? video.class, set: set.id })
  }
  const left = [known > 0 && `${count(known, "clip")} ${known === 1 ? "was" : "were"} there already`, skipped > 0 && `${count(skipped, "other file")} ${skipped === 1 ? "is" : "are"} no video`].filter(Boolean)
  if (left.length > 0) notify(`Left out: ${left.join("; ")}.`)
  work()
}

function enqueue(item) {
  Object.assign(item, { state: "waiting", fraction: 0, message: null })
  const limit = store.server?.limits.video_bytes
  if (limit && item.file.size > limit) {
    item.state = "failed"
    item.isFinal = true
    item.message = `The file has ${bytes(item.file.size)}; this server takes videos of up to ${bytes(limit)}. Cut a shorter clip from it.`
  }
  item.row = row(item)
  items.push(item)
}

function work() {
  while (items.filter(item => item.state === "sending").length < atOnce) {
    const next = items.find(item => item.state === "waiting")
    if (!next) break
    send(next)
  }
  show()
}

async function send(item) {
  item.state = "sending"
  const { finished, stop } = api.uploadClip(item.set, item.file, item.file.name, item.class, fraction => {
    item.fraction = fraction
    update(item)
  })
  item.stop = stop
  try {
    const clip = await finished
    items = items.filter(other => other !== item)
    item.row.remove()
    arrived += 1
    store.addClip(item.set, clip)
  } catch (error) {
    if (error.code === "stopped") {
      items = items.filter(other => other !== item)
      item.row.remove()
    } else {
      item.state = "failed"
      item.message = error.message
      // Sending the same bytes once more would end the same.
      item.isFinal = ["conflict", "too_large"].includes(error.code)
    }
  }
  work()
  if (!isSending()) await finishBatch()
}

async function finishBatch() {
  const failed = items.filter(item => item.state === "failed").length
  if (arrived > 0 || failed > 0) announce(`${count(arrived, "clip")} added.${failed > 0 ? ` ${count(failed, "file")} could not be added.` : ""}`)
  arrived = 0
  show()
  await attempt(() => store.loadSets())
}

/** The row of a file, filled by `update`. */
function row(item) {
  const element = make("li", { class: "upload" })
  item.row = element
  update(item)
  return element
}

function update(item) {
  // The state that is shown; a row is rebuilt only when it changes, so that the focus stays.
  const state = item.state === "sending" && item.fraction >= 1 ? "checking" : item.state
  if (item.row.dataset.state !== state) {
    item.row.dataset.state = state
    const remove = () => { items = items.filter(other => other !== item); item.row.remove(); work() }
    const again = () => { item.state = "waiting"; item.fraction = 0; update(item); work() }
    item.row.replaceChildren(
      make("span", { class: "name" }, item.file.name),
      state === "failed" ? make("p", { class: "fault" }, item.message)
        : make("progress", { max: 1, "aria-label": `Sending ${item.file.name}` }),
      make("span", { class: "muted" }),
      ...(state === "failed"
        ? [!item.isFinal && button("Try again", again), button("Leave out", remove, { class: "quiet", "aria-label": `Leave out ${item.file.name}` })].filter(Boolean)
        : [button("Stop", () => item.state === "sending" ? item.stop() : remove(), { class: "quiet", "aria-label": `Stop sending ${item.file.name}` })]))
  }
  const bar = item.row.querySelector("progress")
  if (bar && state === "sending") bar.value = item.fraction
  if (bar && state === "waiting") bar.value = 0
  item.row.querySelector(".muted").textContent = { waiting: "waiting", sending: percent(item.fraction), checking: "being looked at", failed: "" }[state]
}

function show() {
  const box = byID("uploads")
  const open = items.filter(item => item.state !== "failed").length
  const failed = items.filter(item => item.state === "failed").length
  if (items.length === 0) return box.replaceChildren()
  let list = box.querySelector("ul")
  if (!list) {
    list = make("ul", { class: "uploads" })
    box.replaceChildren(make("h3", { id: "uploads-title" }), list)
  }
  box.querySelector("h3").textContent = open > 0
    ? `Adding clips: ${arrived} added, ${open} to go` : `${count(failed, "file")} could not be added`
  for (const item of items) {
    update(item)
    if (!item.row.isConnected) list.append(item.row)
  }
}

/** Leaving the page while clips are being sent would lose them. */
export const isSending = () => items.some(item => item.state !== "failed")
