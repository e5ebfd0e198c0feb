const units: Record<string, number> = { h: 3600, m: 60, s: 1, ms: 1e-3, µs: 1e-6, us: 1e-6, ns: 1e-9 }

/** Seconds of a duration as the API writes it, such as 1m30.5s; undefined when it is none. */
export function secondsOf(duration: string): number | undefined {
  const parts = [...duration.matchAll(/([\d.]+)(h|ms|m|s|µs|us|ns)/g)]
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== duration) return undefined
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (units[unit ?? ''] ?? NaN), 0)
}
