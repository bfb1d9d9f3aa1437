// The steps at the top of the page: which are done, and which comes next.

import { obstacle } from "./learning.js"
import { store } from "./store.js"

export function startSteps() {
  store.follow(["set", "runs", "prompts"], show)
}

function show() {
  const isSorted = obstacle() === null
  const isLearned = store.results.length > 0
  const next = !isSorted ? 0 : !isLearned ? 1 : 2
  document.querySelectorAll(".steps a").forEach((link, index) => {
    const isDone = index < next
    link.querySelector("b").textContent = isDone ? "✓" : index + 1
    link.classList.toggle("done", isDone)
    if (index === next) link.setAttribute("aria-current", "step")
    else link.removeAttribute("aria-current")
  })
}
