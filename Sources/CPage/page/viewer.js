// A clip seen large, with its class beneath and the ones before and after it.

import * as api from "./api.js"
import { button, hue, make } from "./dom.js"
import { openDialog } from "./notices.js"
import { store } from "./store.js"
import { length } from "./words.js"

export function openViewer(id) {
  const { order } = store
  let current = id
  const title = make("h3", { id: "viewer-title" })
  const video = make("video", { controls: true, autoplay: true, loop: true, muted: true, playsinline: true })
  video.muted = true
  const fault = make("p", { class: "fault", hidden: true }, "This browser cannot play the clip. The server can still learn from it.")
  video.addEventListener("error", () => { fault.hidden = false })
  const classes = make("div", { class: "row", role: "group", "aria-label": "Class of this clip" })

  const move = name => { store.moveClips([current], name).then(showClasses); showClasses() }
  const showClasses = () => {
    const clip = store.clip(current)
    if (!clip) return dialog.close()
    const focused = classes.contains(document.activeElement) ? [...classes.children].indexOf(document.activeElement) : -1
    classes.replaceChildren(...store.set.classes.map((name, index) =>
      button([make("span", { class: `swatch ${hue(index)}` }, index < 9 ? `${index + 1}` : ""), name], () => move(name),
        { class: "class-button", "aria-pressed": String(clip.class === name) })))
    if (store.set.classes.length === 0) classes.append(make("p", { class: "hint" }, "There are no classes yet. Close this and add some."))
    classes.children[focused]?.focus()
  }
  const showClip = () => {
    const clip = store.clip(current)
    title.textContent = `${clip.name}, ${length(clip.seconds)}`
    fault.hidden = true
    video.src = api.videoURL(store.set.id, clip.id)
    before.disabled = order.indexOf(current) <= 0
    after.disabled = order.indexOf(current) >= order.length - 1
    showClasses()
  }
  const go = step => {
    const other = order[order.indexOf(current) + step]
    if (other && store.clip(other)) { current = other; showClip() }
  }
  const before = button("Previous", () => go(-1))
  const after = button("Next", () => go(1))
  const dialog = make("dialog", { class: "viewer", "aria-labelledby": "viewer-title" },
    title, video, fault, classes,
    make("div", { class: "row end" }, before, after, button("Close", () => dialog.close(), { class: "primary", autofocus: true })))
  dialog.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const name = store.classOfKey(event.key)
    if (name !== undefined) move(name)
    else if (event.key === "n" || (event.key === "ArrowRight" && event.target !== video)) go(1)
    else if (event.key === "p" || (event.key === "ArrowLeft" && event.target !== video)) go(-1)
  })
  dialog.addEventListener("close", () => {
    video.removeAttribute("src")
    video.load()
  })
  openDialog(dialog)
  showClip()
}
