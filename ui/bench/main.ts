import { cpus, loadavg, type } from 'node:os'
import { Report } from './figures'
import { events } from './events'
import { fill, lists, scroll } from './lists'
import { load } from './load'
import { log1M } from './log'

const parts: Record<string, { says: string; measure: (report: Report, runs: number) => Promise<void> }> = {
  fill: { says: 'the stores of 100 and of 100,000 tasks, when they are not there yet', measure: fill },
  load: { says: 'what is loaded before the first page, and how long it takes', measure: load },
  lists: { says: 'from a click to the rows, with 100 tasks and with 100,000', measure: lists },
  scroll: { says: 'a minute of scrolling through 100,000 tasks', measure: scroll },
  log: { says: 'a log of a million lines: opened, searched, opened at a line', measure: log1M },
  events: { says: '500 changes of tasks a second for a minute', measure: events },
}

/** Measures the dashboard in a browser, against the real programs. Names of parts choose them, a number says how often the minute of events is run. */
export async function main(args: string[]): Promise<number> {
  const say = (text: string) => process.stdout.write(`${text}\n`)
  const runs = Number(args.find((arg) => /^[1-9]\d*$/.test(arg)) ?? 5)
  const chosen = args.filter((arg) => arg !== String(runs))
  const unknown = chosen.filter((name) => !(name in parts))
  if (unknown.length > 0) {
    say(`There is no part ${unknown.join(', ')}. The parts are:`)
    for (const [name, { says }] of Object.entries(parts)) say(`  ${name.padEnd(8)}${says}`)
    return 2
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const report = new Report(({ what, value }) => process.stderr.write(`bench-ui:   ${what}: ${value}\n`))
  const load = loadavg()
  for (const [name, { says, measure }] of Object.entries(parts)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue
    process.stderr.write(`bench-ui: ${name}: ${says}\n`)
    try {
      await measure(report, runs)
    } catch (error) {
      report.failed(name, error)
    }
  }
  say(report.toString())
  say(
    `\n${machine()}, load before ${load.map((n) => n.toFixed(1)).join(' ')}, after ${loadavg()[0]?.toFixed(1)}`,
  )
  return report.missed > 0 ? 1 : 0
}

function machine(): string {
  const day = new Date().toISOString().slice(0, 10)
  return `${day}, ${cpus().length} cores, ${type()}, Node.js ${process.version}, Chromium without a window`
}
