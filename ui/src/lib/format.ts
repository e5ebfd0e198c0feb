const locale = globalThis.navigator?.language

const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 })
const fine = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 })
const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' })
const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' })
const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' })

export const formatCount = (n: number) => whole.format(n)
export const formatCores = (n: number) => fine.format(n)
export const formatDateTime = (time: string) => dateTime.format(new Date(time))

const moment = { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 } as const
const logClock = new Intl.DateTimeFormat(locale, moment)
const logDay = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', ...moment })

/** When a line was written; the day only when it was another one than today. */
export function formatLogTime(time: string, now = new Date()): string {
  const at = new Date(time)
  return (at.toDateString() === now.toDateString() ? logClock : logDay).format(at)
}

const minute = new Intl.DateTimeFormat(locale, { timeStyle: 'short' })

export const formatMinute = (time: Date) => minute.format(time)
export const formatClock = (time: string | Date) => clock.format(new Date(time))

/** Bytes with the unit that keeps the number small. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let unit = 0
  let value = bytes
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${(value < 10 && unit > 0 ? short : whole).format(value)} ${units[unit]}`
}

/** The API counts memory and storage in MiB. */
export const formatMiB = (mib: number) => formatBytes(mib * 1024 * 1024)

/** A length of time in at most two units. */
export function formatDuration(ms: number): string {
  if (ms < 0) return formatDuration(0)
  if (ms < 1000) return `${whole.format(Math.round(ms))} ms`
  const seconds = ms / 1000
  if (seconds < 60) return `${short.format(seconds)} s`
  const s = Math.floor(seconds)
  const parts: [number, string][] = [
    [Math.floor(s / 86400), 'd'],
    [Math.floor(s / 3600) % 24, 'h'],
    [Math.floor(s / 60) % 60, 'min'],
    [s % 60, 's'],
  ]
  const first = parts.findIndex(([n]) => n > 0)
  return parts
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${whole.format(n)} ${unit}`)
    .join(' ')
}

/** How long ago, or in how long, in words. */
export function formatRelative(time: string, now: number): string {
  let seconds = (new Date(time).getTime() - now) / 1000
  // What has just happened by another clock, or since the page's own has ticked, is not to come.
  if (seconds > 0 && seconds < 5) seconds = 0
  const distance = Math.abs(seconds)
  if (distance < 60) return relative.format(Math.round(seconds), 'second')
  if (distance < 3600) return relative.format(Math.round(seconds / 60), 'minute')
  if (distance < 86400) return relative.format(Math.round(seconds / 3600), 'hour')
  return relative.format(Math.round(seconds / 86400), 'day')
}

const share = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 })

/** Of a share from 0 to 100. */
export const formatPercent = (of100: number) => share.format(of100 / 100)

// Fields for numbers know the digits 0 to 9 only, beside which another script's separator is a stranger.
const typed = new Intl.NumberFormat(locale, { numberingSystem: 'latn' })

/** What stands between the whole and the parts of a number that somebody types. */
export const decimalSeparator = typed.formatToParts(0.5).find((part) => part.type === 'decimal')?.value ?? '.'

/** The share of b that a is, from 0 to 100. */
export const percent = (a: number, b: number) => (b > 0 ? Math.min(100, Math.max(0, (a / b) * 100)) : 0)

/** Between two times, or up to now. */
export function between(from: string | undefined | null, to: string | undefined | null, now: number) {
  if (!from) return undefined
  return (to ? new Date(to).getTime() : now) - new Date(from).getTime()
}
