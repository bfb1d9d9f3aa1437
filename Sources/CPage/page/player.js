// A video with a canvas over it, and its time.

import { make } from "./dom.js"
import * as api from "./api.js"

/**
 * @returns `element`; `seek(seconds)`; `seconds` now; `whenMoved(action)` for every picture that is shown; `canvas` over
 *   the picture, and `picture`, where that lies in it.
 */
export function makePlayer(video) {
  const media = make("video", { src: video.url, controls: true, loop: true, playsinline: true, preload: "auto" })
  media.muted = true
  const canvas = make("canvas", { class: "overlay", "aria-hidden": "true" })
  const fault = make("p", { class: "hint" }, "This browser cannot play the video; the server could read it all the same.")
  const element = make("div", { class: "player" }, media, canvas)
  media.addEventListener("error", () => {
    // A clip of the data set has at least a picture.
    if (video.clip) media.replaceWith(make("img", { src: api.pictureURL(video.set, video.clip), alt: `A picture of ${video.name}` }))
    element.append(fault)
  }, { once: true })

  const actions = []
  const tell = () => { for (const action of actions) action(media.currentTime) }
  // The event comes four times a second only; while the video plays, each picture counts.
  const follow = () => {
    if (!element.isConnected) return
    tell()
    if (!media.paused) requestAnimationFrame(follow)
  }
  media.addEventListener("play", follow)
  for (const name of ["seeked", "pause", "loadeddata"]) media.addEventListener(name, tell)
  new ResizeObserver(tell).observe(media)

  return {
    element, canvas,
    get seconds() { return media.currentTime },
    seek(seconds) {
      // A little inside, or rounding shows the picture before.
      media.currentTime = seconds + 0.01
      media.play().catch(() => {})
    },
    whenMoved(action) { actions.push(action) },
    /** `[x, y, width, height]` of the picture in the canvas's pixels: the player may leave margins around it. */
    get picture() {
      const { clientWidth: width, clientHeight: height, videoWidth, videoHeight } = media
      if (!videoWidth) return [0, 0, width, height]
      const scale = Math.min(width / videoWidth, height / videoHeight)
      return [(width - videoWidth * scale) / 2, (height - videoHeight * scale) / 2, videoWidth * scale, videoHeight * scale]
    },
    get box() { return [media.clientWidth, media.clientHeight] },
  }
}
