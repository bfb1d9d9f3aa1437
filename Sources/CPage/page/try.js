// Step 4: a video, who answers, and whether it is one answer or a timeline; then the answer.

import * as api from "./api.js"
import { showAnswer } from "./answer.js"
import { makeCamera } from "./camera.js"
import { button, byID, fileInput, make, renew, select } from "./dom.js"
import { acceptDrops, filesTaker } from "./drops.js"
import { accepted } from "./files.js"
import { announce, attempt, notify } from "./notices.js"
import { currentResult } from "./results.js"
import { makeFollower } from "./source.js"
import { store } from "./store.js"
import { thresholdOf, thresholds, thresholdWords } from "./threshold.js"
import { clock, count, moment, percent } from "./words.js"

/** The video that is tried: `{file}` or `{set, clip}`, with its `name`, `url` and, once known, `seconds`; or null. */
let video = null
/** The other source beside videos: while it is on, there is no video. */
let camera = null
/** A live source of the server, in the same way. */
let follower = null
/** Stops the request that is under way; null where there is none. */
let stopper = null
/** What the person has chosen; otherwise the page chooses. */
let chosenPrompts = null, chosenForm = null
/** What answers; the slider is set when it changes. */
let answering = null

const namesAlone = "names"
const noVideo = "Drop a video here that the classifier has not seen."
const cameraIsOn = "Trying the camera. Drop a video here to try that instead."
const sourceIsOn = "Following a live source. Drop a video here to try that instead."

export function startTry() {
  build()
  store.follow(["prompts", "set", "runs"], showChoices)
  store.follow(["server"], showSources)
  thresholds.addEventListener("change", setThreshold)
}

function build() {
  const files = fileInput({ id: "try-file", accept: accepted }, ([file]) => takeFile(file))
  const drop = make("div", { id: "try-drop", class: "drop-zone" },
    make("p", { id: "try-video" }, noVideo),
    make("div", { class: "row" },
      button("Choose a video", () => files.click(), { id: "try-choose" }),
      button("Use the camera", useCamera, { id: "use-camera" }),
      make("span", { id: "try-live", class: "row", hidden: true }, make("label", { for: "try-source" }, "or a live source"), make("select", { id: "try-source", onchange: event => useSource(event.target.value) })),
      make("span", { id: "try-stored", class: "row" }, make("label", { for: "try-clip" }, "or a clip from above"), make("select", { id: "try-clip", onfocus: fillClips, onpointerdown: fillClips, onchange: event => takeClip(event.target.value) }))), files)
  acceptDrops(drop, filesTaker(([first]) => {
    if (first) takeFile(first.file)
    else notify("There is no file in what was dropped.", { isError: true })
  }))

  const form = make("form", { class: "try-form", onsubmit: event => { event.preventDefault(); recognize() } },
    make("div", { class: "fields" },
      field("try-prompts", "Who answers", make("select", { id: "try-prompts", onchange: event => { chosenPrompts = event.target.value; showChoices() } })),
      make("div", { id: "names-field", class: "field" }, make("label", { for: "try-names" }, "Classes, separated by commas"), make("textarea", { id: "try-names", rows: 2 })),
      make("fieldset", { id: "form-field", class: "field" }, make("legend", {}, "What you get"),
        radio("whole", "One answer for the whole video"), radio("windows", "A timeline of answers")),
      make("div", { id: "window-field", class: "field" }, make("label", { for: "try-window" }, "Look at pieces of"),
        select([["1s", "1 second"], ["2s", "2 seconds"], ["4s", "4 seconds"], ["8s", "8 seconds"]], "2s", { id: "try-window" })),
      make("div", { class: "field" }, make("label", { for: "try-threshold", id: "try-threshold-label" }),
        make("input", { id: "try-threshold", type: "range", min: 0, max: 100, step: 1, value: 0, oninput: sayThreshold }))),
    make("details", {}, make("summary", {}, "More settings"),
      make("div", { class: "fields" },
        field("try-none", "Other things a video may show, one per line: these count as “none of these”", make("textarea", { id: "try-none", rows: 2, placeholder: "a person standing still" })),
        field("try-smooth", "Smooth the timeline over", select([["", "no pieces"], ["3", "3 pieces"], ["5", "5 pieces"], ["9", "9 pieces"]], "", { id: "try-smooth" })),
        field("try-shortest", "Shortest part of the timeline, in seconds", make("input", { id: "try-shortest", type: "number", min: 0, step: "any", value: 0 })))),
    make("div", { id: "recognize-row", class: "row" },
      make("button", { type: "submit", id: "recognize", class: "primary large" }, "Recognize"),
      button("Stop", () => stopper?.abort(), { id: "try-stop", hidden: true }),
      make("p", { id: "try-missing", class: "hint" })),
    make("div", { id: "try-progress", hidden: true }, make("progress", { max: 1, "aria-label": "Progress of the answer" }), make("p", { class: "state" })))
  camera = makeCamera({ section: byID("try"), ask: askLive, seconds: () => parseFloat(byID("try-window").value), changed: showLive })
  follower = makeFollower({ follow: followSource, changed: showLive })
  byID("try-panel").append(drop, form, camera.element, follower.element, make("div", { id: "answer" }))
  form.addEventListener("change", event => {
    if (event.target.name === "form") chosenForm = event.target.value
    showForm()
    follower.again()
  })
  fillClips()
  showForm()
  showMissing()
}

