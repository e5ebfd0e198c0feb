import { useSyncExternalStore } from 'react'

/** By less than this, in ms, clocks differ because a reply takes its time and says only whole seconds. */
const usual = 5000

// How far the master's clock, by which all is dated, is ahead of this machine's.
let ahead = 0
// One clock for all that shows how long ago something was.
let now = Date.now()
let timer: ReturnType<typeof setInterval> | undefined
const listeners = new Set<() => void>()

/** What time it is for the master, in ms. */
export const masterNow = () => Date.now() + ahead

/** Hears what time it is for the master, as its replies say. */
export function hearTime(date: string | null) {
  const said = Date.parse(date ?? '')
  if (Number.isNaN(said)) return
  const difference = said - Date.now()
  if (Math.abs(difference) < usual) ahead = 0
  else if (Math.abs(difference - ahead) > usual) ahead = difference
}

function subscribe(listener: () => void) {
  listeners.add(listener)
  timer ??= setInterval(() => {
    now = masterNow()
    listeners.forEach((tell) => tell())
  }, 1000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

/** The present, by the second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => {
    if (listeners.size === 0) now = masterNow()
    return now
  })
}
