// Building elements. The page's content security policy allows no inline styles or scripts, so everything goes through here.

/**
 * An element with its attributes and children.
 *
 * A key that begins with "on" takes a listener; `true` and `false` set and omit an attribute; `null` omits it.
 * Children that are `null` or `false` are passed over.
 */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children)
}

/** The same for drawings. */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children)
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value)
    else if (key === "value" || key === "checked" || key === "disabled") element[key] = value
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value)
  }
  element.append(...children.flat(2).filter(child => child !== null && child !== undefined && child !== false))
  return element
}

/** A button that does not submit anything; its label may have several parts. */
export function button(label, action, attributes = {}) {
  return make("button", { type: "button", onclick: action, ...attributes }, ...[label].flat())
}

/** A select whose choices are pairs of value and text. */
export function select(choices, chosen, attributes = {}) {
  const element = make("select", attributes, choices.map(([value, text]) => make("option", { value }, text)))
  element.value = chosen
  return element
}

export const byID = id => document.getElementById(id)

/** Opens the file dialog of the browser and gives the chosen files to `action`. */
export function fileInput(attributes, action) {
  return make("input", {
    type: "file", hidden: true,
    onchange: event => {
      const files = [...event.target.files]
      event.target.value = ""
      if (files.length > 0) action(files)
    },
    ...attributes,
  })
}

/** Makes these the children of an element, in this order. What is in its place stays there: moving takes the focus. */
export function arrange(parent, children) {
  const wanted = new Set(children)
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove()
  children.forEach((child, position) => {
    if (parent.children[position] !== child) parent.insertBefore(child, parent.children[position] ?? null)
  })
}

/** Gives the focus back to what had it, where the work has moved that to another place. */
export function keepingFocus(work) {
  const focused = document.activeElement
  work()
  if (focused !== document.activeElement && focused.isConnected) focused.focus()
}

/** What elements were last filled with by `renew`. */
const keys = new WeakMap()

/**
 * Fills an element anew only if what it shows has changed, so that open menus, sliders and the focus stay.
 *
 * @param key any value; two that JSON writes alike are the same.
 * @param build makes the children.
 * @returns whether it was filled.
 */
export function renew(element, key, build) {
  const text = JSON.stringify(key)
  if (keys.get(element) === text) return false
  keys.set(element, text)
  element.replaceChildren(...build())
  return true
}

/** The color that stands for a class, by its place among the classes; eight, then again from the start. */
export const hue = index => index < 0 ? "hue-none" : `hue-${index % 8}`

/** Brings a section into view, without motion for those who want none. */
export function reveal(element) {
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches
  element.scrollIntoView({ behavior: isCalm ? "auto" : "smooth", block: "start" })
}
