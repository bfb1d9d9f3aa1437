// All that can answer on this server: given prompts and what was learned.

import * as api from "./api.js"
import { button, byID, make, renew } from "./dom.js"
import { attempt, confirmed } from "./notices.js"
import { store } from "./store.js"
import { bytes, listed, moment, percent } from "./words.js"

export function startClassifiers() {
  store.follow(["prompts", "sets"], show)
}

function show() {
  if (!store.isLoaded) return
  const { prompts, promptFaults } = store
  byID("classifiers").hidden = prompts.length + promptFaults.length === 0
  renew(byID("classifiers-panel"), [prompts, promptFaults, store.sets.map(set => set.name)], () => [prompts.length > 0 && table(), promptFaults.length > 0 && faults()].filter(Boolean))
}

/** Files of the folder that cannot answer; they are looked at again whenever they change. */
function faults() {
  return make("ul", { id: "prompt-faults", class: "fault" }, store.promptFaults.map(({ file, message }) => make("li", {}, message.includes(file) ? message : `${file}: ${message}`)))
}

function table() {
  const rows = store.prompts.map(prompts => make("tr", {},
    make("th", { scope: "row" }, prompts.name, make("span", { class: "hint" }, origin(prompts))),
    make("td", { "data-label": "Classes" }, prompts.classes.length > 4 ? `${prompts.classes.slice(0, 3).join(", ")} and ${prompts.classes.length - 3} more` : listed(prompts.classes)),
    make("td", { "data-label": "Recognized" }, prompts.held_out_top1 === null ? "not known" : percent(prompts.held_out_top1 / 100)),
    make("td", { class: "row" },
      make("a", { class: "button", href: api.promptsURL(prompts.id), download: true, "aria-label": `Download ${prompts.name}, ${bytes(prompts.bytes)}` }, `Download (${bytes(prompts.bytes)})`),
      prompts.origin === "learned" && button("Delete", () => remove(prompts), { class: "quiet", "aria-label": `Delete ${prompts.name}` }))))
  return make("table", { class: "wide" },
    make("thead", {}, make("tr", {}, ["Name", "Classes", "Recognized", "File"].map(name => make("th", { scope: "col" }, name)))), make("tbody", {}, rows))
}

function origin(prompts) {
  if (prompts.origin === "given") return "given to the server"
  if (prompts.origin === "folder") return "in the server's folder"
  const set = store.sets.find(set => set.id === prompts.data_set)?.name
  return [prompts.kind === "prompts" ? "prompts" : prompts.method, set && `from “${set}”`, prompts.created && moment(prompts.created)].filter(Boolean).join(", ")
}

async function remove(prompts) {
  if (!await confirmed(`Delete “${prompts.name}”?`, "The classifier is removed from the server. Download it first if you want to keep it.", "Delete")) return
  await attempt(async () => {
    await api.deletePrompts(prompts.id)
    await store.loadPrompts()
  })
}
