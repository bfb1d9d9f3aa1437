// What the page knows: the data sets, the open one, classifiers and runs. The server keeps all of it; only the id of the
// data set that was opened last is kept in the browser.

import * as api from "./api.js"
import { attempt, report } from "./notices.js"
import { count } from "./words.js"

const lastSetKey = "vifi-prompt.data-set"

/**
 * Emits "server", "sets", "set", "prompts" and "runs" when these have changed, and "renamed" with `set`, `before` and
 * `after` (null where it was removed) when a class has another name.
 */
class Store extends EventTarget {
  server = null
  /** Summaries of all data sets, and the bytes that all take. */
  sets = []
  bytes = 0
  /** The open data set with its clips; null where there is none. */
  set = null
  prompts = []
  /** Files of folders that the server watches and that cannot answer: `file` and `message`. */
  promptFaults = []
  /** Names of the live sources that the server was started with. */
  sources = []
  /** Newest first. */
  runs = []
  isLoaded = false
  /** Clips of the open data set by id. */
  #clips = new Map()
  /** Moves that the server has not confirmed, the oldest first: `clip` and the `name` of its class. */
  #moves = []
  /** Settles when all changes that were asked for have arrived or failed. */
  #changes = Promise.resolve()

  tell(what, detail) { this.dispatchEvent(new CustomEvent(what, { detail })) }

  /** Calls the action now and at every change of these. */
  follow(names, action) {
    for (const name of names) this.addEventListener(name, action)
    action()
  }

  async load() {
    const [server, , prompts, runs, sources] = await Promise.all([api.server(), this.loadSets(), api.prompts(), api.runs(), api.sources()])
    Object.assign(this, { server, ...prompts, runs, sources })
    let last = null
    try { last = localStorage.getItem(lastSetKey) } catch { /* Storage can be forbidden: then the first data set opens. */ }
    const known = this.sets.find(set => set.id === last) ?? this.sets[0]
    if (known) await this.openSet(known.id)
    this.isLoaded = true
    for (const name of ["server", "sets", "set", "prompts", "runs"]) this.tell(name)
  }

