// Follows runs that are under way: the one that works by its events, the waiting ones by asking now and then.

import * as api from "./api.js"
import { correctCount } from "./confusion.js"
import { announce, attempt, notify } from "./notices.js"
import { isActive, store } from "./store.js"
import { count } from "./words.js"

/** The open stream of events by run. */
const streams = new Map()
/** Runs whose end has not been seen. */
const active = new Set()
let timer = null

export function startRunWatch() {
  store.follow(["runs"], watch)
}

function watch() {
  for (const run of store.runs) {
    if (run.state === "running" && !streams.has(run.id)) listen(run.id)
    if (isActive(run)) active.add(run.id)
    else if (active.delete(run.id)) ended(run)
  }
  const isWaiting = store.runs.some(run => run.state === "waiting")
  if (isWaiting && timer === null) timer = setInterval(() => store.loadRuns().catch(() => {}), 2000)
  if (!isWaiting && timer !== null) {
    clearInterval(timer)
    timer = null
  }
}

function listen(id) {
  const source = new EventSource(api.runEventsURL(id))
  streams.set(id, source)
  let lost = null, closeNotice = null
  const isBack = () => {
    clearTimeout(lost)
    closeNotice?.()
    lost = closeNotice = null
  }
  source.addEventListener("open", isBack)
  source.addEventListener("run", event => {
    const run = api.runOf(JSON.parse(event.data))
    if (!isActive(run)) source.close()
    store.takeRun(run)
  })
  // A short interruption is nobody's concern. The browser connects again by itself, except where the server refuses.
  source.addEventListener("error", () => {
    lost ??= setTimeout(() => { closeNotice = notify("The connection to the server is lost. The page goes on trying; what is being learned goes on if the server still runs.", { isError: true }) }, 4000)
    if (source.readyState === EventSource.CLOSED) recover(id, isBack)
  })
}

/** Asks again how the runs are until the server answers. */
function recover(id, then) {
  setTimeout(async () => {
    try {
      streams.delete(id)
      await store.loadRuns()
      then()
    } catch {
      recover(id, then)
    }
  }, 3000)
}

async function ended(run) {
  const held = run.result?.held_out
  const recognized = held ? ` ${correctCount(held)} of ${count(held.clips.length, "clip")} recognized.` : ""
  announce({ finished: `Learning has finished.${recognized}`, failed: `Learning has failed. ${run.error ?? ""}`, cancelled: "Learning has stopped." }[run.state])
  if (run.result) await attempt(() => store.loadPrompts())
  await attempt(() => store.loadRuns())
}
