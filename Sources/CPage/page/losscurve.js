// The curve of the loss while prompts learn: how wrong the answers to the clips are at each step.

import { draw } from "./dom.js"

const height = 160
const left = 44, right = 8, top = 8, bottom = 22

/**
 * @param points pairs of step and loss, by step; at least two.
 * @param width in pixels.
 */
export function lossCurve(points, width) {
  const values = points.map(([, loss]) => loss)
  const last = points[points.length - 1]
  const label = `How wrong the answers are: ${points[0][1].toFixed(2)} at step ${points[0][0]}, ${last[1].toFixed(2)} at step ${last[0]}. Lower is better.`
  const drawing = draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "loss", role: "img", "aria-label": label })
  const low = Math.min(0, ...values), high = Math.max(...values) * 1.05 || 1
  const steps = last[0] - points[0][0]
  const x = step => left + (step - points[0][0]) / steps * (width - left - right)
  const y = loss => top + (high - loss) / (high - low) * (height - top - bottom)
  for (const value of [low, (low + high) / 2, high]) {
    drawing.append(
      draw("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "grid" }),
      draw("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(high < 1 ? 2 : 1)))
  }
  drawing.append(
    draw("text", { x: left, y: height - 5 }, `step ${points[0][0]}`),
    draw("text", { x: width - right, y: height - 5, "text-anchor": "end" }, last[0]),
    draw("polyline", { points: points.map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join(" "), class: "curve" }),
    draw("circle", { cx: x(last[0]), cy: y(last[1]), r: 3.5, class: "end" }))
  return drawing
}
