// Held-out clips with the answers they got, and a way to put their class right.

import * as api from "./api.js"
import { button, make } from "./dom.js"
import { classMenu, moveClips } from "./clipcard.js"
import { store } from "./store.js"
import { openViewer } from "./viewer.js"
import { percent } from "./words.js"

/** @param items from the held-out answers: `clip`, `class`, `predicted`, `probability`. */
export function clipList(items) {
  return make("ul", { class: "answers" }, items.map(row))
}

function row({ clip: id, class: truth, predicted, probability }) {
  const clip = store.clip(id)
  if (!clip) return make("li", { class: "answer" }, make("p", { class: "hint" }, `A clip of ${truth} that has been removed.`))
  const isRight = truth === predicted
  const isMoved = clip.class !== truth
  return make("li", { class: "answer" },
    make("button", { type: "button", class: "picture", "aria-label": `Play ${clip.name}`, onclick: () => openViewer(id) }, make("img", { src: api.pictureURL(store.set.id, id), alt: "", loading: "lazy" })),
    make("div", {},
      make("p", {}, make("b", {}, truth), isRight ? ` (${percent(probability)} sure)` : [", taken for ", make("b", {}, predicted), ` (${percent(probability)} sure)`]),
      make("p", { class: "hint" }, clip.name),
      isMoved && make("p", { class: "hint" }, `Now in ${clip.class ?? "no class"}.`),
      make("div", { class: "row" },
        !isRight && clip.class !== predicted && store.set.classes.includes(predicted) && button(`It is really ${predicted}`, () => moveClips([id], predicted), { class: "correct" }),
        isMoved && store.set.classes.includes(truth) && button(`Back to ${truth}`, () => moveClips([id], truth), { class: "quiet" }),
        make("label", { class: "row" }, make("span", { class: "hint" }, isRight ? "Class" : "or"), classMenu(clip)))))
}