const field = (id, label, input) => make("div", { class: "field" }, make("label", { for: id }, label), input)
const radio = (value, label) => make("label", { class: "choice" }, make("input", { type: "radio", name: "form", value, checked: value === "whole" }), label)

const isWindows = () => document.querySelector("input[name=form]:checked").value === "windows"

function showForm() {
  byID("window-field").hidden = follower.isOn || !isWindows() && !camera.isOn
  for (const id of ["try-smooth", "try-shortest"]) byID(id).disabled = !isWindows() || camera.isOn || follower.isOn
}

// The video

function takeFile(file) {
  take({ file, name: file.name, url: URL.createObjectURL(file), seconds: null })
  byID("try-clip").value = ""
  const probe = make("video", { preload: "metadata", src: video.url })
  const asked = video
  probe.addEventListener("loadedmetadata", () => {
    if (video !== asked) return
    if (Number.isFinite(probe.duration)) take({ ...video, seconds: probe.duration })
  })
}

function takeClip(id) {
  const clip = store.clip(id)
  if (!clip) return take(null)
  take({ set: store.set.id, clip: id, name: clip.name, url: api.videoURL(store.set.id, id), seconds: clip.seconds })
}

/** Takes a video in the place of the last one, or null. */
function take(next) {
  if (video?.url !== next?.url) {
    byID("answer").replaceChildren()
    if (video?.file) URL.revokeObjectURL(video.url)
  }
  video = next
  if (video) {
    camera.putAway()
    follower.putAway()
  }
  showMissing()
  if (!video) {
    byID("try-video").textContent = liveWords() ?? noVideo
    return
  }
  const seconds = video.seconds === null ? "" : `, ${clock(video.seconds, true)}`
  byID("try-video").textContent = `${video.name}${seconds}`
  if (chosenForm === null && video.seconds !== null) {
    document.querySelector(`input[name=form][value=${video.seconds > 8 ? "windows" : "whole"}]`).checked = true
    showForm()
  }
}

/** The menu of stored clips is filled when somebody turns to it. */
function fillClips() {
  const menu = byID("try-clip")
  const entries = (store.set?.clips ?? []).map(clip => [clip.id, `${clip.name}${clip.class === null ? "" : ` (${clip.class})`}`])
  renew(menu, entries, () => [["", "choose one …"], ...entries].map(([value, words]) => make("option", { value }, words)))
  menu.value = video?.set === store.set?.id && store.clip(video?.clip) ? video.clip : ""
}

// The camera and live sources

function useCamera() {
  stopper?.abort()
  take(null)
  byID("try-clip").value = ""
  follower.putAway()
  camera.start()
}

/** @param name empty for none. */
function useSource(name) {
  if (name === "") return follower.putAway()
  stopper?.abort()
  take(null)
  byID("try-clip").value = ""
  camera.putAway()
  follower.start(name)
}

function showSources() {
  byID("try-live").hidden = store.sources.length === 0
  renew(byID("try-source"), store.sources, () => [["", "choose one …"], ...store.sources.map(name => [name, name])].map(([value, words]) => make("option", { value }, words)))
}

async function followSource(name, signal, { answer, interruption }) {
  const classes = knownClasses() ?? namedClasses()
  await api.followSource(name, await settings(), signal, { answer: line => answer(line, classes), interruption })
}

const liveWords = () => camera.isOn ? cameraIsOn : follower.isOn ? sourceIsOn : null

/** What is about videos alone goes while something goes on; all other settings hold for what comes next. */
function showLive() {
  const words = liveWords()
  for (const id of ["form-field", "recognize-row"]) byID(id).hidden = words !== null
  byID("use-camera").disabled = camera.isOn
  if (!follower.isOn) byID("try-source").value = ""
  if (!video) byID("try-video").textContent = words ?? noVideo
  showForm()
}

async function askLive(file, signal) {
  const classes = knownClasses() ?? namedClasses()
  return { classes, ...await api.predict({ file }, await settings(), signal) }
}

// Who answers

