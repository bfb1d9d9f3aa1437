// The data sets: which one is open, and making, renaming and deleting them.

import { button, byID, make, select } from "./dom.js"
import { askText, attempt, confirmed, notify } from "./notices.js"
import { store } from "./store.js"
import { bytes, count } from "./words.js"

export function startDataSets() {
  store.follow(["sets", "set", "server"], show)
}

const isTaken = name => store.sets.some(set => set.name === name && set.id !== store.set?.id)

function show() {
  const bar = byID("data-sets")
  const focused = bar.contains(document.activeElement) ? document.activeElement.id : null
  bar.replaceChildren()
  if (store.set) {
    const names = store.sets.map(set => [set.id, set.id === store.set.id ? store.set.name : set.name])
    bar.append(
      make("label", { for: "data-set" }, "Data set"),
      select(names, store.set.id, { id: "data-set", onchange: event => attempt(() => store.openSet(event.target.value)) }),
      button("Rename", rename, { id: "rename-set", class: "quiet" }),
      button("Delete", remove, { id: "delete-set", class: "quiet" }))
    bar.append(button("New data set", create, { id: "new-set", class: "quiet" }))
  }
  if (focused) byID(focused)?.focus()
  byID("footer").replaceChildren(...footer())
}

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
    label: "Its name", confirm: "Create", check: name => store.sets.some(set => set.name === name) ? "There is a data set of this name already." : null,
  })
  if (name) await attempt(() => store.createSet(name))
}

async function rename() {
  const name = await askText("Rename the data set", {
    label: "Its new name", value: store.set.name, confirm: "Rename", check: name => isTaken(name) ? "There is a data set of this name already." : null,
  })
  if (name && name !== store.set.name) await attempt(() => store.renameSet(name))
}

async function remove() {
  const { name, clips } = store.set
  const sure = await confirmed(`Delete “${name}”?`, `Its ${count(clips.length, "clip")} will be removed from the server. What was learned from them stays.`, "Delete")
  if (sure && await attempt(async () => { await store.deleteSet(); return true })) notify(`“${name}” is deleted.`)
}
