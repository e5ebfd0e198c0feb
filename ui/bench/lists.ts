import type { Page } from 'playwright-core'
import { spent } from './cost'
import { MB, median, ms, percent, quantile, times, type Report } from './figures'
import { mixed, running } from './fill'
import { answered, heap, probe, shown } from './probe'
import { Audience, Stage } from './stage'

const few = 100
const many = 100_000
const statuses = ['queued', 'running', 'succeeded', 'failed', 'cancelled']

/** Rows are there, and they are what was asked for. */
const rows = `document.querySelector('[data-testid=task-table]:not([data-dim]) [data-task]') !== null`
/** The statuses that are pressed are these, and all rows in sight are of one of them. */
const only = (pressed: string[]) => `((wanted) => {
  const buttons = [...document.querySelectorAll('[role=group][aria-label=Status] [aria-pressed=true]')]
  const shown = [...document.querySelectorAll('[data-testid=task-table]:not([data-dim]) [data-task] [data-tone]')]
  return buttons.length === wanted.length && shown.length > 0 &&
    buttons.every((b) => wanted.some((w) => b.textContent.startsWith(w))) &&
    shown.every((row) => wanted.some((w) => row.textContent.startsWith(w)))
})(${JSON.stringify(pressed)})`

interface Clicks {
  /** Processor time of master and browser for one filter, in milliseconds. */
  cost: number
  /** The first of a window, as soon as the page before it shows its first row. */
  atOnce: number[]
  /** The first of a window, by somebody who has looked at the page before it. */
  first: number[]
  again: number[]
  filter: number[]
  search: number[]
}

/** Makes the stores that the other parts begin with, where they are not there yet. */
export async function fill() {
  for (const n of [few, many]) await (await Stage.open(mixed(n))).close()
}

/** From a click to the rows of the list, with few tasks and with many. */
export async function lists(report: Report) {
  const a = await clicks(few)
  const b = await clicks(many)
  const figure = (name: string, of: 'first' | 'again' | 'filter') => {
    const [p, q] = [quantile(a[of], 0.95), quantile(b[of], 0.95)]
    const more = `, median ${ms(median(b[of]))}, n = ${b[of].length}`
    report.most(`${name}, ${many} tasks, p95`, q, 100, ms, more)
    report.most(`${name}, against ${few} tasks (p95 ${ms(p)})`, q / p, 1.5, times)
  }
  figure('click on Tasks, first of a window', 'first')
  figure('click on Tasks, again', 'again')
  figure('click on a filter', 'filter')
  const atOnce = `${ms(quantile(b.atOnce, 0.95))}, median ${ms(median(b.atOnce))}, n = ${b.atOnce.length}`
  report.note(`the first of a window, while the page before is still busy, ${many} tasks, p95`, atOnce)
  report.note(
    `processor time of master and browser per filter, ${few} and ${many} tasks`,
    `${ms(a.cost)} and ${ms(b.cost)}`,
  )
  report.note(`a letter typed into the search, ${many} tasks, p95`, ms(quantile(b.search, 0.95)))
}

async function clicks(n: number): Promise<Clicks> {
  const stage = await Stage.open(mixed(n))
  const audience = await Audience.seat(stage)
  try {
    await running(stage, 20)
    const visitor = await audience.visitor()
    const { page } = visitor
    await probe(page)
    const found: Clicks = { cost: NaN, atOnce: [], first: [], again: [], filter: [], search: [] }
    for (let i = 0; i < 60; i++) {
      const looks = i % 2 === 0
      await page.goto('/workers')
      await page.getByText('w1').first().waitFor()
      if (looks) await page.waitForTimeout(1000)
      found[looks ? 'first' : 'atOnce'].push(await open(page))
    }
    for (let i = 0; i < 30; i++) {
      await page.getByRole('link', { name: i % 2 ? 'Dashboard' : 'Settings', exact: true }).click()
      await page.getByRole('heading', { level: 1, name: i % 2 ? 'Dashboard' : 'Settings' }).waitFor()
      found.again.push(await open(page))
    }
    const costs = () => spent(stage.master.pid ?? 0) + spent(audience.pid)
    const before = costs()
    found.filter = await filters(page)
    found.cost = ((costs() - before) * 1000) / found.filter.length
    found.search = await letters(page)
    await visitor.close()
    return found
  } finally {
    await audience.close()
    await stage.close()
  }
}

const open = (page: Page) =>
  answered(page, 'click', rows, () => page.getByRole('link', { name: 'Tasks', exact: true }).click())

/** Every set of statuses once, each of which the master is asked for anew. */
async function filters(page: Page): Promise<number[]> {
  const took: number[] = []
  const pressed = new Set<string>()
  // A Gray code: each step presses one.
  for (let i = 1; i < 1 << statuses.length; i++) {
    const status = statuses[Math.log2(i & -i)] ?? ''
    if (!pressed.delete(status)) pressed.add(status)
    const chip = page.getByRole('group', { name: 'Status' }).getByRole('button', { name: status })
    took.push(await answered(page, 'click', only([...pressed]), () => chip.click()))
  }
  await page.goto('/tasks')
  await shown(page, rows)
  return took
}

async function letters(page: Page): Promise<number[]> {
  const took: number[] = []
  await page.getByRole('searchbox').focus()
  for (const letter of 'train-77') {
    const text = `location.search.includes('${letter}') && ${rows}`
    const before = await page.getByRole('searchbox').inputValue()
    took.push(
      await answered(page, 'keydown', text.replace(`'${letter}'`, `'q=${before}${letter}'`), () =>
        page.keyboard.press(letter),
      ),
    )
  }
  return took
}

/** The list scrolled without rest for a minute, downwards and up again. */
export async function scroll(report: Report) {
  const stage = await Stage.open(mixed(many))
  const audience = await Audience.seat(stage)
  try {
    await running(stage, 20)
    const visitor = await audience.visitor()
    const { page } = visitor
    await probe(page)
    await page.goto('/tasks')
    await shown(page, rows)
    await page.getByTestId('task-table').hover()
    const wheel = async (until: number, by: number) => {
      while (Date.now() < until) {
        await page.mouse.wheel(0, by)
        await page.waitForTimeout(16)
      }
    }
    const row = () =>
      page.evaluate(() => {
        const shown = [...document.querySelectorAll('[data-task]')]
        return Math.max(...shown.map((element) => Number(element.getAttribute('aria-rowindex'))))
      })
    const fresh = await heap(page)
    // What is made once is made: on the way down, and on the way back.
    while ((await row()) < 600) await wheel(Date.now() + 200, 400)
    while ((await row()) > 100) await wheel(Date.now() + 200, -400)
    while ((await row()) < 600) await wheel(Date.now() + 200, 400)
    const before = await heap(page)
    await page.evaluate('bench.watch()')
    const began = Date.now()
    await wheel(began + 40_000, 700)
    const deepest = await row()
    await wheel(began + 60_000, -700)
    const { frames } = await page.evaluate<{ frames: number[] }>('bench.watched()')
    const after = await heap(page)
    report.most(
      `heap after a minute of scrolling, against before`,
      after / before - 1,
      0.1,
      percent,
      ` (${MB(before)} to ${MB(after)}, down to row ${deepest}; just opened ${MB(fresh)})`,
    )
    report.note('a frame while scrolling, p99', ms(quantile(frames, 0.99)))
    await visitor.close()
  } finally {
    await audience.close()
    await stage.close()
  }
}
