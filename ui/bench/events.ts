import type { Page } from 'playwright-core'
import { until } from '../journeys/rig'
import { spent } from './cost'
import { median, ms, percent, quantile, type Report } from './figures'
import { mixed } from './fill'
import { probe } from './probe'
import { Audience, Stage } from './stage'

const wanted = 500 // changes of tasks per second
const perTask = 3.75 // submitted, assigned, running, over; those that end at once are quicker
const seconds = 60
const beat = 100 // milliseconds between batches
const longest = 12 // seconds that one of them runs

interface Task {
  task_id: string
  name?: string
  status: string
  state: string
  version: number
}
interface List {
  items: Task[]
  next_cursor?: string
}

interface Minute {
  rate: number
  frame: number
  script: number
  /** The longest by its own processor time, which other programs do not lengthen. */
  own: number
  missed: number
  compared: number
  master: number
  worker: number
  browser: number
}

/** A minute of 500 changes a second, looked at in the list of tasks. */
export async function events(report: Report, runs: number) {
  const seen: Minute[] = []
  for (let i = 0; i < runs; i++) {
    const minute = await run()
    seen.push(minute)
    process.stderr.write(`bench-ui: events: ${JSON.stringify(minute)}\n`)
  }
  const of = (name: keyof Minute) => median(seen.map((minute) => minute[name]))
  const n = runs > 1 ? `, median of ${runs}` : ''
  report.note(`changes of tasks per second for ${seconds} s${n}`, of('rate').toFixed(0))
  report.most(`a frame beside it, p99${n}`, of('frame'), 100, ms)
  report.most(`the longest task of the page's thread${n}`, of('script'), 200, ms)
  report.note(`the longest by its own processor time${n}`, ms(of('own')))
  const missed = seen.reduce((sum, minute) => sum + minute.missed, 0)
  const compared = seen.reduce((sum, minute) => sum + minute.compared, 0)
  report.most(`rows that did not come to their final state`, missed, 0, String, ` of ${compared}`)
  report.note(`share of one core: master${n}`, percent(of('master')))
  report.note(`share of one core: browser, all its processes${n}`, percent(of('browser')))
  report.note(`share of one core: worker${n}`, percent(of('worker')))
}

async function run(): Promise<Minute> {
  const stage = await Stage.open(mixed(100_000))
  const audience = await Audience.seat(stage)
  try {
    const { page } = await audience.visitor()
    await probe(page)
    await page.goto('/tasks')
    await page.getByText('Live', { exact: true }).first().waitFor()
    await page.evaluate('bench.watch()')
    await audience.browser.startTracing(page, { categories: ['toplevel'] })
    const costs = () => [stage.master.pid, stage.worker.pid, audience.pid].map((pid) => spent(pid ?? 0))
    const [before, began] = [costs(), Date.now()]
    const made = pump(stage)
    // Half the time at the top, where new rows come in; half of it where somebody has
    // scrolled to, where only what is there already changes.
    await page.waitForTimeout((seconds * 1000) / 2)
    await page.getByTestId('task-table').hover()
    for (let i = 0; i < 40; i++) {
      await page.mouse.wheel(0, 400)
      await page.waitForTimeout(25)
    }
    const ids = await made
    const took = (Date.now() - began) / 1000
    const [master, worker, browser] = costs().map((now, i) => (now - (before[i] ?? 0)) / took)
    const { frames, tasks } = await page.evaluate<{ frames: number[]; tasks: { took: number }[] }>(
      'bench.watched()',
    )
    const own = longestTask(await audience.browser.stopTracing())
    const final = await ended(stage, ids)
    await page.waitForTimeout(2_000) // so long the page may take to show the last change
    const compared = await compare(page, final)
    return {
      rate: [...final.values()].reduce((sum, task) => sum + task.version, 0) / took,
      frame: quantile(frames, 0.99),
      script: Math.max(0, ...tasks.map((task) => task.took)),
      own,
      ...compared,
      master: master ?? NaN,
      worker: worker ?? NaN,
      browser: browser ?? NaN,
    }
  } finally {
    await audience.close()
    await stage.close()
  }
}

