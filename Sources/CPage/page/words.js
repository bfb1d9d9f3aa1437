// How numbers, times and names are said.

/** "1 clip", "3 clips". */
export const count = (number, noun, plural = noun + "s") => `${number} ${number === 1 ? noun : plural}`

/** "0:03" for a place in a video; with tenths "0:03.2". */
export function clock(seconds, tenths = false) {
  const rounded = tenths ? Math.round(seconds * 10) / 10 : Math.round(seconds)
  const minutes = Math.floor(rounded / 60)
  const rest = (rounded - minutes * 60).toFixed(tenths ? 1 : 0)
  return `${minutes}:${rest.padStart(tenths ? 4 : 2, "0")}`
}

/** "3.2 s" for the length of a clip. */
export const length = seconds => seconds < 60 ? `${seconds.toFixed(1)} s` : clock(seconds)

/** "about 2 minutes" for what is left. */
export function about(seconds) {
  if (seconds < 5) return "a few seconds"
  if (seconds < 90) return `about ${seconds < 20 ? Math.round(seconds) : Math.round(seconds / 10) * 10} seconds`
  if (seconds < 90 * 60) return `about ${Math.round(seconds / 60)} minutes`
  return `about ${(seconds / 3600).toFixed(1)} hours`
}

/** "61 %" of a share from 0 to 1; number and sign stay on one line. */
export const percent = share => `${Math.round(share * 100)}\u00a0%`

export function bytes(number) {
  if (number < 1000) return `${number} bytes`
  const units = ["kB", "MB", "GB", "TB"]
  let unit = -1
  do { number /= 1000; unit += 1 } while (number >= 999.5 && unit < units.length - 1)
  return `${number.toFixed(number < 10 ? 1 : 0)} ${units[unit]}`
}

/** "a, b and c". */
export function listed(names) {
  if (names.length < 2) return names.join("")
  return `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`
}

/** The date and time of day, as the person's own settings write them. */
export const moment = text => new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })

/** "14:05:07", as the person's own settings write it. */
export const timeOfDay = date => date.toLocaleTimeString(undefined, { timeStyle: "medium" })

export const nameTaken = what => `There is a ${what} of this name already.`
