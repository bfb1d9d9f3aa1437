// A live picture in pieces: recorded one after the other, and asked about one at a time.

/** What browsers record, the cheapest to write first; one that knows none of them takes what it likes. */
const forms = ["video/webm;codecs=vp8", "video/webm;codecs=vp9", "video/webm", "video/mp4"]

/** A file below this size is a header without a picture; Chromium writes one of 110 bytes where its encoder was given none in time. */
const leastBytes = 200

/** Of a file of this type. */
const ending = type => type.startsWith("video/mp4") ? "mp4" : type.includes("matroska") ? "mkv" : "webm"

/** "2026-03-09 14.05.07", by the clock on the wall, as a part of a file's name. */
function stamp(date) {
  const two = number => String(number).padStart(2, "0")
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(".")}`
}

/**
 * Records pieces until it is stopped. Each has a recorder of its own: what one recorder hands out piece by piece begins
 * with a header once only, and is no file from the second piece on.
 *
 * @param seconds gives the length of the piece that begins.
 * @param take hears of each piece: `file`, or null where there was no picture; `began` (a date) and `seconds`.
 * @param fail hears why nothing can be recorded, or no more.
 * @returns what stops it; the piece that has begun is let go.
 */
export function recordPieces(stream, seconds, take, fail) {
  const form = forms.find(form => MediaRecorder.isTypeSupported(form))
  let recorder = null, timer = null, isOver = false
  const close = own => { if (own && own.state !== "inactive") own.stop() }

  const next = () => {
    const parts = [], piece = { began: new Date(), seconds: seconds() }
    try {
      const own = recorder = new MediaRecorder(stream, form ? { mimeType: form } : {})
      own.addEventListener("dataavailable", ({ data }) => parts.push(data))
      own.addEventListener("error", ({ error }) => { if (!isOver) fail(error) })
      own.addEventListener("stop", () => {
        if (isOver) return
        const { mimeType: type } = own
        const file = new File(parts, `camera ${stamp(piece.began)}.${ending(type)}`, { type })
        take({ ...piece, file: file.size < leastBytes ? null : file })
      })
      own.start()
    } catch (error) {
      return fail(error)
    }
    timer = setTimeout(() => {
      close(recorder)
      next()
    }, 1000 * piece.seconds)
  }

  next()
  return () => {
    isOver = true
    clearTimeout(timer)
    close(recorder)
  }
}

/**
 * Asks about pieces in their order: one question is on its way, at most one piece waits, and a newer one takes its place.
 *
 * @param ask asks about a piece, and says after how many seconds it should be asked about once more; 0 if it need not.
 * @param leftOut hears of each piece that nobody will be asked about.
 * @returns a function that takes a piece.
 */
export function inTurn(ask, leftOut, signal) {
  let waiting = null, isBusy = false
  const wait = piece => {
    if (waiting !== null) leftOut()
    waiting = piece
  }
  return async piece => {
    wait(piece)
    if (isBusy) return
    isBusy = true
    while (waiting !== null && !signal.aborted) {
      const next = waiting
      waiting = null
      const pause = await ask(next)
      if (pause === 0) continue
      await new Promise(resolve => setTimeout(resolve, 1000 * pause))
      if (waiting === null) waiting = next
      else leftOut()
    }
    isBusy = false
  }
}
