// Sending clips: two at a time, each with its progress; what fails says why and can be tried again.

import * as api from "./api.js"
import { button, byID, make } from "./dom.js"
import { announce, attempt, notify } from "./notices.js"
import { sorted } from "./files.js"
import { store } from "./store.js"
import { bytes, count, percent } from "./words.js"

const atOnce = 2
/** How often a clip is sent to a server that is busy. */
const mostTries = 10

/**
 * Each has `file`, `class`, `set`, `state` ("waiting", "sending", "failed"), `fraction`, `message`, `isFinal` (trying
 * again is no use), `tries`, its row, and `end`, which hears the clip that it has become, or null.
 */
let items = []
/** Of the batch that is under way. */
let arrived = 0
/** Runs while the server is busy and wants to be left alone. */
let pause = null

export function startUploads() {
  // Leaving the page would lose what has not been sent.
  addEventListener("beforeunload", event => { if (isSending() || store.isMoving) event.preventDefault() })
  store.addEventListener("renamed", ({ detail: { set, before, after } }) => {
    for (const item of items) if (item.set === set && item.class === before) item.class = after
  })
}

/**
 * Adds what was dropped or chosen.
 *
 * @param found from `droppedFiles` or `chosenFiles`.
 * @param className the class of all of them, where they were dropped on one.
 */
export async function addVideos(found, className = null) {
  const { videos, skipped, name } = sorted(found)
  if (videos.length === 0) {
    notify(skipped > 0 ? "There is no video among these files." : "There are no files in this folder.", { isError: true })
    return
  }
  const hasFolders = className === null && videos.some(video => video.class !== null)
  const set = await attempt(() => store.someSet(hasFolders && name ? name : undefined))
  if (!set) return
  // All classes first: their order is that of the folders, not that of the uploads.
  const classes = className === null ? videos.map(video => video.class).filter(name => name !== null) : []
  if (classes.length > 0 && await attempt(() => store.addClasses(classes)) === undefined) return

  const before = items.length
  let known = 0
  for (const video of videos) {
    if (clipOf(video.file, set.id) || items.some(item => item.set === set.id && isSame(item.file, video.file))) known += 1
    else enqueue({ file: video.file, class: className ?? video.class, set: set.id })
  }
  const left = [known > 0 && `${count(known, "clip")} ${known === 1 ? "was" : "were"} there already`, skipped > 0 && `${count(skipped, "other file")} ${skipped === 1 ? "is" : "are"} no video`].filter(Boolean)
  if (left.length > 0) notify(`Left out: ${left.join("; ")}.`)
  if (items.length > before) announce(`Adding ${count(items.length - before, "clip")}.`)
  work()
}

/**
 * Makes a video a clip of a class; one that is a clip already is moved there.
 *
 * @returns whether it is in the class now; if not, the page says why.
 */
export async function teach(file, className, set) {
  const known = clipOf(file, set)
  if (known) return store.moveClips([known.id], className, set)
  return await new Promise(end => {
    enqueue({ file, class: className, set, end })
    work()
  }) !== null
}

const isSame = (one, other) => one.name === other.name && one.size === other.size

/** The clip that a file is already: one that is there twice would be learned from and tested with at once. */
const clipOf = (file, set) => store.set?.id === set ? store.set.clips.find(clip => clip.name === file.name && clip.bytes === file.size) : undefined

function enqueue(item) {
  Object.assign(item, { state: "waiting", fraction: 0, message: null, isFinal: false, tries: 0, row: make("li", { class: "upload" }) })
  const limit = store.server?.limits.video_bytes
  if (limit && item.file.size > limit) {
    fail(item, `The file has ${bytes(item.file.size)}; this server takes videos of up to ${bytes(limit)}. Cut a shorter clip from it.`, true)
  }
  items.push(item)
}

function fail(item, message, isFinal) {
  Object.assign(item, { state: "failed", message, isFinal })
}

/** Takes an item off the list, with the clip that it has become, if any. */
function leave(item, clip = null) {
  items = items.filter(other => other !== item)
  item.row.remove()
  item.end?.(clip)
}

function work() {
  while (pause === null && items.filter(item => item.state === "sending").length < atOnce) {
    const next = items.find(item => item.state === "waiting")
    if (!next) break
    send(next)
  }
  show()
}

