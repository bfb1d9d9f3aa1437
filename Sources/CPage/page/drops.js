// What is dragged and dropped: clips from one class to another, and files of the computer.

import { droppedFiles } from "./files.js"
import { attempt } from "./notices.js"

const fileType = "Files"
const hasFiles = event => event.dataTransfer?.types.includes(fileType) ?? false

/**
 * Lets an element take what is dropped on it, and shows that while something is held over it.
 *
 * @param takers what takes a drop, by the type of what is dragged.
 */
export function acceptDrops(element, takers) {
  const taker = event => takers[event.dataTransfer.types.find(type => type in takers)]
  element.addEventListener("dragover", event => {
    if (!taker(event)) return
    event.preventDefault()
    element.classList.add("target")
  })
  element.addEventListener("dragleave", event => { if (!element.contains(event.relatedTarget)) element.classList.remove("target") })
  element.addEventListener("drop", event => {
    element.classList.remove("target")
    const take = taker(event)
    if (!take) return
    event.preventDefault()
    take(event.dataTransfer)
  })
}

/** A taker of files and folders; `take` gets what `droppedFiles` finds. */
export const filesTaker = take => ({
  [fileType]: async transfer => {
    const found = await attempt(() => droppedFiles(transfer))
    if (found) take(found)
  },
})

/** Takes files wherever they are dropped, except where an element takes them for itself. */
export function acceptFilesAnywhere(veil, take) {
  const takers = filesTaker(take)
  let depth = 0
  addEventListener("dragenter", event => { if (hasFiles(event)) { depth += 1; veil.hidden = false } })
  addEventListener("dragleave", event => { if (hasFiles(event)) { depth -= 1; veil.hidden = depth <= 0 } })
  addEventListener("dragover", event => { if (hasFiles(event)) event.preventDefault() })
  addEventListener("drop", event => {
    depth = 0
    veil.hidden = true
    if (!hasFiles(event) || event.defaultPrevented) return
    event.preventDefault()
    takers[fileType](event.dataTransfer)
  })
}
