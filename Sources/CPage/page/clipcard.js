// A clip on the board: its picture, name and class, and the keys that work on it.

import * as api from "./api.js"
import { button, byID, make, renew } from "./dom.js"
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

/** The ids of dragged clips; those of another window may be of another data set, and stay where they are. */
export const cardsDraggedIn = transfer => transfer.getData(dragType).split(" ").filter(id => store.clip(id))

function newCard(set, clip) {
  const picture = make("img", { src: api.pictureURL(set, clip.id), alt: "", loading: "lazy", draggable: "false", onerror: event => event.target.classList.add("missing") })
  const play = make("button", { type: "button", class: "picture", onclick: () => openViewer(clip.id), onkeydown: event => pressed(event, clip.id) },
    picture, make("span", { class: "length" }, length(clip.seconds)))
  const box = make("input", { type: "checkbox", "aria-label": `Select ${clip.name}`, onchange: event => select([clip.id], event.target.checked) })
  const card = make("li", { class: "clip", draggable: "true", "data-clip": clip.id },
    play, make("label", { class: "pick" }, box),
    make("span", { class: "name", title: clip.name }, clip.name),
    make("div", { class: "row" }, classMenu(clip), button("×", () => removeClips([clip.id]), { class: "quiet icon", "aria-label": `Remove ${clip.name}`, title: "Remove the clip" })))
  card.addEventListener("dragstart", event => {
    event.dataTransfer.setData(dragType, concerned(clip.id).join(" "))
    event.dataTransfer.effectAllowed = "move"
    card.classList.add("dragged")
  })
  card.addEventListener("dragend", () => card.classList.remove("dragged"))
  return card
}

/** Brings what can change up to date. */
export function refreshCard(card, clip) {
  const place = clip.class === null ? "in no class" : `in ${clip.class}`
  card.querySelector(".picture").setAttribute("aria-label", `Play ${clip.name}, ${length(clip.seconds)}, ${place}`)
  const menu = card.querySelector("select")
  fillMenu(menu, clip.class, document.activeElement === menu)
  showSelected(card)
}

export function showSelected(card) {
  const isOn = isSelected(card.dataset.clip)
  card.classList.toggle("selected", isOn)
  card.querySelector("input").checked = isOn
}

export const allCards = () => [...document.querySelectorAll("#board .clip")]

/** Gives the focus to a clip on the board. */
export const focusClip = id => allCards().find(card => card.dataset.clip === id)?.querySelector(".picture").focus()

// The class of a clip

/** Only a menu that somebody turns to has all classes: there may be thousands of clips. */
function fillMenu(menu, name, isFull) {
  const names = isFull ? [null, ...store.set.classes] : [name]
  renew(menu, names, () => names.map(name => make("option", { value: name ?? "" }, name ?? "no class")))
  menu.value = name ?? ""
}

export function classMenu(clip) {
  const fill = () => fillMenu(menu, store.clip(clip.id)?.class ?? null, true)
  const menu = make("select", {
    class: "class-menu", "aria-label": `Class of ${clip.name}`, onfocus: fill, onpointerdown: fill,
    onchange: () => moveClips([clip.id], menu.value || null),
  })
  fillMenu(menu, clip.class, false)
  return menu
}

/** Those clips that something done to one of them is meant for: all selected ones, if it is one of these. */
const concerned = id => isSelected(id) ? [...selection] : [id]

/** Moves clips and says so. */
export function moveClips(ids, name) {
  if (ids.length === 0) return
  const subject = ids.length === 1 ? `${store.clip(ids[0]).name} is` : `${count(ids.length, "clip")} are`
  store.moveClips(ids, name)
  const left = store.clipsOf(null).length
  announce(`${subject} now in ${name ?? "no class"}.${left > 0 ? ` ${count(left, "clip")} left in no class.` : ""}`)
  select(ids, false)
}

export async function removeClips(ids) {
  const question = ids.length === 1 ? `Remove ${store.clip(ids[0]).name}?` : `Remove ${count(ids.length, "clip")}?`
  if (!await confirmed(question, "The server's copy is deleted. Your own file stays where it is.", "Remove")) return
  const next = successor(allCards().find(card => card.dataset.clip === ids[0]), ids)
  await store.removeClips(ids)
  select(ids.filter(id => !store.clip(id)), false)
  const target = next?.isConnected ? next : allCards()[0]
  const hasFocus = document.activeElement !== document.body
  if (!hasFocus) (target?.querySelector(".picture") ?? byID("choose-files")).focus()
}

/** The card of the same list that is the next one to turn to when these clips have left it; null where there is none. */
function successor(card, ids) {
  if (!card) return null
  const list = [...card.parentElement.children]
  const place = list.indexOf(card)
  const stays = other => !ids.includes(other.dataset.clip)
  return list.slice(place + 1).find(stays) ?? list.slice(0, place).findLast(stays) ?? null
}

// Keys

function pressed(event, id) {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  const card = event.currentTarget.closest(".clip")
  const name = store.classOfKey(event.key)
  if (name !== undefined) {
    event.preventDefault()
    // Sorting goes on with the clip that comes next in the list.
    const ids = concerned(id)
    const next = store.clip(id).class === name ? null : successor(card, ids)
    moveClips(ids, name)
    const target = next ?? card
    target.querySelector(".picture").focus()
  } else if (event.key === "Delete") {
    event.preventDefault()
    removeClips(concerned(id))
  } else if (event.key === "x") {
    select([id], !isSelected(id))
  } else if (event.key.startsWith("Arrow")) {
    event.preventDefault()
    const other = { ArrowRight: () => neighbor(card, 1), ArrowLeft: () => neighbor(card, -1), ArrowDown: () => below(card, 1), ArrowUp: () => below(card, -1) }[event.key]()
    other?.querySelector(".picture").focus()
  }
}

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
