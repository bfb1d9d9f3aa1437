// The bar that moves or removes the selected clips.

import { allCards, focusClip, moveClips, removeClips, showSelected } from "./clipcard.js"
import { button, make, renew } from "./dom.js"
import { select, selection, selectionChanges } from "./selection.js"
import { store } from "./store.js"
import { count } from "./words.js"

export function selectionBar() {
  const bar = make("div", { id: "selection", class: "selection", role: "group", "aria-label": "Selected clips", hidden: true })
  const show = () => {
    bar.hidden = selection.size === 0
    renew(bar, bar.hidden ? null : [selection.size, store.set.classes], () => bar.hidden ? [] : controls())
  }
  selectionChanges.addEventListener("change", () => {
    for (const card of allCards()) showSelected(card)
    show()
  })
  store.follow(["set"], show)
  return bar
}

function controls() {
  const menu = make("select", { id: "move-selected", "aria-label": "Move the selected clips to", onchange: () => leave(ids => moveClips(ids, menu.value || null)) },
    make("option", { value: "-", disabled: true }, "Move to …"),
    store.set.classes.map(name => make("option", { value: name }, name)),
    make("option", { value: "" }, "no class"))
  menu.value = "-"
  return [
    make("b", {}, `${count(selection.size, "clip")} selected`), menu,
    button("Remove", () => removeClips([...selection]), { class: "quiet" }),
    button("Select none", () => leave(ids => select(ids, false)), { class: "quiet" }),
  ]
}

/** Does what hides the bar; the focus goes on to the first of the clips. */
function leave(work) {
  const ids = [...selection]
  work(ids)
  focusClip(ids[0])
}
