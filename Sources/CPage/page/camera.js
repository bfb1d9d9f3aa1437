// The camera as a video that goes on: its picture, what it shows at the moment, the latest answers, and why it is off.

import { button, make, renew, select } from "./dom.js"
import { makeLiveAnswers } from "./liveanswers.js"
import { announce } from "./notices.js"
import { inTurn, recordPieces } from "./pieces.js"
import { store } from "./store.js"
import { teach } from "./uploads.js"
import { count } from "./words.js"

/** So long the camera stays on while its part of the page is out of sight: long enough for a look at the clips. */
const unseenSeconds = 10

/**
 * @param section the part of the page that must stay in sight.
 * @param ask asks about a file: `(file, signal) => answer`, with the `classes` that could be answered.
 * @param seconds gives the length of a piece.
 * @param changed hears when the camera goes on or off.
 * @returns `element`; `isOn`; `start()`; `putAway()`, which switches it off and shows nothing of it.
 */
export function makeCamera({ section, ask, seconds, changed }) {
  /** Ends all that belongs to the camera while it is on; null while it is off. */
  let session = null
  /** The piece that was recorded last, and the one that was made a clip last. */
  let latest = null, kept = null
  /** What is shown. */
  let leftOut = 0
  const answers = makeLiveAnswers("camera")

  const picture = make("video", { id: "camera-picture", autoplay: true, playsinline: true, "aria-label": "What the camera shows" })
  picture.muted = true
  const message = make("p", { id: "camera-message" })
  const box = make("div", { class: "notice" }, message)
  const stopper = button("Stop", () => end("The camera is off."), { id: "camera-stop", class: "large" })
  const fault = make("p", { id: "camera-fault", class: "fault" })
  const tally = make("p", { id: "camera-tally", class: "hint" })
  const keepLabel = make("label", { for: "camera-class" })
  const keepMenu = select([], "", { id: "camera-class" })
  const keepWords = make("p", { class: "hint", role: "status" })
  const keeper = make("div", { class: "keeper" },
    make("div", { class: "row" }, keepLabel, keepMenu, button("Add to the clips", keep, { id: "camera-keep" })), keepWords)
  const watch = make("div", { class: "watch" }, make("div", { class: "player" }, picture), make("div", { class: "row" }, stopper), keeper)
  const read = make("div", { class: "read" }, answers.verdict, fault, answers.heading, tally, answers.list)
  const live = make("div", { class: "answer-box" }, watch, read)
  const element = make("div", { id: "camera", hidden: true, "data-state": "off" }, box, live)
  store.follow(["set"], showKeeper)

  /** @param words what a person should know; null where the picture says it. */
  function show(state, words, isError = false) {
    element.hidden = false
    element.dataset.state = state
    message.textContent = words ?? ""
    box.hidden = words === null
    box.classList.toggle("error", isError)
    watch.hidden = session === null
    answers.verdict.hidden = fault.hidden = picture.parentElement.hidden = state !== "live"
    read.hidden = state !== "live" && answers.isEmpty
    live.hidden = watch.hidden && read.hidden
    showKeeper()
    if (words !== null) announce(words)
    changed()
  }

  async function start() {
    if (session !== null) return
    const own = session = new AbortController()
    const { signal } = own
    answers.clear("")
    leftOut = 0
    latest = kept = null
    keepWords.textContent = fault.textContent = ""
    const obstacle = whatIsMissing()
    if (obstacle !== null) return end(obstacle, true)
    show("asking", "The browser asks whether this page may use the camera. Say yes there.")
    stopper.focus()
    // Whoever does not look at the page should not be looked at by its camera.
    document.addEventListener("visibilitychange", () => { if (document.hidden) end("The camera was switched off, because the page was out of sight.") }, { signal })
    let stream
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { width: { ideal: 640 }, height: { ideal: 480 } } })
    } catch (error) {
      if (!signal.aborted) end(refusal(error), true)
      return
    }
    const release = () => { for (const track of stream.getTracks()) track.stop() }
    if (signal.aborted) return release()
    signal.addEventListener("abort", release)
    // Only a camera that goes by itself says so; one that is stopped does not.
    stream.getVideoTracks()[0].addEventListener("ended", () => end("The camera has gone: it was unplugged or switched off, or the browser does not allow it any more.", true), { signal })
    endOutOfSight(signal)
    picture.srcObject = stream
    answers.clear(`Wait ${inWords(seconds())} for the first answer …`)
    tally.textContent = ""
    show("live", null)
    announce("The camera is on.")

    const take = inTurn(piece => askAbout(piece, signal), () => { leftOut += 1; showTally() }, signal)
    const stopRecording = recordPieces(stream, seconds, piece => {
      if (piece.file === null) return say(`There was no picture for ${inWords(piece.seconds)}. The camera may be switched off, or this machine too busy to record.`)
      latest = piece
      showKeeper()
      take(piece)
    }, error => end(`What the camera shows cannot be recorded. The browser says: ${error?.message || "nothing"}`, true))
    // Recording may have failed at once.
    if (signal.aborted) stopRecording()
    else signal.addEventListener("abort", stopRecording)
  }

  /** Switches the camera off; all that belongs to it follows. */
  function end(words, isError = false) {
    if (session === null) return
    const own = session
    session = null
    own.abort()
    picture.srcObject = null
    const hadFocus = document.activeElement === stopper
    show(isError ? "failed" : "stopped", words, isError)
    if (hadFocus) section.querySelector("#use-camera").focus()
  }

  function endOutOfSight(signal) {
    let timer = null
    const observer = new IntersectionObserver(entries => {
      clearTimeout(timer)
      if (!entries.at(-1).isIntersecting) timer = setTimeout(() => end("The camera was switched off, because this part of the page was out of sight."), 1000 * unseenSeconds)
    })
    observer.observe(section)
    signal.addEventListener("abort", () => {
      clearTimeout(timer)
      observer.disconnect()
    })
  }

  // Answers

  /** @returns after how many seconds the same should be asked once more. */
  async function askAbout(piece, signal) {
    try {
      const answered = await ask(piece.file, signal)
      if (signal.aborted) return 0
      say("")
      showAnswered(piece, answered)
    } catch (error) {
      if (signal.aborted) return 0
      if (error.code === "busy") {
        const pause = error.seconds ?? 5
        say(`The server is busy; it is asked again in ${count(pause, "second")}.`)
        return pause
      }
      if (["unreachable", "unauthorized"].includes(error.code)) end(`The camera is off. ${error.message}`, true)
      // The next piece may be answered: the person can change the settings meanwhile.
      else say(error.message)
    }
    return 0
  }

  function say(words) {
    if (fault.textContent === words) return
    fault.textContent = words
    if (words !== "") announce(words)
  }

  function showAnswered(piece, { answer, classes }) {
    answers.add(piece.began, answer, classes)
    showTally()
  }

  function showTally() {
    tally.textContent = leftOut === 0 ? "" : `${count(leftOut, "piece")} ${leftOut === 1 ? "was" : "were"} left out: the server was still busy with those before.`
  }

  // Clips

  function showKeeper() {
    const classes = store.set?.classes ?? []
    const chosen = keepMenu.value
    if (renew(keepMenu, classes, () => [["", "choose a class …"], ...classes.map(name => [name, name])].map(([value, words]) => make("option", { value }, words)))) {
      keepMenu.value = classes.includes(chosen) ? chosen : ""
    }
    keeper.hidden = classes.length === 0 || latest === null
    if (latest !== null) keepLabel.textContent = `Make the last ${inWords(latest.seconds)} a clip of`
  }

  async function keep() {
    const name = keepMenu.value, piece = latest
    if (name === "") return keepMenu.focus()
    if (piece === kept) {
      keepWords.textContent = `These seconds are a clip already. Wait ${inWords(seconds())} for the next ones.`
      return
    }
    kept = piece
    keepWords.textContent = `Adding ${piece.file.name} …`
    // Otherwise the reason is shown where clips are sent.
    const isThere = await teach(piece.file, name, store.set.id)
    if (isThere) keepWords.textContent = `${piece.file.name} is now a clip of ${name}.`
    else if (kept === piece) {
      kept = null
      keepWords.textContent = ""
    }
  }

  return {
    element, start,
    get isOn() { return session !== null },
    putAway() {
      end("The camera is off.")
      element.hidden = true
    },
  }
}

