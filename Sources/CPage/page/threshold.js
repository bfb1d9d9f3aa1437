// The answer "none of these": below which certainty it is given, and what that costs on the held-out clips.

import { make } from "./dom.js"
import { count, percent } from "./words.js"

const key = id => `vifi-prompt.threshold.${id}`

/** Emits "change" when a threshold has been set. */
export const thresholds = new EventTarget()

/** The share of certainty (0 to 1) below which these prompts answer "none of these". */
export function thresholdOf(id) {
  try { return Number(localStorage.getItem(key(id)) ?? 0) } catch { return 0 }
}

/** What a threshold means, for a slider's label. */
export const thresholdWords = threshold => threshold === 0 ? "Always name a class" : `Say “none of these” when less than ${percent(threshold)} sure`

function keep(id, value) {
  try { localStorage.setItem(key(id), value) } catch { /* Storage can be forbidden: then it holds until the page is left. */ }
  thresholds.dispatchEvent(new Event("change"))
}

export function thresholdPanel(id, held) {
  const all = held.clips.length
  const steps = held.thresholds
  if (steps.length === 0) return make("p", { class: "hint" }, "No thresholds were measured.")
  const saved = thresholdOf(id)
  const nearest = steps.reduce((best, step, index) => Math.abs(step.threshold - saved) < Math.abs(steps[best].threshold - saved) ? index : best, 0)
  const slider = make("input", { id: "threshold", type: "range", min: 0, max: steps.length - 1, step: 1, value: nearest, "aria-describedby": "threshold-cost" })
  const label = make("label", { for: "threshold" })
  const right = make("span", { class: "part right" }), wrong = make("span", { class: "part wrong" }), none = make("span", { class: "part none" })
  const cost = make("p", { id: "threshold-cost", role: "status" })
  const show = () => {
    const { threshold, answered, correct } = steps[Number(slider.value)]
    label.textContent = thresholdWords(threshold)
    slider.setAttribute("aria-valuetext", percent(threshold))
    for (const [part, number] of [[right, correct], [wrong, answered - correct], [none, all - answered]]) {
      part.style.flexGrow = number
      part.hidden = number === 0
      part.textContent = number
    }
    cost.textContent = `${answered} of ${count(all, "clip")} would be answered, ${correct} of them rightly${answered > 0 ? ` (${percent(correct / answered)})` : ""}; ${all - answered} would be called none of these.`
  }
  slider.addEventListener("input", show)
  slider.addEventListener("change", () => keep(id, steps[Number(slider.value)].threshold))
  show()
  return make("div", { class: "threshold" },
    make("p", { class: "hint" }, "A video may show none of your classes. Move the slider to have such videos called “none of these”: those of which the classifier is not sure. It costs answers that would have been right; the numbers count that on your own clips, all of which show one of the classes."),
    label, slider,
    make("div", { class: "stack", "aria-hidden": "true" }, right, wrong, none),
    make("p", { class: "legend", "aria-hidden": "true" }, make("span", { class: "dot right" }), "right ", make("span", { class: "dot wrong" }), "wrong ", make("span", { class: "dot none" }), "none of these"),
    cost)
}
