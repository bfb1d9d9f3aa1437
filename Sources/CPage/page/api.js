// What the server offers, as functions. Every failure is an `APIError` with a sentence for a person.

class APIError extends Error {
  /** @param seconds after which the server wants to be asked again; null where it did not say. */
  constructor(code, message, seconds = null) {
    super(message)
    this.code = code
    this.seconds = seconds
  }
}

const unreachable = () => new APIError("unreachable", "The server does not answer. Is vifi-prompt still running? Start it again with “vifi-prompt serve”, then try again.")

/** Called when the server asks for its token. */
let whenUnauthorized = () => {}
export function onUnauthorized(action) { whenUnauthorized = action }

/** The error that a response of status 400 and above carries; `retryAfter` is its field of that name. */
function failure(status, text, retryAfter) {
  if (status === 401) whenUnauthorized()
  try {
    const { error } = JSON.parse(text)
    return new APIError(error.code, error.message, Number(retryAfter) || null)
  } catch {
    return new APIError("unknown", `The server answered with status ${status} and said no more.`)
  }
}

/** A request; its answer may be empty. A string or an object travels as JSON, a file as its bytes. */
async function open(method, path, { body, signal, accept } = {}) {
  const headers = {}
  if (accept) headers.Accept = accept
  const isFile = body instanceof Blob
  if (isFile) headers["Content-Type"] = "application/octet-stream"
  else if (body !== undefined) headers["Content-Type"] = "application/json"
  let response
  try {
    response = await fetch(path, { method, headers, signal, body: isFile || body === undefined ? body : JSON.stringify(body) })
  } catch (error) {
    if (error.name === "AbortError") throw error
    throw unreachable()
  }
  if (!response.ok) throw failure(response.status, await response.text(), response.headers.get("Retry-After"))
  return response
}

async function request(method, path, options) {
  const response = await open(method, path, options)
  return response.status === 204 ? null : response.json()
}

const query = values => {
  const parameters = new URLSearchParams()
  for (const [key, value] of Object.entries(values)) {
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") parameters.append(key, one)
  }
  return parameters.size > 0 ? `?${parameters}` : ""
}

const setPath = id => `/v1/datasets/${encodeURIComponent(id)}`
const clipPath = (set, clip) => `${setPath(set)}/clips/${encodeURIComponent(clip)}`

// The server leaves out what is not known; the page would rather have it be null.

/** A clip: `class` is what the page shows, `stored` what the server keeps. */
const clip = value => ({ class: null, ...value, stored: value.class ?? null })
const dataSetOf = value => ({ ...value, clips: value.clips.map(clip) })
const promptsOf = value => ({ method: null, data_set: null, run: null, held_out_top1: null, created: null, ...value })

/** A run as the server told of it; without `losses` where these were not asked for. */
export function runOf({ progress, result, ...value }) {
  const held = result?.held_out
  return {
    error: null, ...value,
    progress: progress ? { seconds_left: null, ...progress } : null,
    result: result ? { method: null, ...result, held_out: held ? { standard_error: null, ...held } : null } : null,
  }
}

export const server = () => request("GET", "/v1/server")

export const dataSets = () => request("GET", "/v1/datasets")
export const dataSet = async id => dataSetOf(await request("GET", setPath(id)))
export const createDataSet = async name => dataSetOf(await request("POST", "/v1/datasets", { body: { name } }))
export const changeDataSet = async (id, change) => dataSetOf(await request("PATCH", setPath(id), { body: change }))
export const deleteDataSet = id => request("DELETE", setPath(id))

export const moveClip = async (set, id, name) => clip(await request("PATCH", clipPath(set, id), { body: { class: name } }))
export const deleteClip = (set, id) => request("DELETE", clipPath(set, id))
export const videoURL = (set, id) => `${clipPath(set, id)}/video`
export const pictureURL = (set, id) => `${clipPath(set, id)}/picture`

/** What can answer, and the files of watched folders that cannot, with their faults. */
export async function prompts() {
  const { prompts, faults } = await request("GET", "/v1/prompts")
  return { prompts: prompts.map(promptsOf), promptFaults: faults ?? [] }
}

export const deletePrompts = id => request("DELETE", `/v1/prompts/${encodeURIComponent(id)}`)
export const promptsURL = id => `/v1/prompts/${encodeURIComponent(id)}/file`
export const createClasses = names => request("POST", "/v1/classes", { body: { names } })

