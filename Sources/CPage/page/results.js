// Step 3: how good the answers are to clips that were held out, what was answered wrongly, and the classifier as a file.

import * as api from "./api.js"
import { button, byID, make, renew, select } from "./dom.js"
import { confusionTable, correctCount, perClass } from "./confusion.js"
import { learn, obstacle } from "./learning.js"
import { store } from "./store.js"
import { download, heldOutCSV } from "./textfiles.js"
import { thresholdPanel } from "./threshold.js"
import { clipList } from "./cliplist.js"
import { count, moment, percent } from "./words.js"

/** By data set the run whose result was chosen, and the newest result of that time: a newer one is shown again. */
const chosen = new Map()
/** The cell of the table whose clips are listed: its class and answer, and `from`, its button; null where there is none. */
let openCell = null

export function startResults() {
  store.follow(["set", "runs", "prompts"], show)
}

/** The result that is looked at: `run`, its `prompts` and `held`, the held-out answers or null. */
export function currentResult() {
  const results = store.results
  // What was stopped early is shown only to those who choose it.
  const choice = chosen.get(store.set?.id)
  const run = results.find(run => run.id === choice?.run && results[0].id === choice.newest) ?? results.find(run => run.state === "finished") ?? results[0]
  if (!run) return null
  return { run, prompts: store.prompts.find(prompts => prompts.id === run.result.prompts), held: run.result.held_out }
}

function show() {
  if (!store.isLoaded) return
  const panel = byID("results-panel")
  const result = currentResult()
  const key = [store.set?.id, result?.run.id, store.results.map(run => run.id)]
  const isNew = renew(panel, key, () => result ? build(result) : [make("p", { class: "hint" }, "Nothing has been learned from these clips yet. When it has, you see here how many clips are recognized, and which are not.")])
  if (isNew) openCell = null
  if (result) refresh(result)
}

function build({ run, prompts, held }) {
  const runs = store.results
  const parts = []
  if (runs.length > 1) {
    const words = runs.map(run => [run.id, `${moment(run.created)}, ${run.method === "prompts" ? "prompts" : "quick"}${run.result.held_out ? `, ${percent(run.result.held_out.top1 / 100)}` : ""}`])
    parts.push(make("div", { class: "row" }, make("label", { for: "result-choice" }, "Result of"),
      select(words, run.id, { id: "result-choice", onchange: event => choose(event.target.value) })))
  }
  parts.push(make("div", { id: "stale" }), headline(run, held))
  if (held) {
    parts.push(make("div", { class: "halves" },
      make("div", {}, make("h3", {}, "Class by class"), perClass(held), make("h3", {}, "What was taken for what"), confusionTable(held, (truth, answer) => openList(held, truth, answer)), make("div", { id: "cell-clips" })),
      make("div", {}, make("h3", {}, "Wrong answers"), make("div", { id: "wrong" }), make("h3", {}, "None of these"), thresholdPanel(prompts.id, held))))
  }
  if (run.result.compared.length > 0) parts.push(comparison(run.result))
  // What a terminal shows as a table of bars and dashes is the comparison above.
  const notes = run.messages.filter(message => !message.startsWith("|"))
  if (notes.length > 0) {
    parts.push(make("details", {}, make("summary", {}, `Notes of the run (${notes.length})`), make("ul", { class: "notes" }, notes.map(message => make("li", {}, message)))))
  }
  parts.push(make("div", { class: "row" },
    make("a", { class: "button primary", href: api.promptsURL(prompts.id), download: true, id: "download-classifier" }, "Download the classifier"),
    held && button("Download the answers (CSV)", () => download(heldOutCSV(held, id => store.clip(id)?.name ?? id), `${store.set.name}-held-out.csv`, "text/csv"), { id: "download-answers" }),
    make("a", { class: "button", href: "#try" }, "Try it on a video")),
    make("p", { class: "hint" }, "The file also works outside of this page, with “vifi-prompt predict”."))
  return parts
}

/** Shows another result; it is the one that answers in step 4, too. */
function choose(run) {
  chosen.set(store.set.id, { run, newest: store.results[0].id })
  store.tell("runs")
  byID("result-choice").focus()
}

// The number

function headline(run, held) {
  if (!held) {
    const why = run.state === "cancelled" ? "Learning was stopped before its answers were checked. Try them on videos that it has not seen."
      : run.method === "prompts" ? "Prompts are not checked on held-out clips here, for that would mean learning again and again, each time without some of the clips. Try them on videos that they have not seen."
      : "The answers could not be checked, for a class has only one clip. Add a second one to each class and learn again."
    return make("div", { class: "headline" }, make("p", { class: "verdict" }, "Your classifier is ready."), make("p", {}, why))
  }
  const right = correctCount(held)
  const all = held.clips.length
  const largest = Math.max(...held.classes.map(item => item.count))
  return make("div", { class: "headline" },
    make("p", { class: "number" }, percent(held.top1 / 100)),
    make("div", {},
      make("p", { class: "verdict", id: "verdict" }, `${right} of ${count(all, "clip")} ${right === 1 ? "was" : "were"} recognized by a classifier that had not seen ${all === 1 ? "it" : "them"}.`),
      make("p", { class: "hint" }, `Always naming the largest class would get ${largest} right. ${reading(held, right, all)}`)))
}

