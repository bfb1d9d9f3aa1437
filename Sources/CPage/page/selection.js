// Which clips are selected, for doing something with several at once.

import { store } from "./store.js"

/** The ids of the selected clips. */
export const selection = new Set()

/** Emits "change". */
export const selectionChanges = new EventTarget()

export const isSelected = id => selection.has(id)

export function select(id, isOn) {
  if (isOn === selection.has(id)) return
  if (isOn) selection.add(id)
  else selection.delete(id)
  selectionChanges.dispatchEvent(new Event("change"))
}

/** Clips that are gone, or in a data set that is no longer open, are selected no more. */
export function startSelection() {
  store.addEventListener("set", () => { for (const id of [...selection]) if (!store.clip(id)) select(id, false) })
}
