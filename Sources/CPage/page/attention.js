// Where the model looked: a map over the video, asked for only when somebody wants it.

import * as api from "./api.js"
import { button, make, select } from "./dom.js"
import { announce, attempt } from "./notices.js"

export function attentionControl(video, answer, classes, player) {
  let maps = null
  let isOn = false
  const main = api.isNamed(answer.answer ?? {}) ? answer.answer.class : answer.segments?.find(segment => api.isNamed(segment.answer))?.answer.class
  const menu = select(classes.map(name => [name, name]), main ?? classes[0], { id: "attention-class", onchange: () => { maps = null; if (isOn) show() } })
  const status = make("p", { class: "hint", role: "status" })
  const toggle = button("Show where it looked", () => { isOn = !isOn; if (isOn) show(); else hide() }, { id: "attention", "aria-pressed": "false" })

  const hide = () => {
    toggle.setAttribute("aria-pressed", "false")
    status.textContent = ""
    paint(player, null)
  }
  const show = async () => {
    toggle.setAttribute("aria-pressed", "true")
    if (!maps) {
      status.textContent = "Looking again, this time at what it looks at …"
      const asked = menu.value
      const found = await attempt(() => api.attention(video, { ...answer.asking, threshold: null, none: null, top: null, class: asked }))
      if (asked !== menu.value || !isOn) return
      if (!found) { isOn = false; return hide() }
      maps = found
      announce(`The map for ${found.class} lies over the video.`)
    }
    status.textContent = `Bright places spoke for “${maps.class}”. Everything outside the square was not seen.`
    paint(player, maps)
  }
  player.whenMoved(() => { if (isOn && maps) paint(player, maps) })
  return make("div", { class: "row attention" }, toggle, make("label", { for: "attention-class" }, "for"), menu, status)
}

/** Draws the map of the frame that is nearest in time. */
function paint(player, maps) {
  const { canvas } = player
  const [width, height] = player.box
  const ratio = devicePixelRatio || 1
  canvas.width = Math.round(width * ratio)
  canvas.height = Math.round(height * ratio)
  canvas.style.width = `${width}px`
  canvas.style.height = `${height}px`
  if (!maps || maps.frames.length === 0) return
  const now = player.seconds
  const frame = maps.frames.reduce((best, other) => Math.abs(other.seconds - now) < Math.abs(best.seconds - now) ? other : best)
  const [left, top, pictureWidth, pictureHeight] = player.picture
  const [x, y, w, h] = frame.crop
  const context = canvas.getContext("2d")
  context.scale(ratio, ratio)
  // Outside of what was seen it gets dark.
  context.fillStyle = "rgb(0 0 0 / 0.55)"
  context.beginPath()
  context.rect(left, top, pictureWidth, pictureHeight)
  context.rect(left + x * pictureWidth, top + y * pictureHeight, w * pictureWidth, h * pictureHeight)
  context.fill("evenodd")
  context.imageSmoothingEnabled = true
  context.imageSmoothingQuality = "high"
  context.drawImage(heatImage(maps, frame), left + x * pictureWidth, top + y * pictureHeight, w * pictureWidth, h * pictureHeight)
}

/** A pixel for each cell of the grid: from clear over orange to yellow. */
function heatImage({ rows, columns }, frame) {
  const image = new ImageData(columns, rows)
  frame.heat.forEach((value, index) => {
    image.data.set([255, Math.round(60 + 180 * value), Math.round(40 * value), Math.round(215 * value)], 4 * index)
  })
  const small = new OffscreenCanvas(columns, rows)
  small.getContext("2d").putImageData(image, 0, 0)
  return small
}