async function send(item) {
  const sentAs = item.class
  item.state = "sending"
  item.tries += 1
  const { finished, stop } = api.uploadClip(item.set, item.file, item.file.name, item.class, fraction => {
    item.fraction = fraction
    update(item)
  })
  item.stop = stop
  try {
    const clip = await finished
    arrived += 1
    store.addClip(item.set, clip)
    leave(item, clip)
    if (item.class !== sentAs) follow(clip, item, sentAs)
  } catch (error) {
    if (error.code === "stopped") leave(item)
    else if (error.code === "busy" && item.tries < mostTries) wait(item, error.seconds ?? 5)
    // Sending the same bytes once more would end the same.
    else fail(item, error.message, ["conflict", "too_large"].includes(error.code))
  }
  work()
  if (!isSending()) await finishBatch()
}

/** Moves a clip whose class was renamed or removed while it was on its way: with it, the server has made that class again. */
async function follow(clip, item, before) {
  await store.moveClips([clip.id], item.class, item.set)
  const isUsed = items.some(other => other.set === item.set && other.class === before) || store.clipsOf(before).length > 0
  if (store.set?.id === item.set && store.set.classes.includes(before) && !isUsed) await attempt(() => store.removeClass(before))
}

/** Sends the clip, and all others, only after these seconds. */
function wait(item, seconds) {
  Object.assign(item, { state: "waiting", fraction: 0 })
  pause ??= setTimeout(() => {
    pause = null
    work()
  }, 1000 * seconds)
}

async function finishBatch() {
  const failed = failures().length
  if (arrived > 0 || failed > 0) announce(`${count(arrived, "clip")} added.${failed > 0 ? ` ${count(failed, "file")} could not be added.` : ""}`)
  arrived = 0
  show()
  await attempt(() => store.loadSets())
}

function tryAgain(failed) {
  for (const item of failed) Object.assign(item, { state: "waiting", fraction: 0, tries: 0 })
  work()
}

/** Brings the row of a file up to date. */
function update(item) {
  // The state that is shown; a row is rebuilt only when it changes, so that the focus stays.
  const state = item.state === "sending" && item.fraction >= 1 ? "checking" : item.state
  if (item.row.dataset.state !== state) {
    item.row.dataset.state = state
    const remove = () => { leave(item); work() }
    item.row.replaceChildren(
      make("span", { class: "name" }, item.file.name),
      state === "failed" ? make("p", { class: "fault" }, item.message)
        : make("progress", { max: 1, "aria-label": `Sending ${item.file.name}` }),
      make("span", { class: "muted" }),
      ...(state === "failed"
        ? [!item.isFinal && button("Try again", () => tryAgain([item]), { "aria-label": `Try ${item.file.name} again` }), button("Leave out", remove, { class: "quiet", "aria-label": `Leave out ${item.file.name}` })].filter(Boolean)
        : [button("Stop", () => item.state === "sending" ? item.stop() : remove(), { class: "quiet", "aria-label": `Stop sending ${item.file.name}` })]))
  }
  const bar = item.row.querySelector("progress")
  if (bar && state === "sending") bar.value = item.fraction
  if (bar && state === "waiting") bar.value = 0
  item.row.querySelector(".muted").textContent = { waiting: "waiting", sending: percent(item.fraction), checking: "being looked at", failed: "" }[state]
}

function show() {
  const box = byID("uploads")
  if (items.length === 0) return box.replaceChildren()
  let list = box.querySelector("ul")
  if (!list) {
    list = make("ul", { class: "uploads" })
    box.replaceChildren(make("div", { class: "row" }, make("h3", {}), button("Try all again", () => tryAgain(failures().filter(item => !item.isFinal)), { id: "try-all", hidden: true }), button("Leave all out", () => { for (const item of failures()) leave(item); show() }, { id: "leave-all", class: "quiet", hidden: true })), list)
  }
  const failed = failures()
  const open = items.length - failed.length
  const busy = pause === null ? "" : " The server is busy; it is asked again in some seconds."
  box.querySelector("h3").textContent = open > 0
    ? `Adding clips: ${arrived} added, ${open} to go.${busy}` : `${count(failed.length, "file")} could not be added.`
  byID("try-all").hidden = open > 0 || failed.filter(item => !item.isFinal).length < 2
  byID("leave-all").hidden = open > 0 || failed.length < 2
  for (const item of items) {
    update(item)
    if (!item.row.isConnected) list.append(item.row)
  }
}

const failures = () => items.filter(item => item.state === "failed")

export const isSending = () => items.some(item => item.state !== "failed")
