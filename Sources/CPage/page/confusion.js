// Held-out answers class by class, and which class was taken for which.

import { button, make } from "./dom.js"
import { count, percent } from "./words.js"

/** How many clips were recognized. */
export const correctCount = held => held.classes.reduce((sum, item) => sum + item.correct, 0)

/** A bar for each class: how many of its clips were recognized. */
export function perClass(held) {
  return make("ul", { class: "bars" }, held.classes.map(({ name, count: all, correct }) =>
    make("li", {}, make("span", { class: "name" }, name),
      make("meter", { min: 0, max: all, value: correct, "aria-label": `${name}: ${correct} of ${count(all, "clip")} recognized` }),
      make("span", { class: "figure" }, `${correct} of ${all}`))))
}

/** Beyond it a table cannot be taken in any more; the mistakes that are made most are listed instead. */
const largestTable = 40

/**
 * A table with a row for each class and a column for each answer.
 *
 * @param open is called with the class and the answer of the cell that was chosen.
 */
export function confusionTable(held, open) {
  const names = held.classes.map(item => item.name)
  if (names.length > largestTable) return mistakes(held, names, open)
  const head = make("tr", {}, make("th", { scope: "col", class: "corner" }, "shows ↓ taken for →"), names.map(name => make("th", { scope: "col" }, make("span", { title: name }, name))))
  const rows = names.map((truth, row) => make("tr", {},
    make("th", { scope: "row" }, truth),
    names.map((answer, column) => cell(held, row, column, truth, answer, open))))
  const table = make("table", { class: "confusion", "aria-label": "Rows: what clips show. Columns: what they were taken for." }, make("thead", {}, head), make("tbody", {}, rows))
  table.addEventListener("keydown", walk)
  return make("div", { class: "scroll" }, table)
}

function mistakes(held, names, open) {
  const found = held.confusion.flatMap((row, truth) => row.map((number, answer) => ({ number, truth, answer })))
    .filter(({ number, truth, answer }) => truth !== answer && number > 0).sort((a, b) => b.number - a.number)
  return make("ul", { class: "mistakes", "aria-label": "Mistakes, the most frequent first" }, found.slice(0, 100).map(({ number, truth, answer }) =>
    make("li", {}, button(`${names[truth]} taken for ${names[answer]}: ${count(number, "clip")}`, () => open(names[truth], names[answer]), { class: "quiet" }))))
}

function cell(held, row, column, truth, answer, open) {
  const number = held.confusion[row][column]
  if (number === 0) return make("td", {}, make("span", { class: "zero" }, "0"))
  const share = number / held.classes[row].count
  const isRight = row === column
  return make("td", {}, button(String(number), () => open(truth, answer), {
    class: `cell ${isRight ? "right" : "wrong"}`, "data-row": row, "data-column": column,
    "aria-label": isRight ? `${count(number, "clip")} of ${truth} recognized, ${percent(share)}. Show.` : `${count(number, "clip")} of ${truth} taken for ${answer}. Show.`,
  }))
}

/** The arrow keys go from one filled cell to the next in that direction. */
function walk(event) {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key]
  const from = event.target.closest(".cell")
  if (!step || !from) return
  event.preventDefault()
  const place = element => [Number(element.dataset.row), Number(element.dataset.column)]
  const [row, column] = place(from)
  const ahead = [...event.currentTarget.querySelectorAll(".cell")].map(other => {
    const [otherRow, otherColumn] = place(other)
    const along = (otherRow - row) * step[0] + (otherColumn - column) * step[1]
    const aside = Math.abs((otherRow - row) * step[1]) + Math.abs((otherColumn - column) * step[0])
    return { other, along, cost: along + 3 * aside }
  }).filter(({ along }) => along > 0).sort((a, b) => a.cost - b.cost)
  ahead[0]?.other.focus()
}
