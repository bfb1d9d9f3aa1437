// Answers about what goes on: the latest one at large, and those before it.

import { isNamed } from "./api.js"
import { colorsOf } from "./answer.js"
import { hue, make } from "./dom.js"
import { announce } from "./notices.js"
import { percent, timeOfDay } from "./words.js"

/** Of the latest answers, so many are shown. */
const mostAnswers = 30

/**
 * @param id that the ids of the elements begin with.
 * @returns the elements `verdict`, `heading` and `list`; `isEmpty`; `clear(words)`, which says what is waited for; and
 * `add(time, answer, classes)`.
 */
export function makeLiveAnswers(id) {
  /** What was announced last. */
  let named = null
  const verdict = make("p", { id: `${id}-answer`, class: "live-answer" })
  const heading = make("h3", { hidden: true }, "The latest answers")
  const list = make("ol", { id: `${id}-latest`, class: "latest", "aria-label": "The latest answers" })
  return {
    verdict, heading, list,
    get isEmpty() { return list.childElementCount === 0 },

    clear(words) {
      list.replaceChildren()
      heading.hidden = true
      named = null
      verdict.replaceChildren(make("span", { class: "wait" }, words))
    },

    add(time, answer, classes) {
      const isClass = isNamed(answer)
      const words = isClass ? answer.class : "None of these"
      const color = hue(isClass ? colorsOf(classes).indexOf(answer.class) : -1)
      const figure = isClass ? percent(answer.probability) : ""
      verdict.replaceChildren(make("span", { class: `swatch ${color}` }), make("span", { class: "name" }, words), make("span", { class: "sure" }, isClass ? `${figure} sure` : ""))
      list.prepend(make("li", {}, make("time", { class: "time", datetime: time.toISOString() }, timeOfDay(time)),
        make("span", { class: `swatch ${color}` }), make("span", { class: "name" }, words), make("span", { class: "figure" }, figure)))
      if (list.childElementCount > mostAnswers) list.lastElementChild.remove()
      heading.hidden = false
      // An answer that stays the same is not told again and again.
      if (named !== words) announce(words)
      named = words
    },
  }
}