/** Submits at the rate for the time, and gives the ids of all. */
async function pump(stage: Stage): Promise<string[]> {
  const ids: string[] = []
  const began = Date.now()
  let made = 0
  for (let at = beat; at <= seconds * 1000; at += beat) {
    await new Promise((resolve) => setTimeout(resolve, began + at - Date.now()))
    const due = Math.floor((at / 1000) * (wanted / perTask))
    // All are over within the minute, or just after.
    const left = Math.min(longest, seconds - at / 1000)
    const tasks = Array.from({ length: due - made }, (_, i) => ({
      docker_image: 'busybox',
      name: `event-${made + i}`,
      cpu_required: 0.01,
      memory_required: 6,
      storage_required: 1,
      env: {
        FAKE_SLEEP: `${Math.round(((made + i) % 97) * (left / 97) * 1000)}ms`,
        ...(i % 5 === 0 ? { FAKE_EXIT: '1' } : {}),
      },
    }))
    made = due
    const reply = await stage.api.post<{ items: { task_id: string }[] }>('/api/tasks/batch', {
      tasks,
      atomic: true,
    })
    ids.push(...reply.items.map((item) => item.task_id))
  }
  return ids
}

/** How all of them ended, once they have. */
async function ended(stage: Stage, ids: string[]): Promise<Map<string, Task>> {
  const over = async () => {
    const { items } = await stage.api.get<List>(
      '/api/tasks?name=event-&status=queued,assigned,running&limit=1',
    )
    return items.length === 0 || undefined
  }
  await until('all have ended', over, 60_000)
  const final = new Map<string, Task>()
  let cursor: string | undefined
  do {
    const page: List = await stage.api.get(
      `/api/tasks?name=event-&limit=1000${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
    )
    for (const task of page.items) final.set(task.task_id, task)
    cursor = page.next_cursor
  } while (cursor)
  for (const id of ids) if (!final.has(id)) throw new Error(`the master does not know ${id}`)
  return final
}

/** Looks through the rows that the page holds, from where it stands up to the first. */
async function compare(page: Page, final: Map<string, Task>) {
  const shown = new Map<string, string>()
  const table = page.getByTestId('task-table')
  for (;;) {
    const rows = await table.evaluate((element) => ({
      top: element.scrollTop,
      rows: [...element.querySelectorAll('[data-task]')].map(
        (row) =>
          [row.getAttribute('data-task') ?? '', row.querySelector('[data-tone]')?.textContent ?? ''] as const,
      ),
    }))
    for (const [id, status] of rows.rows) shown.set(id, status)
    if (rows.top === 0) break
    await table.evaluate((element) => element.scrollBy(0, -300))
    await page.evaluate('bench.shows(() => true)')
  }
  const ours = [...shown].filter(([id]) => final.has(id))
  const missed = ours.filter(([id, status]) => !status.startsWith(final.get(id)?.status ?? 'nothing'))
  return { missed: missed.length, compared: ours.length }
}

interface TraceEvent {
  name: string
  ph: string
  pid: number
  tid: number
  /** Processor time of the thread, in microseconds. */
  tdur?: number
  args?: { name?: string }
}

/** Of the pages' threads, in milliseconds of processor time. */
function longestTask(trace: Buffer): number {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] }
  const thread = ({ pid, tid }: TraceEvent) => `${pid}/${tid}`
  const mains = new Set(
    traceEvents.filter((e) => e.name === 'thread_name' && e.args?.name === 'CrRendererMain').map(thread),
  )
  const took = traceEvents.filter((e) => mains.has(thread(e))).map((e) => e.tdur ?? 0)
  return took.reduce((a, b) => Math.max(a, b), 0) / 1000
}
