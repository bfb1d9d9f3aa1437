// Videos out of what was dropped or chosen: files and whole folders, whose names become classes.

const videoEndings = new Set(("mp4 m4v mov avi mkv webm mpg mpeg m2v ts mts m2ts wmv flv f4v 3gp 3g2 ogv ogg vob mxf asf divx gif y4m").split(" "))

/** For the dialog of the browser; the endings are for those types that it does not know as videos. */
export const accepted = ["video/*", ...[...videoEndings].map(ending => `.${ending}`)].join()

function isVideo(file) {
  const ending = file.name.split(".").pop().toLowerCase()
  return file.type.startsWith("video/") || videoEndings.has(ending)
}

/**
 * The files of a drop, in the order of their paths.
 *
 * The entries must be taken before anything is waited for: the list is empty afterwards.
 */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].filter(item => item.kind === "file").map(item => item.webkitGetAsEntry?.() ?? item.getAsFile())
  const found = []
  for (const entry of entries) await collect(entry, [], found)
  return found
}

async function collect(entry, folders, found) {
  if (entry instanceof File) found.push({ file: entry, folders })
  else if (entry?.isFile) found.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), folders })
  else if (entry?.isDirectory) {
    const reader = entry.createReader()
    const children = []
    // A reader hands out at most a hundred entries at a time.
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))
      if (some.length === 0) break
      children.push(...some)
    }
    children.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }))
    for (const child of children) await collect(child, [...folders, entry.name], found)
  }
}

/** The files of a file button; those of a folder carry their path. */
export const chosenFiles = files => files.map(file => ({ file, folders: (file.webkitRelativePath ?? "").split("/").slice(0, -1) }))

/**
 * Which videos there are, and the class that each one's folder names.
 *
 * The folder that a video lies in is its class. One single folder of videos without folders inside is no class, but a
 * place where clips lie.
 *
 * @returns `videos` with `file` and `class` (or null), how many files were `skipped`, and the `name` of the folder that
 *   holds all of them, or null.
 */
export function sorted(found) {
  const visible = found.filter(({ file, folders }) => ![...folders, file.name].some(name => name.startsWith(".")))
  // What somebody chose by hand is sent whatever its name; the server says what is wrong with it.
  const kept = visible.filter(({ file, folders }) => folders.length === 0 || isVideo(file))
  const tops = new Set(kept.map(({ folders }) => folders[0] ?? null))
  const hasOneTop = tops.size === 1 && !tops.has(null)
  const videos = kept.map(({ file, folders }) => {
    const inner = hasOneTop ? folders.slice(1) : folders
    return { file, class: inner.length > 0 ? spaced(inner[inner.length - 1]) : null }
  })
  return { videos, skipped: visible.length - kept.length, name: hasOneTop ? spaced([...tops][0]) : null }
}

/** A name of a file or folder as words: the model reads class names. */
const spaced = name => name.replaceAll("_", " ").replace(/\s+/g, " ").trim()

/**
 * The class that a file's name speaks of: "walk" for `walk_01.mp4` and "clapping while jumping" for
 * `clapping-while-jumping-14.mp4`; null where only a number is left.
 */
function classFromName(name) {
  let stem = name.replace(/\.[^.]*$/, "")
  stem = stem.replace(/^v_/, "")
  // Numbers at the end, as cameras, people and data sets count: _01, -3, (2), _g01_c02.
  for (let shorter; (shorter = stem.replace(/[\s_.-]*(?:\(\d+\)|[gc]?\d+)$/i, "")) !== stem;) stem = shorter
  const words = spaced(stem.replaceAll("-", " "))
  const isCamera = /^(img|vid|video|mov|mvi|dsc|dscf|dscn|gopr|gh|gx|pxl|clip|movie|film|screen recording|untitled|whatsapp video)$/i.test(words)
  return /\p{L}{2}/u.test(words) && !isCamera ? words : null
}

/**
 * Classes that the names of clips without one suggest: those that two clips or more have in common.
 *
 * @returns pairs of name and clips; empty where the names say nothing.
 */
export function suggestedClasses(clips, existing) {
  const groups = new Map()
  for (const clip of clips) {
    const name = classFromName(clip.name)
    if (name === null) continue
    const known = existing.find(other => other.toLowerCase() === name.toLowerCase()) ?? name
    groups.set(known, [...(groups.get(known) ?? []), clip])
  }
  const common = [...groups].filter(([name, members]) => members.length > 1 || existing.includes(name))
  return common.length > 1 || common.some(([name]) => existing.includes(name)) ? common : []
}