/** What the number is worth, in a sentence. */
function reading(held, right, all) {
  const error = Math.round(held.standard_error)
  if (all < 20) return `With ${count(all, "clip")} the number is rough${error > 0 ? ` (give or take ${error} points)` : ""}: more clips make it surer, and the classifier better.`
  return error > 0 ? `Give or take ${error} points.` : ""
}

// What changes with the clips

function refresh({ run, held }) {
  const change = held ? changed(held) : 0
  const isPossible = obstacle() === null
  renew(byID("stale"), [change, isPossible], () => change === 0 ? [] : [make("div", { class: "notice", role: "status" },
    make("p", {}, `${count(change, "clip")} ${change === 1 ? "has" : "have"} changed since this was learned.`),
    button("Learn again", () => learn({ method: "auto" }), { class: "primary learn-again", disabled: !isPossible }))])
  if (held) {
    showWrong(held)
    showCell(held)
  }
}

/** How many clips were added, removed or put into another class since. */
function changed(held) {
  const then = new Map(held.clips.map(item => [item.clip, item.class]))
  const now = new Map(store.set.clips.filter(clip => clip.class !== null).map(clip => [clip.id, clip.class]))
  const names = renamed(then, now)
  return [...new Set([...then.keys(), ...now.keys()])].filter(id => (names.get(then.get(id)) ?? then.get(id)) !== now.get(id)).length
}

/** A class that was renamed as a whole counts as the same one: all of its clips have the new name, which is new. */
function renamed(then, now) {
  const before = new Set(then.values())
  const targets = new Map()
  for (const [id, name] of then) {
    if (!now.has(id)) continue
    targets.set(name, (targets.get(name) ?? new Set()).add(now.get(id)))
  }
  return new Map([...targets].filter(([name, found]) => found.size === 1 && ![...found].some(other => before.has(other)) && !store.set.classes.includes(name)).map(([name, found]) => [name, [...found][0]]))
}

function showWrong(held) {
  const wrong = held.clips.filter(item => item.class !== item.predicted)
  fillList(byID("wrong"), wrong, () => wrong.length === 0 ? [make("p", {}, "There are none.")] : [
    make("p", { class: "hint" }, "If a clip lies in the wrong class, put it right here. If it lies in the right one, more clips like it will help."),
    clipList(wrong)])
}

/** Fills a list of clips anew when one of them has changed; the focus stays at its row. */
function fillList(box, items, build) {
  const row = [...box.querySelectorAll("li")].findIndex(row => row.contains(document.activeElement))
  const key = [items.map(item => [item.clip, item.class, item.predicted, store.clip(item.clip)?.class]), store.set.classes]
  if (renew(box, key, build) && row >= 0) box.querySelectorAll("li")[row]?.querySelector("button")?.focus()
}

function openList(held, truth, answer) {
  openCell = { truth, answer, from: document.activeElement }
  showCell(held)
  byID("cell-clips").querySelector("h4").focus()
}

function showCell(held) {
  const box = byID("cell-clips")
  if (!openCell) return renew(box, null, () => [])
  const { truth, answer, from } = openCell
  const clips = held.clips.filter(item => item.class === truth && item.predicted === answer)
  const close = () => {
    openCell = null
    showCell(held)
    from.focus()
  }
  fillList(box, clips, () => [
    make("h4", { tabindex: "-1" }, truth === answer ? `${truth}, recognized` : `${truth}, taken for ${answer}`),
    clipList(clips), button("Close the list", close, { class: "quiet" })])
}

// How it was chosen

const methodName = name => name === "zero-shot" ? "the names of the classes alone" : name

/** JSON has no infinity: the server writes it as a word. A way that was wrong with full certainty has it. */
const lossWords = loss => Number.isFinite(loss) ? loss.toFixed(2) : loss === "inf" ? "∞" : "–"

function comparison({ compared, method }) {
  const rows = compared.map(item => make("tr", {},
    make("th", { scope: "row" }, `${methodName(item.method)}${item.method === (method ?? "zero-shot") ? " (taken)" : ""}`),
    make("td", {}, percent(item.top1 / 100)), make("td", {}, `${Math.round(item.standard_error)} points`), make("td", {}, lossWords(item.log_loss)), make("td", {}, `${item.seconds.toFixed(1)} s`)))
  return make("details", {}, make("summary", {}, `How it was chosen (${count(compared.length, "way")} compared)`),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Ways that were compared" },
      make("table", {}, make("thead", {}, make("tr", {}, ["Way", "Right", "Give or take", "Log loss", "Time"].map(name => make("th", { scope: "col" }, name)))), make("tbody", {}, rows))),
    make("p", { class: "hint" }, "Right: share of the clips, each answered without having been seen. Log loss: how far the given certainties are from the truth; lower is better."))
}
