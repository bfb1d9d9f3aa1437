// Step 2: what is missing for learning, the button that learns, and the runs that are under way.

import * as api from "./api.js"
import { arrange, button, byID, keepingFocus, make, reveal } from "./dom.js"
import { lossCurve } from "./losscurve.js"
import { announce, attempt } from "./notices.js"
import { isActive, store } from "./store.js"
import { about, count, listed, percent } from "./words.js"

/** Runs that were started here: their end brings the result into view. */
const startedHere = new Set()
/** The quarter of the way that was last told to those who do not see the bar, by run. */
const toldQuarters = new Map()
/** Runs that are not shown: those that had ended before the page was opened, and those that were closed. */
let putAway = null
/** Whether the server is being asked to learn: a second press would start a second run. */
let isStarting = false

export function startLearning() {
  byID("learn-panel").append(
    make("p", { id: "readiness" }),
    make("div", { class: "row" },
      button("Learn", () => learn({ method: "auto" }), { id: "learn-button", class: "primary large" }),
      make("p", { class: "hint" }, "Takes seconds. The clips are looked at once, several ways of telling the classes apart are tried, and the best one is kept.")),
    promptsChoice(),
    make("div", { id: "runs", class: "runs" }))
  store.follow(["set"], showReadiness)
  store.follow(["runs", "sets"], showRuns)
  // Curves are drawn for the width that they have.
  new ResizeObserver(showRuns).observe(byID("runs"))
}

/** What stands in the way, as a sentence, or null. */
export function obstacle() {
  const { set } = store
  if (!set || set.clips.length === 0) return "Add some clips first."
  const filled = set.classes.filter(name => store.clipsOf(name).length > 0)
  if (filled.length === 0) return "Put the clips into classes first: two classes or more, each with a few clips."
  if (filled.length === 1) return `All sorted clips are in “${filled[0]}”. Put some into another class: telling apart takes two.`
  return null
}

function showReadiness() {
  if (!store.isLoaded) return
  const missing = obstacle()
  for (const id of ["learn-button", "learn-prompts"]) byID(id).disabled = missing !== null
  const line = byID("readiness")
  line.className = missing ? "hint" : ""
  if (missing) return line.replaceChildren(missing)
  const { set } = store
  const filled = set.classes.filter(name => store.clipsOf(name).length > 0)
  const sorted = set.clips.filter(clip => clip.class !== null).length
  const words = [`Ready: ${count(sorted, "clip")} in ${count(filled.length, "class", "classes")}.`]
  const idle = set.clips.length - sorted
  if (idle > 0) words.push(`${count(idle, "clip")} in no class ${idle === 1 ? "is" : "are"} not used.`)
  const empty = set.classes.filter(name => store.clipsOf(name).length === 0)
  if (empty.length > 0) words.push(`${listed(empty.slice(0, 3))}${empty.length > 3 ? " and others" : ""} ${empty.length === 1 ? "has" : "have"} no clips and will be left out.`)
  const single = filled.filter(name => store.clipsOf(name).length === 1)
  if (single.length > 0) words.push(`${listed(single.slice(0, 3))}${single.length > 3 ? " and others" : ""} ${single.length === 1 ? "has" : "have"} only one clip: a second one is needed to check the answers.`)
  line.replaceChildren(words.join(" "))
}

function promptsChoice() {
  const steps = make("input", { id: "steps", type: "number", min: 1, max: 100000, step: 1, inputmode: "numeric", placeholder: "usual" })
  const start = event => {
    event.preventDefault()
    learn({ method: "prompts", ...(steps.value ? { steps: Number(steps.value) } : {}) })
  }
  return make("details", { id: "prompts-choice" },
    make("summary", {}, "Not good enough? Learn prompts (slower)"),
    make("p", {}, "The quick way leaves the model as it is. Prompts are small additions to what the model sees and reads; learned from your clips, they teach it to look for what matters in them. They can tell finer differences apart, but learning them takes from minutes to hours. You can go on working meanwhile and stop at any time; what was saved until then is kept."),
    make("form", { class: "row", onsubmit: start },
      make("label", { for: "steps" }, "Steps (empty: the usual number)"), steps,
      make("button", { type: "submit", id: "learn-prompts" }, "Learn prompts")))
}

export async function learn(settings) {
  if (isStarting) return
  isStarting = true
  const { id, name } = store.set
  // The server learns from what it knows: moves that the page shows already must have arrived.
  await store.settled()
  const run = await attempt(() => api.startRun({ data_set: id, name, ...settings }))
  isStarting = false
  if (!run) return
  startedHere.add(run.id)
  store.takeRun(run)
  announce(run.state === "waiting" ? `Learning waits for ${count(run.place, "other run")}.` : "Learning has begun.")
  reveal(byID("learn"))
}

// Runs

