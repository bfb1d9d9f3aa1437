// The board: clips that are in no class yet, and a column for each class. Clips move by dragging, by the menu on each, by
// the digits, or several at once.

import { arrange, button, byID, fileInput, hue, keepingFocus, make, renew } from "./dom.js"
import { cardOf, cardsDraggedIn, dragType, moveClips, refreshCard } from "./clipcard.js"
import { acceptDrops, acceptFilesAnywhere, filesTaker } from "./drops.js"
import { accepted, chosenFiles, suggestedClasses } from "./files.js"
import { announce, askText, attempt, confirmed } from "./notices.js"
import { isSelected, select, startSelection } from "./selection.js"
import { selectionBar } from "./selectionbar.js"
import { store } from "./store.js"
import { addVideos, isSending } from "./uploads.js"
import { count, listed, nameTaken } from "./words.js"

/** Columns by class; that of `null` holds the clips without one. */
const columns = new Map()
/** Clips that somebody has sorted, or for which the suggestion was declined: nothing is suggested for them again. */
const settled = new Set()

export function startBoard() {
  buildDropZone()
  startSelection()
  byID("board").append(addClassForm(), make("div", { id: "unsorted" }), make("div", { id: "columns", class: "columns" }), selectionBar())
  store.follow(["set", "sets"], show)
}

// Adding videos

function buildDropZone() {
  const files = fileInput({ id: "files", multiple: true, accept: accepted }, files => addVideos(chosenFiles(files)))
  const folder = fileInput({ id: "folder", webkitdirectory: true }, files => addVideos(chosenFiles(files)))
  byID("drop-zone").append(make("div", { class: "drop-zone" },
    make("p", { id: "drop-words" }),
    make("div", { class: "row" },
      button("Choose videos", () => files.click(), { id: "choose-files", class: "primary" }),
      button("Choose a folder", () => folder.click(), { id: "choose-folder" })),
    make("p", { class: "hint" }, "If a folder has folders inside, their names become the classes."),
    files, folder))
  acceptFilesAnywhere(byID("page-drop"), found => addVideos(found))
}

// Showing

function show() {
  if (!store.isLoaded) return
  const { set } = store
  const isEmpty = !set || (set.clips.length === 0 && set.classes.length === 0)
  byID("clips").classList.toggle("empty", isEmpty)
  byID("drop-words").textContent = isEmpty
    ? "Drop your videos here, or choose them: a few short clips of each thing that you want to tell apart. Five of each are a good start."
    : "Drop more videos or folders here, or onto a class."
  byID("board").hidden = isEmpty
  showSuggestion()
  keepingFocus(showColumns)
}

function showColumns() {
  const { set } = store
  const names = set ? [null, ...set.classes] : []
  const wanted = new Set(names)
  for (const [name, column] of columns) if (!wanted.has(name) || column.set !== set.id) columns.delete(name)
  const shown = names.map(name => columns.get(name) ?? newColumn(name))
  arrange(byID("unsorted"), shown.slice(0, 1).map(column => column.element))
  arrange(byID("columns"), shown.slice(1).map(column => column.element))
  names.forEach((name, index) => fillColumn(shown[index], name, index - 1))
  byID("unsorted").hidden = store.clipsOf(null).length === 0
}

function newColumn(name) {
  const title = make("h3", {}, make("span", { class: "swatch" }), make("span", { class: "title" }, name ?? "In no class yet"), make("span", { class: "count" }))
  const list = make("ul", { class: "clips", "aria-label": name === null ? "Clips in no class" : `Clips of ${name}` })
  const hint = make("p", { class: "hint" })
  const element = make("section", { class: name === null ? "column unsorted" : "column", "data-class": name ?? "" }, make("div", { class: "head" }, title), hint, list)
  const head = element.querySelector(".head")
  if (name === null) {
    head.append(make("span", { class: "actions" }, button("Select all", selectUnsorted, { class: "quiet" })))
  } else {
    const input = fileInput({ multiple: true, accept: accepted }, files => addVideos(chosenFiles(files), name))
    head.append(make("span", { class: "actions" },
      button("Add", () => input.click(), { class: "quiet", "aria-label": `Add videos to ${name}` }),
      button("Rename", () => renameClass(name), { class: "quiet", "aria-label": `Rename ${name}` }),
      button("×", () => removeClass(name), { class: "quiet icon", "aria-label": `Remove the class ${name}`, title: "Remove the class" }),
      input))
  }
  // Files that are dropped on the clips without a class are added as everywhere else on the page.
  const files = name === null ? {} : filesTaker(found => addVideos(found, name))
  acceptDrops(element, { [dragType]: transfer => moveClips(cardsDraggedIn(transfer), name), ...files })
  const column = { element, list, title, hint, set: store.set.id }
  columns.set(name, column)
  return column
}

