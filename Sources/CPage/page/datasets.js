// The data sets: which one is open, and making, renaming and deleting them.

import { button, byID, make, renew, select } from "./dom.js"
import { askText, attempt, confirmed, notify } from "./notices.js"
import { store } from "./store.js"
import { bytes, count, nameTaken } from "./words.js"

export function startDataSets() {
  store.follow(["sets", "set", "server"], show)
}

/** What is wrong with the name of a data set, or null; `own` is the id of the one that may have it. */
const fault = (name, own = null) => store.sets.some(set => set.name === name && set.id !== own) ? nameTaken("data set") : null

function show() {
  const bar = byID("data-sets")
  const { set } = store
  const names = set ? store.sets.map(other => [other.id, other.id === set.id ? set.name : other.name]) : []
  const focused = bar.contains(document.activeElement) ? document.activeElement.id : null
  const isNew = renew(bar, [names, set?.id], () => set ? controls(names) : [])
  if (isNew && focused) byID(focused)?.focus()
  byID("footer").replaceChildren(...footer())
}

const controls = names => [
  make("label", { for: "data-set" }, "Data set"),
  select(names, store.set.id, { id: "data-set", onchange: event => attempt(() => store.openSet(event.target.value)) }),
  button("Rename", rename, { id: "rename-set", class: "quiet" }),
  button("Delete", remove, { id: "delete-set", class: "quiet" }),
  button("New data set", create, { id: "new-set", class: "quiet" }),
]

function footer() {
  const { server } = store
  if (!server) return []
  return [
    make("p", {}, `vifi-prompt ${server.version}. Videos stay on the machine that runs it. They are looked at by ${server.backbone.name} (${server.backbone.summary}).`),
    make("p", {}, `${bytes(store.bytes)} of ${bytes(server.limits.quota_bytes)} are in use.`),
  ]
}

async function create() {
  const name = await askText("New data set", {
    label: "Its name", confirm: "Create", check: name => fault(name),
  })
  if (name) await attempt(() => store.createSet(name))
}

async function rename() {
  const own = store.set.id
  const name = await askText("Rename the data set", {
    label: "Its new name", value: store.set.name, confirm: "Rename", check: name => fault(name, own),
  })
  if (name && name !== store.set.name) await attempt(() => store.renameSet(name))
}

async function remove() {
  const { name, clips } = store.set
  const sure = await confirmed(`Delete “${name}”?`, `Its ${count(clips.length, "clip")} will be removed from the server. What was learned from them stays.`, "Delete")
  if (sure && await attempt(async () => { await store.deleteSet(); return true })) notify(`“${name}” is deleted.`)
}
