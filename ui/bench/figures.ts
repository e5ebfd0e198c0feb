/** The value below which the share q of all lies; 0.5 is the median. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const n = sorted.length
  if (n === 0) return NaN
  if (q === 0.5 && n % 2 === 0) return ((sorted[n / 2 - 1] ?? NaN) + (sorted[n / 2] ?? NaN)) / 2
  return sorted[Math.min(n - 1, Math.floor(q * n))] ?? NaN
}

export const median = (values: readonly number[]) => quantile(values, 0.5)

export interface Row {
  what: string
  value: string
  target?: string
  /** Whether the target is met; undefined when there is none. */
  met?: boolean
}

/** What comes out: each figure beside its target. */
export class Report {
  private readonly rows: Row[] = []

  constructor(private readonly heard: (row: Row) => void) {}

  private add(row: Row) {
    this.rows.push(row)
    this.heard(row)
  }

  /** A figure that must not be above a limit. */
  most(what: string, value: number, limit: number, show: (value: number) => string, more = '') {
    this.add({ what, value: show(value) + more, target: `at most ${show(limit)}`, met: value <= limit })
  }

  /** A figure without a target. */
  note(what: string, value: string) {
    this.add({ what, value })
  }

  /** A part that came to no figures. */
  failed(part: string, error: unknown) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
    process.stderr.write(`bench-ui: ${part}: ${why}\n`)
    this.add({ what: part, value: 'failed', met: false })
  }

  get missed() {
    return this.rows.filter((row) => row.met === false).length
  }

  /** The table in the form that the documents have. */
  toString() {
    const cells = this.rows.map(({ what, value, target, met }) => [
      what,
      value,
      target ?? '',
      met === undefined ? '' : met ? 'met' : 'MISSED',
    ])
    const all = [['', 'measured', 'target', ''], ...cells]
    const widths = [0, 1, 2, 3].map((i) => Math.max(3, ...all.map((row) => (row[i] ?? '').length)))
    const line = (row: string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`
    return [line(all[0] ?? []), line(widths.map((w) => '-'.repeat(w))), ...cells.map(line)].join('\n')
  }
}

export const ms = (value: number) => `${Math.round(value)} ms`
export const kB = (value: number) => `${(value / 1000).toFixed(1)} kB`
export const MB = (value: number) => `${(value / 1e6).toFixed(1)} MB`
export const times = (value: number) => `${value.toFixed(2)} times`
export const percent = (value: number) => `${(value * 100).toFixed(1)} %`
