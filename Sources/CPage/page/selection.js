// Which clips are selected, for doing something with several at once.

import { store } from "./store.js"

/** The ids of the selected clips. */
export const selection = new Set()

/** Emits "change", once for all clips of a change. */
export const selectionChanges = new EventTarget()

export const isSelected = id => selection.has(id)

export function select(ids, isOn) {
  const changed = ids.filter(id => selection.has(id) !== isOn)
  if (changed.length === 0) return
  for (const id of changed) {
    if (isOn) selection.add(id)
    else selection.delete(id)
  }
  selectionChanges.dispatchEvent(new Event("change"))
}

/** Clips that are gone, or in a data set that is no longer open, are selected no more. */
export function startSelection() {
  store.addEventListener("set", () => select([...selection].filter(id => !store.clip(id)), false))
}