export const runs = async () => (await request("GET", "/v1/runs")).runs.map(runOf)
export const startRun = async settings => runOf(await request("POST", "/v1/runs", { body: settings }))
export const stopRun = async id => runOf(await request("DELETE", `/v1/runs/${encodeURIComponent(id)}`))
export const runEventsURL = id => `/v1/runs/${encodeURIComponent(id)}/events`

/** Where the video comes from: `{file}` or `{set, clip}`. */
const source = ({ file, set, clip }) => file
  ? { values: { name: file.name }, body: file } : { values: { data_set: set, clip }, body: undefined }

/** The answer for a whole video. */
export function predict(video, settings, signal) {
  const { values, body } = source(video)
  return request("POST", `/v1/predict${query({ ...values, ...settings })}`, { body, signal })
}

/** The answer window by window; `progress` hears how far the server has come. */
export async function predictWindows(video, settings, signal, progress) {
  const { values, body } = source(video)
  const response = await open("POST", `/v1/predict${query({ ...values, ...settings })}`, { body, signal, accept: "text/event-stream" })
  try {
    for await (const { event, data } of events(response.body)) {
      if (event === "progress") progress(data)
      else if (event === "answer") return data
      else if (event === "error") throw new APIError(data.error.code, data.error.message)
    }
  } catch (error) {
    if (error instanceof APIError || error.name === "AbortError") throw error
    throw unreachable()
  }
  throw new APIError("cut_off", "The server ended its answer too early. Try again.")
}

export const sources = async () => (await request("GET", "/v1/sources")).sources.map(source => source.name)

/** Tells the answers about a live source as they come, and when it is away, until it ends or `signal` stops it. */
export async function followSource(name, settings, signal, { answer, interruption }) {
  const response = await open("GET", `/v1/sources/${encodeURIComponent(name)}/events${query(settings)}`, { signal, accept: "text/event-stream" })
  try {
    for await (const { event, data } of events(response.body)) {
      if (event === "answer") answer(data)
      else if (event === "interruption") interruption(data)
      else if (event === "end") return
      else if (event === "error") throw new APIError(data.error.code, data.error.message)
    }
  } catch (error) {
    if (error instanceof APIError || error.name === "AbortError") throw error
    throw unreachable()
  }
  throw new APIError("cut_off", "The server has ended. Is vifi-prompt still running?")
}

/** Whether an answer is one of the classes; one without a label is none of them. */
export const isNamed = answer => answer.label !== undefined && answer.label !== null

export function attention(video, settings) {
  const { values, body } = source(video)
  return request("POST", `/v1/attention${query({ ...values, ...settings })}`, { body })
}

/** Server-sent events of a response that was asked for with POST, which `EventSource` cannot do. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    rest += value.replaceAll("\r", "")
    const blocks = rest.split("\n\n")
    rest = blocks.pop()
    for (const block of blocks) {
      let event = "message", data = ""
      for (const line of block.split("\n")) {
        if (line.startsWith("event:")) event = line.slice(6).trim()
        if (line.startsWith("data:")) data += line.slice(5)
      }
      if (data) yield { event, data: JSON.parse(data) }
    }
  }
}

/**
 * Sends a clip; `fetch` cannot say how much of a body has left, so this is the older interface.
 *
 * @returns the promise of the clip and a function that stops.
 */
export function uploadClip(set, file, name, className, progress) {
  const sender = new XMLHttpRequest()
  const finished = new Promise((resolve, reject) => {
    sender.upload.onprogress = event => { if (event.lengthComputable) progress(event.loaded / event.total) }
    sender.onload = () => {
      if (sender.status >= 400) return reject(failure(sender.status, sender.responseText, sender.getResponseHeader("Retry-After")))
      try { resolve(clip(JSON.parse(sender.responseText))) } catch { reject(failure(sender.status, "", null)) }
    }
    sender.onerror = () => reject(unreachable())
    sender.onabort = () => reject(new APIError("stopped", "Stopped."))
    sender.open("POST", `${setPath(set)}/clips${query({ name, class: className })}`)
    sender.setRequestHeader("Content-Type", "application/octet-stream")
    sender.send(file)
  })
  return { finished, stop: () => sender.abort() }
}