function fillColumn(column, name, index) {
  const clips = store.clipsOf(name)
  column.title.querySelector(".count").textContent = count(clips.length, "clip")
  const swatch = column.title.querySelector(".swatch")
  swatch.className = `swatch ${name === null ? "hue-none" : hue(index)}`
  swatch.textContent = index < 9 ? index + 1 : ""
  swatch.title = index < 9 ? `Press ${index + 1} on a clip to put it here` : ""
  column.hint.textContent = name === null
    ? store.set.classes.length === 0 ? "Next: name a class above for each thing that you want to tell apart."
      : "Drag clips into a class, use the menu on each, or go to a clip and press the digit of its class."
    : clips.length === 0 ? "Drag clips here, or drop videos from your computer." : ""
  const cards = clips.map(cardOf)
  arrange(column.list, cards)
  cards.forEach((card, index) => refreshCard(card, clips[index]))
}

/** Selects all clips without a class; where all are selected already, none. */
function selectUnsorted() {
  const ids = store.clipsOf(null).map(clip => clip.id)
  select(ids, !ids.every(isSelected))
}

// Classes

function addClassForm() {
  const input = make("input", { id: "new-class", type: "text", placeholder: "for example: walking", autocomplete: "off" })
  const add = async event => {
    event.preventDefault()
    const names = input.value.split(/[,;\n]/).map(name => name.trim()).filter(name => name !== "")
    if (names.length === 0) return input.focus()
    const added = await attempt(() => store.addClasses(names))
    if (added === undefined) return
    input.value = ""
    input.focus()
    announce(added.length === 0 ? "This class is there already." : `Added ${listed(added)}.`)
  }
  return make("form", { class: "row add-class", onsubmit: add },
    make("label", { for: "new-class" }, "New class"), input, make("button", { type: "submit" }, "Add class"))
}

async function renameClass(name) {
  const other = await askText(`Rename “${name}”`, {
    label: "What these clips show", value: name, confirm: "Rename",
    check: text => text !== name && store.set.classes.includes(text) ? nameTaken("class") : null,
  })
  if (!other || other === name) return
  await attempt(() => store.renameClass(name, other))
  columns.get(other)?.element.querySelector("[aria-label^=Rename]").focus()
}

async function removeClass(name) {
  const clips = store.clipsOf(name)
  const sure = clips.length === 0 || await confirmed(`Remove the class “${name}”?`, `Its ${count(clips.length, "clip")} will stay, in no class.`, "Remove")
  if (!sure) return
  await attempt(() => store.removeClass(name))
  byID("new-class").focus()
}

// What the names of files suggest

function showSuggestion() {
  const { set } = store
  const settle = clips => { for (const clip of clips) settled.add(`${set.id}/${clip.id}`) }
  if (set) settle(set.clips.filter(clip => clip.class !== null))
  // While clips arrive, the suggestion would change with each; the list of data sets is asked for when all are there.
  const groups = set && !isSending() ? suggestedClasses(store.clipsOf(null).filter(clip => !settled.has(`${set.id}/${clip.id}`)), set.classes) : []
  renew(byID("suggestion"), groups.map(([name, clips]) => [name, clips.map(clip => clip.id)]), () => groups.length > 0 ? [suggestion(groups, settle)] : [])
}

function suggestion(groups, settle) {
  const shown = groups.slice(0, 8).map(([name, clips]) => `${name} (${clips.length})`)
  if (groups.length > 8) shown.push(`${groups.length - 8} more`)
  const words = `The names of the files suggest ${count(groups.length, "class", "classes")}: ${listed(shown)}.`
  const use = async () => {
    if (await attempt(() => store.addClasses(groups.map(([name]) => name))) === undefined) return
    byID("new-class").focus()
    const moves = groups.map(([name, clips]) => store.moveClips(clips.map(clip => clip.id), name))
    if ((await Promise.all(moves)).every(isDone => isDone)) announce(`Sorted into ${listed(groups.map(([name]) => name))}.`)
  }
  const decline = () => { settle(store.clipsOf(null)); showSuggestion(); byID("choose-files").focus() }
  return make("div", { class: "notice", role: "status" },
    make("p", {}, words),
    button("Sort them like this", use, { id: "use-suggestion", class: "primary" }),
    button("No, I will sort them", decline, { class: "quiet" }))
}
