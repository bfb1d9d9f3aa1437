// Starts the page: each part fills its place and follows the store.

import { onUnauthorized } from "./api.js"
import { startBoard } from "./board.js"
import { startClassifiers } from "./classifiers.js"
import { startDataSets } from "./datasets.js"
import { byID, make, button } from "./dom.js"
import { startLearning } from "./learning.js"
import { askText } from "./notices.js"
import { startResults } from "./results.js"
import { startRunWatch } from "./runwatch.js"
import { startSteps } from "./steps.js"
import { store } from "./store.js"
import { startTry } from "./try.js"
import { startUploads } from "./uploads.js"

let isAsking = false

onUnauthorized(async () => {
  if (isAsking) return
  isAsking = true
  const token = await askText("This server asks for its token", {
    label: "It was printed where the server was started.", confirm: "Enter", isSecret: true,
  })
  // The server sets a cookie and leads back here.
  if (token) location.assign(`/?token=${encodeURIComponent(token)}`)
  isAsking = false
})

startUploads()
startDataSets()
startBoard()
startLearning()
startResults()
startTry()
startClassifiers()
startSteps()

async function load() {
  try {
    await store.load()
    startRunWatch()
    followOthers()
    document.documentElement.dataset.state = "ready"
  } catch (error) {
    document.documentElement.dataset.state = "failed"
    const box = make("div", { class: "notice error", role: "alert" }, make("p", {}, error.message),
      button("Try again", () => { box.remove(); load() }))
    byID("drop-zone").before(box)
  }
}

/** Whoever comes back to this window sees what was changed in another one meanwhile. */
function followOthers() {
  let isAsking = false
  const ask = async () => {
    if (isAsking || document.hidden) return
    isAsking = true
    // A server that does not answer is told of when something is asked of it.
    await store.refresh().catch(() => {})
    isAsking = false
  }
  addEventListener("focus", ask)
  document.addEventListener("visibilitychange", ask)
}

load()