function showRuns() {
  if (!store.isLoaded) return
  putAway ??= new Set(store.runs.filter(run => !isActive(run)).map(run => run.id))
  const ended = store.runs.filter(run => !isActive(run) && !putAway.has(run.id) && (run.state !== "finished" || run.method === "prompts"))
  const shown = [...store.activeRuns, ...ended]
  const box = byID("runs")
  const known = new Map([...box.children].map(row => [row.dataset.run, row]))
  const rows = shown.map(run => known.get(run.id) ?? newRow(run))
  keepingFocus(() => arrange(box, rows))
  shown.forEach((run, index) => fillRow(rows[index], run))
  for (const run of store.runs) {
    if (isActive(run) || !startedHere.has(run.id) || !run.result || !store.prompts.some(prompts => prompts.id === run.result.prompts)) continue
    startedHere.delete(run.id)
    // Whoever has turned to something else meanwhile stays there.
    const focus = document.activeElement
    // The button that learns again goes with the result that it was part of.
    const isLost = focus === document.body || focus.classList.contains("learn-again")
    if (run.data_set !== store.set?.id || (!isLost && !byID("learn").contains(focus))) continue
    reveal(byID("results"))
    if (isLost) byID("results").focus({ preventScroll: true })
  }
}

function newRow(run) {
  return make("article", { class: "run", "data-run": run.id },
    make("div", { class: "row" }, make("h3", {}), make("span", { class: "spring" }), make("span", { class: "action" })),
    make("progress", { max: 1, "aria-label": "Progress of learning" }), make("p", { class: "state" }), make("div", { class: "curve-box" }))
}

function fillRow(row, run) {
  const other = run.data_set === store.set?.id ? "" : ` from “${store.sets.find(set => set.id === run.data_set)?.name ?? run.name}”`
  row.querySelector("h3").textContent = `${run.method === "prompts" ? "Learning prompts" : "Learning"}${other}`
  const bar = row.querySelector("progress")
  bar.hidden = run.state !== "running"
  if (run.progress?.total > 0) bar.value = run.progress.done / run.progress.total
  else bar.removeAttribute("value")
  const state = row.querySelector(".state")
  state.textContent = stateWords(run)
  state.classList.toggle("fault", run.state === "failed")
  tellQuarter(run)
  const action = row.querySelector(".action")
  if (action.dataset.state !== run.state) {
    action.dataset.state = run.state
    const hadFocus = action.contains(document.activeElement)
    const title = `${run.method === "prompts" ? "learning prompts" : "learning"}${other}`
    action.replaceChildren(isActive(run)
      ? button("Stop", event => stop(run, event.currentTarget), { "aria-label": `Stop ${title}` })
      : button("Close", () => { putAway.add(run.id); showRuns() }, { class: "quiet" }))
    if (hadFocus) action.querySelector("button").focus()
  }
  const box = row.querySelector(".curve-box")
  if (run.method === "prompts" && run.losses?.length > 1 && box.dataset.drawn !== `${run.losses.at(-1)} ${row.clientWidth}`) {
    box.dataset.drawn = `${run.losses.at(-1)} ${row.clientWidth}`
    box.replaceChildren(make("p", { class: "hint" }, "How wrong the answers to the clips are, step by step (the loss). Lower is better; when it no longer falls, you can stop."), lossCurve(run.losses, box.clientWidth))
  }
}

/** Telling every change would drown everything else. */
function tellQuarter(run) {
  const { done, total, title } = run.progress ?? {}
  if (run.state !== "running" || !total) return
  const quarter = `${title} ${Math.floor(4 * done / total)}`
  if (toldQuarters.get(run.id) === quarter) return
  toldQuarters.set(run.id, quarter)
  announce(stateWords(run))
}

function stateWords(run) {
  if (run.state === "waiting") return run.place > 0 ? `Waits: ${count(run.place, "run")} before it.` : "Begins in a moment."
  if (run.state === "failed") return run.error ?? "It failed and did not say why."
  if (run.state === "cancelled") return run.result ? "Stopped. What was learned until then is kept." : "Stopped."
  if (run.state === "finished") return `Finished in ${about(run.seconds)}.`
  if (!run.progress) return "Begins …"
  const { title, done, total, detail, seconds_left } = run.progress
  const parts = [phase(title), total > 0 && `${done} of ${total} (${percent(done / total)})`, detail, seconds_left !== null && `${about(seconds_left)} left`]
  return parts.filter(Boolean).join(" · ")
}

const phase = title => ({ features: "Looking at the clips", "cached clips": "Looking at the clips", comparing: "Trying ways to tell them apart", learn: "Learning" })[title] ?? title

async function stop(run, element) {
  element.textContent = "Stopping …"
  const stopped = await attempt(() => api.stopRun(run.id))
  if (stopped) store.takeRun(stopped)
  else element.textContent = "Stop"
}
