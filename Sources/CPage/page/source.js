// A live source of the server: the latest answers about it, and why there are no more.

import { button, make } from "./dom.js"
import { makeLiveAnswers } from "./liveanswers.js"
import { announce } from "./notices.js"
import { count } from "./words.js"

/**
 * @param follow asks for answers: `(name, signal, { answer, interruption })`, a promise that is kept when the source ends.
 * `answer` hears the server's line and the `classes` that could be answered.
 * @param changed hears when a source begins or ends to be followed.
 * @returns `element`; `isOn`; `start(name)`, which follows a source from now on; `again()` with other settings; and
 * `putAway()`, which ends it and shows nothing of it.
 */
export function makeFollower({ follow, changed }) {
  /** The source that is followed, `name` and `stopper`; null where there is none. */
  let session = null
  const answers = makeLiveAnswers("source")
  const message = make("p", { id: "source-message" })
  const box = make("div", { class: "notice" }, message)
  const stop = button("Stop", () => end(session, "The source is not followed any more."), { id: "source-stop", class: "large" })
  const tally = make("p", { id: "source-tally", class: "hint" })
  const read = make("div", { class: "read" }, answers.verdict, answers.heading, tally, answers.list)
  const element = make("div", { id: "source", hidden: true }, box, make("div", { class: "row" }, stop), read)

  function show(words, isError = false) {
    element.hidden = false
    message.textContent = words
    box.classList.toggle("error", isError)
    stop.hidden = answers.verdict.hidden = session === null
    read.hidden = session === null && answers.isEmpty
    announce(words)
    changed()
  }

  async function start(name) {
    session?.stopper.abort()
    const own = session = { name, stopper: new AbortController() }
    const { signal } = own.stopper
    answers.clear("Wait for the first answer …")
    tally.textContent = ""
    show(`Following ${name}.`)
    try {
      await follow(name, signal, {
        answer: (line, classes) => {
          if (signal.aborted) return
          message.textContent = `Following ${name}.`
          tally.textContent = line.dropped_windows > 0 ? `${count(line.dropped_windows, "window")} left out: the server was still busy with those before.` : ""
          answers.add(new Date(line.time), line.answer, classes)
        },
        interruption: ({ wait_seconds }) => { if (!signal.aborted) message.textContent = `${name} is away. It is tried again in ${count(Math.round(wait_seconds), "second")}.` },
      })
      end(own, `${name} has come to its end.`)
    } catch (error) {
      end(own, error.message, true)
    }
  }

  /** Ends it, unless it is over already. */
  function end(own, words, isError = false) {
    if (own === null || session !== own) return
    session = null
    own.stopper.abort()
    const hadFocus = document.activeElement === stop
    show(words, isError)
    if (hadFocus) document.getElementById("try-source").focus()
  }

  return {
    element, start,
    get isOn() { return session !== null },
    again() { if (session !== null) start(session.name) },
    putAway() {
      end(session, "The source is not followed any more.")
      element.hidden = true
    },
  }
}
