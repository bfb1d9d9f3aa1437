// Messages, questions, and what screen readers are told.

import { button, byID, make } from "./dom.js"

const notices = byID("notices"), announcer = byID("announcer")

/** Says something to those who do not see it. */
export function announce(text) {
  announcer.textContent = ""
  // A text that is set twice in a row is read only when the region was empty in between.
  requestAnimationFrame(() => { announcer.textContent = text })
}

/** A message at the corner of the page; errors stay until they are closed. Returns what closes it. */
export function notify(text, { isError = false } = {}) {
  for (const notice of [...notices.children]) if (notice.dataset.text === text) notice.remove()
  const close = () => notice.remove()
  const notice = make("div", { class: isError ? "notice error" : "notice", role: isError ? "alert" : "status", "data-text": text },
    make("p", {}, text), button("Close", close, { class: "quiet" }))
  notices.append(notice)
  if (!isError) setTimeout(close, 8000)
  return close
}

/**
 * Shows what went wrong.
 *
 * @param what could not be done, as a sentence; it goes before the reason.
 */
export function report(error, what = "") {
  // Whoever has no token is asked for it, and who has stopped something knows.
  if (error.name === "AbortError" || error.code === "unauthorized") return
  notify(`${what} ${error.message}`.trim(), { isError: true })
}

/** Runs something and shows what goes wrong; the answer is undefined then. */
export async function attempt(work) {
  try {
    return await work()
  } catch (error) {
    report(error)
    return undefined
  }
}

/** Shows a dialog until it is closed, and gives the focus back to where it was. */
export function openDialog(dialog) {
  const before = document.activeElement
  document.body.append(dialog)
  dialog.addEventListener("close", () => {
    dialog.remove()
    placeMessages()
    if (before?.isConnected) before.focus()
  })
  dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close() })
  dialog.showModal()
  placeMessages()
}

/** Under a dialog nothing else of the page can be seen clearly, used or heard: messages go into the one on top. */
function placeMessages() {
  const home = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body
  home.append(notices, announcer)
}

/** Asks before something that cannot be undone. */
export function confirmed(question, detail, label) {
  return new Promise(resolve => {
    const dialog = make("dialog", { class: "question", "aria-labelledby": "question-title", onclose: () => resolve(dialog.returnValue === "yes") },
      make("h3", { id: "question-title" }, question),
      detail && make("p", {}, detail),
      make("div", { class: "row end" },
        button("Cancel", () => dialog.close("no"), { autofocus: true }),
        button(label, () => dialog.close("yes"), { class: "danger" })))
    openDialog(dialog)
  })
}

/**
 * Asks for a line of text.
 *
 * @param check says what is wrong with a text, or null.
 * @returns the text without blanks around it, or null.
 */
export function askText(question, { label, value = "", confirm = "OK", check = () => null, isSecret = false }) {
  return new Promise(resolve => {
    let answer = null
    const input = make("input", { type: isSecret ? "password" : "text", id: "question-answer", value, autofocus: true, autocomplete: "off", "aria-describedby": "question-fault" })
    const fault = make("p", { id: "question-fault", class: "fault", role: "alert" })
    const accept = event => {
      event.preventDefault()
      const text = input.value.trim()
      const problem = text === "" ? "Type something first." : check(text)
      if (problem) {
        fault.textContent = problem
        input.setAttribute("aria-invalid", "true")
        return input.focus()
      }
      answer = text
      dialog.close()
    }
    const dialog = make("dialog", { class: "question", "aria-labelledby": "question-title", onclose: () => resolve(answer) },
      make("form", { onsubmit: accept, novalidate: true },
        make("h3", { id: "question-title" }, question),
        make("label", { for: "question-answer" }, label), input, fault,
        make("div", { class: "row end" },
          button("Cancel", () => dialog.close()),
          make("button", { type: "submit", class: "primary" }, confirm))))
    openDialog(dialog)
    input.select()
  })
}
