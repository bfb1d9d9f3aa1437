// What the page knows: the data sets, the open one, classifiers and runs. The server keeps all of it; only the id of the
// data set that was opened last is kept in the browser.

import * as api from "./api.js"
import { attempt, notify } from "./notices.js"

const lastSetKey = "vifi-prompt.data-set"

/** Emits "server", "sets", "set", "prompts" and "runs" when these have changed. */
class Store extends EventTarget {
  server = null
  /** Summaries of all data sets, and the bytes that all take. */
  sets = []
  bytes = 0
  /** The open data set with its clips; null where there is none. */
  set = null
  prompts = []
  /** Newest first. */
  runs = []
  /** Settles when all moves of clips have arrived or failed. */
  moves = Promise.resolve()
  isLoaded = false

  tell(what) { this.dispatchEvent(new Event(what)) }

  /** Calls the action now and at every change of these. */
  follow(names, action) {
    for (const name of names) this.addEventListener(name, action)
    action()
  }

  async load() {
    const [server, , prompts, runs] = await Promise.all([api.server(), this.loadSets(), api.prompts(), api.runs()])
    Object.assign(this, { server, prompts, runs })
    let last = null
    try { last = localStorage.getItem(lastSetKey) } catch { /* Storage can be forbidden: then the first data set opens. */ }
    const known = this.sets.find(set => set.id === last) ?? this.sets[0]
    if (known) await this.openSet(known.id)
    this.isLoaded = true
    for (const name of ["server", "sets", "set", "prompts", "runs"]) this.tell(name)
  }

  // Data sets

  async loadSets() {
    const { data_sets, bytes } = await api.dataSets()
    this.sets = data_sets
    this.bytes = bytes
    this.tell("sets")
  }

  async openSet(id) {
    this.use(await api.dataSet(id))
  }

  use(set) {
    this.set = set
    try {
      if (set) localStorage.setItem(lastSetKey, set.id)
      else localStorage.removeItem(lastSetKey)
    } catch { /* As above. */ }
    this.tell("set")
  }

  async createSet(name) {
    const set = await api.createDataSet(name)
    this.use(set)
    await this.loadSets()
    return set
  }

  async renameSet(name) {
    this.use(await api.changeDataSet(this.set.id, { name }))
    await this.loadSets()
  }

  async deleteSet() {
    await api.deleteDataSet(this.set.id)
    await this.loadSets()
    if (this.sets.length > 0) await this.openSet(this.sets[0].id)
    else this.use(null)
  }

  /** The open data set, or a new one where there is none. */
  async someSet(name = "My clips") {
    return this.set ?? this.createSet(name)
  }

  // Classes

  /** Adds those classes that are not there yet. */
  async addClasses(names) {
    const set = await this.someSet()
    const added = names.filter((name, index) => !set.classes.includes(name) && names.indexOf(name) === index)
    if (added.length > 0) this.takeUp(await api.changeDataSet(set.id, { added }))
    return added
  }

  async renameClass(before, after) {
    this.takeUp(await api.changeDataSet(this.set.id, { renamed: { [before]: after } }))
  }

  async removeClass(name) {
    this.takeUp(await api.changeDataSet(this.set.id, { removed: [name] }))
  }

  /** Takes a newer state of a data set, if it is still the open one. */
  takeUp(set) {
    if (this.set?.id === set.id) this.use(set)
  }

  // Clips

  clip(id) { return this.set?.clips.find(clip => clip.id === id) ?? null }

  clipsOf(name) { return this.set?.clips.filter(clip => clip.class === name) ?? [] }

  /** A clip that has arrived. */
  addClip(setID, clip) {
    // A newer state of the whole data set may have brought it already.
    if (this.set?.id !== setID || this.clip(clip.id)) return
    this.set.clips.push(clip)
    this.set.bytes += clip.bytes
    if (clip.class !== null && !this.set.classes.includes(clip.class)) this.set.classes.push(clip.class)
    this.tell("set")
  }

  /** Moves clips at once, and back where the server does not agree. */
  moveClips(ids, name) {
    const done = this.sendMoves(ids, name)
    this.moves = Promise.all([this.moves, done])
    return done
  }

  async sendMoves(ids, name) {
    const set = this.set
    const moved = set.clips.filter(clip => ids.includes(clip.id) && clip.class !== name)
    const before = new Map(moved.map(clip => [clip, clip.class]))
    for (const clip of moved) clip.class = name
    this.tell("set")
    for (const clip of moved) {
      try {
        await api.moveClip(set.id, clip.id, name)
      } catch (error) {
        if (clip.class === name) clip.class = before.get(clip)
        notify(`${clip.name} could not be moved. ${error.message}`, { kind: "error" })
        this.tell("set")
      }
    }
  }

  async removeClips(ids) {
    const set = this.set
    for (const id of ids) {
      const isGone = await attempt(async () => { await api.deleteClip(set.id, id); return true })
      if (isGone) set.clips = set.clips.filter(clip => clip.id !== id)
    }
    set.bytes = set.clips.reduce((sum, clip) => sum + clip.bytes, 0)
    this.tell("set")
    await attempt(() => this.loadSets())
  }

  // Classifiers and runs

  async loadPrompts() {
    this.prompts = await api.prompts()
    this.tell("prompts")
  }

  async loadRuns() {
    const known = new Map(this.runs.map(run => [run.id, run]))
    // The list comes without the losses; those that are known stay.
    this.runs = (await api.runs()).map(run => ({ losses: known.get(run.id)?.losses ?? [], ...run }))
    this.tell("runs")
  }

  takeRun(run) {
    const index = this.runs.findIndex(other => other.id === run.id)
    if (index < 0) this.runs.unshift(run)
    else this.runs[index] = { losses: this.runs[index].losses, ...run }
    this.tell("runs")
  }

  /** Runs that wait or are being worked on, in the order of work. */
  get activeRuns() {
    return this.runs.filter(isActive).sort((a, b) => (a.state === "waiting") - (b.state === "waiting") || a.place - b.place)
  }

  /** What was learned from the open data set, newest first. */
  get results() {
    return this.runs.filter(run => run.data_set === this.set?.id && run.result && this.prompts.some(prompts => prompts.id === run.result.prompts))
  }
}

export const isActive = run => run.state === "waiting" || run.state === "running"

export const store = new Store()