  /** Asks for everything again that others may have changed meanwhile, in another window or on another machine. */
  refresh() {
    return this.#change(async () => {
      await this.loadSets()
      await this.#open(this.sets.find(set => set.id === this.set?.id) ?? this.sets[0])
      await this.loadPrompts()
      await this.loadRuns()
    })
  }

  /**
   * Does one change of the data sets after the other, in the order in which they were asked for.
   *
   * Renaming a class must find the clips on the server where the page shows them, and an answer must not bring back what
   * was changed since. `work` asks for no change itself: it would wait for its own end.
   */
  #change(work) {
    const done = this.#changes.then(work)
    this.#changes = done.catch(() => {})
    return done
  }

  /** Waits until the server knows all that the page shows. */
  settled() { return this.#changes }

  // Data sets

  async loadSets() {
    const { data_sets, bytes } = await api.dataSets()
    this.sets = data_sets
    this.bytes = bytes
    this.tell("sets")
  }

  openSet(id) { return this.#change(() => this.#open({ id })) }

  /** @param known a data set or its summary; null or undefined for none. */
  async #open(known) {
    if (known) await this.#receive(known.id, api.dataSet(known.id), true)
    else this.#use(null)
  }

  createSet(name) { return this.#change(() => this.#create(name)) }

  async #create(name) {
    const set = await api.createDataSet(name)
    this.#use(set)
    await this.loadSets()
    return set
  }

  renameSet(name) {
    const { id } = this.set
    return this.#change(async () => {
      await this.#receive(id, api.changeDataSet(id, { name }))
      await this.loadSets()
    })
  }

  deleteSet() {
    const { id } = this.set
    return this.#change(async () => {
      await api.deleteDataSet(id)
      await this.loadSets()
      if (this.set?.id === id) await this.#open(this.sets[0])
    })
  }

  /** The open data set, or a new one where there is none. */
  someSet(name = "My clips") {
    return this.#change(() => this.set ?? this.#create(name))
  }

  /**
   * Takes a newer state of a data set once it is there, if it is the open one, or is to be.
   *
   * What the server did not know when it answered stays: clips that have arrived since, and moves that are on their way.
   */
  async #receive(id, request, isOpened = false) {
    const known = new Set(this.#clips.keys())
    const set = await request
    if (this.set?.id === id) {
      const told = new Set(set.clips.map(clip => clip.id))
      set.clips.push(...this.set.clips.filter(clip => !known.has(clip.id) && !told.has(clip.id)))
    } else if (!isOpened) return
    this.#use(set)
  }

  #use(set) {
    this.set = set
    this.#clips = new Map((set?.clips ?? []).map(clip => [clip.id, clip]))
    for (const { clip, name } of this.#moves) if (this.#clips.has(clip)) this.#clips.get(clip).class = name
    // The server makes the class of a clip that it is sent or that is moved; so does the page.
    if (set) set.classes = [...new Set([...set.classes, ...set.clips.map(clip => clip.class).filter(name => name !== null)])]
    try {
      if (set) localStorage.setItem(lastSetKey, set.id)
      else localStorage.removeItem(lastSetKey)
    } catch { /* As above. */ }
    this.tell("set")
  }

  // Classes

  /** The class that a digit stands for, `null` for 0; undefined for other keys and where there is none. */
  classOfKey(key) {
    if (!/^[0-9]$/.test(key)) return undefined
    return key === "0" ? null : this.set.classes[Number(key) - 1]
  }

  /** Adds those classes that are not there yet, and gives their names. */
  async addClasses(names) {
    const { id } = await this.someSet()
    return this.#change(async () => {
      const known = this.set?.id === id ? this.set.classes : []
      const added = [...new Set(names)].filter(name => !known.includes(name))
      if (added.length > 0) await this.#receive(id, api.changeDataSet(id, { added }))
      return added
    })
  }

  renameClass(before, after) { return this.#changeClass(before, after, { renamed: { [before]: after } }) }

  removeClass(name) { return this.#changeClass(name, null, { removed: [name] }) }

  #changeClass(before, after, change) {
    const { id } = this.set
    return this.#change(async () => {
      const request = api.changeDataSet(id, change).then(set => {
        // Moves that were asked for since go where the class has gone.
        for (const move of this.#moves) if (move.set === id && move.name === before) move.name = after
        return set
      })
      await this.#receive(id, request)
      this.tell("renamed", { set: id, before, after })
    })
  }

  // Clips

  clip(id) { return this.#clips.get(id) ?? null }

  clipsOf(name) { return this.set?.clips.filter(clip => clip.class === name) ?? [] }

  /** The ids of all clips as the board shows them: those in no class first, then class by class. */
  get order() { return this.set ? [null, ...this.set.classes].flatMap(name => this.clipsOf(name)).map(clip => clip.id) : [] }

  /** A clip that has arrived. */
  addClip(setID, clip) {
    // A newer state of the whole data set may have brought it already.
    if (this.set?.id !== setID || this.clip(clip.id)) return
    this.set.clips.push(clip)
    this.#clips.set(clip.id, clip)
    if (clip.class !== null && !this.set.classes.includes(clip.class)) this.set.classes.push(clip.class)
    this.tell("set")
  }

  /**
   * Moves clips: here at once, on the server in their turn, and back where the server does not agree.
   *
   * @param set the id of their data set, which may be another than the open one.
   * @returns whether the server has moved all of them; if not, the person has been told why.
   */
  moveClips(ids, name, set = this.set.id) {
    const moves = ids.filter(id => this.clip(id)?.class !== name).map(clip => ({ set, clip, name }))
    this.#moves.push(...moves)
    for (const { clip } of moves) if (this.#clips.has(clip)) this.#clips.get(clip).class = name
    this.tell("set")
    return this.#change(async () => {
      const failed = []
      let fault = null
      for (const move of moves) {
        try {
          const { class: place } = await api.moveClip(set, move.clip, move.name)
          if (this.#clips.has(move.clip)) this.#clips.get(move.clip).stored = place
        } catch (error) {
          failed.push(move.clip)
          fault = error
        }
        this.#moves.splice(this.#moves.indexOf(move), 1)
      }
      if (fault === null) return true
      report(fault, `${failed.length === 1 ? this.clip(failed[0])?.name ?? "The clip" : count(failed.length, "clip")} could not be moved.`)
      for (const id of failed) if (this.#clips.has(id)) this.#settle(this.#clips.get(id))
      this.tell("set")
      return false
    })
  }

  /** Whether the server does not know of all moves yet. */
  get isMoving() { return this.#moves.length > 0 }

  /** Shows a clip where it was moved to last, else where the server keeps it. */
  #settle(clip) {
    const move = this.#moves.findLast(move => move.clip === clip.id)
    clip.class = move ? move.name : clip.stored
  }

  removeClips(ids) {
    const { id } = this.set
    return this.#change(async () => {
      const gone = new Set()
      for (const clip of ids) {
        try {
          await api.deleteClip(id, clip)
        } catch (error) {
          // What somebody else has removed is gone as well.
          if (error.code !== "not_found") {
            report(error)
            continue
          }
        }
        gone.add(clip)
      }
      if (this.set?.id === id) this.#use({ ...this.set, clips: this.set.clips.filter(clip => !gone.has(clip.id)) })
      await attempt(() => this.loadSets())
    })
  }

  // Classifiers and runs

  async loadPrompts() {
    Object.assign(this, await api.prompts())
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
