// The bar that moves or removes the selected clips.

import { moveClips, removeClips } from "./clipcard.js"
import { button, make } from "./dom.js"
import { select, selection, selectionChanges } from "./selection.js"
import { store } from "./store.js"
import { count } from "./words.js"

export function selectionBar() {
  const bar = make("div", { id: "selection", class: "selection", role: "group", "aria-label": "Selected clips", hidden: true })
  const show = () => {
    for (const card of document.querySelectorAll("#board .clip")) {
      const isOn = selection.has(card.dataset.clip)
      card.classList.toggle("selected", isOn)
      card.querySelector("input").checked = isOn
    }
    bar.hidden = selection.size === 0
    if (bar.hidden) return bar.replaceChildren()
    const menu = make("select", { id: "move-selected", "aria-label": "Move the selected clips to", onchange: () => { if (menu.value !== "-") moveClips([...selection], menu.value || null) } },
      make("option", { value: "-" }, "Move to …"),
      store.set.classes.map(name => make("option", { value: name }, name)),
      make("option", { value: "" }, "no class"))
    bar.replaceChildren(
      make("b", {}, `${count(selection.size, "clip")} selected`), menu,
      button("Remove", () => removeClips([...selection]), { class: "quiet" }),
      button("Select none", () => { for (const id of [...selection]) select(id, false) }, { class: "quiet" }))
  }
  selectionChanges.addEventListener("change", show)
  return bar
}