function showChoices() {
  if (!store.isLoaded) return
  const own = store.prompts.filter(prompts => prompts.data_set !== null && prompts.data_set === store.set?.id)
  const others = store.prompts.filter(prompts => !own.includes(prompts))
  const words = prompts => `${prompts.name}${prompts.kind === "prompts" ? ", prompts" : ""}${prompts.held_out_top1 === null ? "" : `, ${percent(prompts.held_out_top1 / 100)}`}${prompts.classes.length > 0 ? ` (${count(prompts.classes.length, "class", "classes")})` : ""}${prompts.created === null ? "" : `, ${moment(prompts.created)}`}`
  const groups = [["Learned from these clips", own], ["Others on this server", others]].filter(([, list]) => list.length > 0)
    .map(([label, list]) => [label, list.map(prompts => [prompts.id, words(prompts)])])
  const menu = byID("try-prompts")
  renew(menu, groups, () => [
    ...groups.map(([label, list]) => make("optgroup", { label }, list.map(([value, words]) => make("option", { value }, words)))),
    make("option", { value: namesAlone }, "The class names, no learning"),
  ])
  menu.value = chosenPrompts ?? currentResult()?.prompts?.id ?? own[0]?.id ?? namesAlone
  if (menu.selectedIndex < 0) menu.value = namesAlone
  if (answering !== menu.value) {
    answering = menu.value
    setThreshold()
  }
  byID("names-field").hidden = knownClasses() !== null
  suggestNames()
  // A clip that has been removed cannot be tried any more.
  if (video?.clip && video.set === store.set?.id && !store.clip(video.clip)) take(null)
  byID("try-stored").hidden = !store.set?.clips.length
}

/** The names of the classes on the board, until somebody writes others. */
function suggestNames() {
  const field = byID("try-names")
  if (field.value !== (field.dataset.suggested ?? "")) return
  field.value = (store.set?.classes ?? []).join(", ")
  field.dataset.suggested = field.value
}

/** The classes of what answers; null where it has none of its own, and the person names them. */
function knownClasses() {
  const classes = store.prompts.find(prompts => prompts.id === byID("try-prompts").value)?.classes ?? []
  return classes.length > 0 ? classes : null
}

const namedClasses = () => [...new Set(byID("try-names").value.split(/[,\n]/).map(name => name.trim()).filter(name => name !== ""))]

function setThreshold() {
  byID("try-threshold").value = Math.round(100 * thresholdOf(byID("try-prompts").value))
  sayThreshold()
}

function sayThreshold() {
  const value = Number(byID("try-threshold").value)
  byID("try-threshold").setAttribute("aria-valuetext", `${value} %`)
  byID("try-threshold-label").textContent = thresholdWords(value / 100)
}

function showMissing() {
  byID("try-missing").textContent = video ? "" : "Choose a video first."
  byID("recognize").disabled = video === null || stopper !== null
}

// Asking

async function settings() {
  const id = byID("try-prompts").value
  const lines = byID("try-none").value.split("\n").map(line => line.trim()).filter(line => line !== "")
  const common = { threshold: Number(byID("try-threshold").value) / 100, none: lines, top: 5 }
  if (id !== namesAlone) common.prompts = id
  if (knownClasses()) return common
  const names = namedClasses()
  if (names.length < 2) throw new Error("Write at least two classes, separated by commas.")
  // Under an id: there may be a thousand names, too many for an address.
  return { ...common, classes: (await api.createClasses(names)).id }
}

async function recognize() {
  const asked = video
  if (!asked || stopper) return
  const classes = knownClasses() ?? namedClasses()
  stopper = new AbortController()
  const { signal } = stopper
  const box = byID("try-progress")
  const bar = box.querySelector("progress"), state = box.querySelector(".state")
  box.hidden = false
  byID("try-stop").hidden = false
  bar.removeAttribute("value")
  state.textContent = "Sending and looking at the video …"
  announce(state.textContent)
  byID("answer").replaceChildren()
  // The button that was pressed is disabled now, and would lose the focus to nothing.
  if (document.activeElement === byID("recognize")) byID("try-stop").focus()
  showMissing()
  const answer = await attempt(async () => {
    const asking = await settings()
    if (!isWindows()) return { asking, ...await api.predict(asked, asking, signal) }
    const windows = { ...asking, window: byID("try-window").value, smooth: byID("try-smooth").value, min_seconds: Number(byID("try-shortest").value) || null }
    const result = await api.predictWindows(asked, windows, signal, ({ seconds, of }) => {
      if (of) bar.value = Math.min(1, seconds / of)
      state.textContent = of ? `${clock(seconds)} of ${clock(of)}` : `${clock(seconds)} so far`
    })
    return { asking, ...result }
  })
  stopper = null
  showMissing()
  if (document.activeElement === byID("try-stop")) byID("recognize").focus()
  box.hidden = true
  byID("try-stop").hidden = true
  if (!answer || video?.url !== asked.url) return
  showAnswer(byID("answer"), asked, answer, classes)
  byID("answer").scrollIntoView({ block: "nearest" })
  announce(byID("answer").querySelector(".verdict").textContent)
}
