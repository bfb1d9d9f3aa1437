// A clip on the board: its picture, name and class, and the keys that work on it.

import * as api from "./api.js"
import { button, make } from "./dom.js"
import { announce, confirmed } from "./notices.js"
import { isSelected, select, selection } from "./selection.js"
import { store } from "./store.js"
import { openViewer } from "./viewer.js"
import { count, length } from "./words.js"

export const dragType = "application/x-vifi-clips"

/** Cards by data set and clip, so that pictures are loaded once and the focus stays. */
const cards = new Map()

export function cardOf(clip) {
  const key = `${store.set.id}/${clip.id}`
  const known = cards.get(key)
  if (known) return known
  const card = newCard(store.set.id, clip)
  cards.set(key, card)
  return card
}

export const cardsDraggedIn = transfer => transfer.getData(dragType).split(" ").filter(id => id !== "")

function newCard(set, clip) {
  const picture = make("img", { src: api.pictureURL(set, clip.id), alt: "", loading: "lazy", draggable: "false", onerror: event => event.target.classList.add("missing") })
  const play = make("button", { type: "button", class: "picture", onclick: () => openViewer(clip.id), onkeydown: event => pressed(event, clip.id) },
    picture, make("span", { class: "length" }, length(clip.seconds)))
  const box = make("input", { type: "checkbox", "aria-label": `Select ${clip.name}`, onchange: event => select(clip.id, event.target.checked) })
  const card = make("li", { class: "clip", draggable: "true", "data-clip": clip.id },
    play, make("label", { class: "pick" }, box),
    make("span", { class: "name", title: clip.name }, clip.name),
    make("div", { class: "row" }, classMenu(clip.id), button("×", () => removeClips([clip.id]), { class: "quiet icon", "aria-label": `Remove ${clip.name}`, title: "Remove the clip" })))
  card.addEventListener("dragstart", event => {
    event.dataTransfer.setData(dragType, concerned(clip.id).join(" "))
    event.dataTransfer.effectAllowed = "move"
    card.classList.add("dragged")
  })
  card.addEventListener("dragend", () => card.classList.remove("dragged"))
  return card
}

/** Brings what can change up to date. */
export function refreshCard(card) {
  const clip = store.clip(card.dataset.clip)
  const place = clip.class === null ? "in no class" : `in ${clip.class}`
  card.querySelector(".picture").setAttribute("aria-label", `Play ${clip.name}, ${length(clip.seconds)}, ${place}`)
  card.querySelector("input").checked = isSelected(clip.id)
  card.classList.toggle("selected", isSelected(clip.id))
  const menu = card.querySelector("select")
  if (document.activeElement === menu) fillMenu(menu, clip.class)
  else menu.replaceChildren(option(clip.class))
}

// The class of a clip

const option = name => make("option", { value: name ?? "" }, name ?? "no class")

function fillMenu(menu, name) {
  menu.replaceChildren(option(null), ...store.set.classes.map(option))
  menu.value = name ?? ""
}

/** A menu of all classes; it is filled when somebody turns to it, for there may be thousands of clips. */
export function classMenu(id) {
  const clip = store.clip(id)
  const ready = event => { if (event.target.options.length <= 1) fillMenu(event.target, store.clip(id)?.class) }
  const menu = make("select", {
    class: "class-menu", "aria-label": `Class of ${clip.name}`, onfocus: ready, onpointerdown: ready,
    onchange: event => moveClips([id], event.target.value || null),
  }, option(clip.class))
  return menu
}

/** Those clips that something done to one of them is meant for: all selected ones, if it is one of these. */
const concerned = id => isSelected(id) ? [...selection] : [id]

export async function moveClips(ids, name) {
  const first = store.clip(ids[0])
  const done = store.moveClips(ids, name)
  const left = store.clipsOf(null).length
  announce(`${ids.length === 1 ? first.name : count(ids.length, "clip")} ${ids.length === 1 ? "is" : "are"} now in ${name ?? "no class"}.${left > 0 ? ` ${count(left, "clip")} left in no class.` : ""}`)
  for (const id of ids) select(id, false)
  await done
}

export async function removeClips(ids) {
  const first = store.clip(ids[0])
  const question = ids.length === 1 ? `Remove ${first.name}?` : `Remove ${count(ids.length, "clip")}?`
  if (!await confirmed(question, "The server's copy is deleted. Your own file stays where it is.", "Remove")) return
  for (const id of ids) select(id, false)
  const next = neighbor(document.querySelector(`[data-clip="${ids[0]}"]`), 1)
  await store.removeClips(ids)
  if (next?.isConnected) next.querySelector(".picture").focus()
}

// Keys

function pressed(event, id) {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  const card = event.currentTarget.closest(".clip")
  if (/^[0-9]$/.test(event.key)) {
    const name = event.key === "0" ? null : store.set.classes[Number(event.key) - 1]
    if (name === undefined) return
    event.preventDefault()
    // Sorting goes on with the clip that comes next in the list.
    const next = card.nextElementSibling ?? card.previousElementSibling
    const isMoving = store.clip(id).class !== name
    moveClips(concerned(id), name)
    const target = isMoving && next?.isConnected ? next : card
    target.querySelector(".picture").focus()
  } else if (event.key === "Delete") {
    event.preventDefault()
    removeClips(concerned(id))
  } else if (event.key === "x") {
    select(id, !isSelected(id))
  } else if (event.key.startsWith("Arrow")) {
    event.preventDefault()
    const other = event.key === "ArrowRight" ? neighbor(card, 1) : event.key === "ArrowLeft" ? neighbor(card, -1) : below(card, event.key === "ArrowDown" ? 1 : -1)
    other?.querySelector(".picture").focus()
  }
}

const allCards = () => [...document.querySelectorAll("#board .clip")]

/** The card after or before this one, over all columns. */
function neighbor(card, step) {
  const all = allCards()
  return all[all.indexOf(card) + step]
}

/** The nearest card below (1) or above (-1). */
function below(card, direction) {
  const from = card.getBoundingClientRect()
  const distance = other => {
    const box = other.getBoundingClientRect()
    const down = (box.top - from.top) * direction
    return down < from.height / 2 ? Infinity : down + 3 * Math.abs(box.left - from.left)
  }
  return allCards().map(other => [distance(other), other]).filter(([far]) => far < Infinity).sort((a, b) => a[0] - b[0])[0]?.[1]
}