/** "1 second", "2 seconds". */
const inWords = seconds => seconds === 1 ? "a second" : count(seconds, "second")

/** Why this page cannot have a camera, and what helps; null where it can. */
function whatIsMissing() {
  if (!isSecureContext) {
    return `Browsers give a camera only to pages whose address is this very machine's or begins with https. On the machine that vifi-prompt runs on, open http://127.0.0.1${location.port && `:${location.port}`}/ instead; from elsewhere, use a proxy with https before the server.`
  }
  if (!navigator.mediaDevices?.getUserMedia) return "This browser gives pages no camera. Use a newer Firefox, Chrome, Edge or Safari."
  if (!window.MediaRecorder) return "This browser cannot record what a camera shows. Use a newer Firefox, Chrome, Edge or Safari."
  return null
}

/** What an error of `getUserMedia` means, and what helps. Source: Media Capture and Streams, 10.2. */
function refusal({ name, message }) {
  switch (name) {
    case "NotAllowedError": case "SecurityError":
      return "The camera is not allowed. Allow it for this page, beside the address at the top of the browser and in the settings of your machine, then press “Use the camera” again."
    case "NotFoundError": case "OverconstrainedError":
      return "There is no camera. Plug one in, then press “Use the camera” again."
    case "NotReadableError": case "AbortError":
      return "The camera is there, but cannot be used. Another program may have it: close that, then press “Use the camera” again."
    default:
      return `The camera cannot be used. The browser says: ${message || name}`
  }
}
