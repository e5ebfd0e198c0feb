import type { Page } from 'playwright-core'
import { until } from '../journeys/rig'
import { median, ms, type Report } from './figures'
import { answered, probe } from './probe'
import { Audience, Stage } from './stage'

const lines = 1_000_000
const width = 100 // bytes of a line
const runs = 5
const name = 'talkative'

const talkative = {
  name: `log-${lines}`,
  fill: async (stage: Stage) => {
    const env = { FAKE_LOG_LINES: String(lines), FAKE_LOG_BYTES: String(lines * width) }
    const { task_id: id } = await stage.api.post<{ task_id: string }>('/api/tasks', {
      docker_image: 'busybox',
      name,
      env,
    })
    const stored = async () =>
      (await stage.api.get<{ state: string }>(`/api/tasks/${id}`)).state === 'stored' || undefined
    await until('the log is complete', stored, 5 * 60_000)
  },
}

/** A text of the page's that must be there, as an expression. */
const log = `document.querySelector('[role=log]')?.textContent`
const said = (pattern: RegExp) =>
  `[...document.querySelectorAll('[role=status]')].some((e) => ${pattern}.test(e.textContent))`

interface Looks {
  open: number[]
  rare: number[]
  common: number[]
  none: number[]
  jump: number[]
}

/** A log of a million lines: opened at its end, searched, and opened where a search leads. */
export async function log1M(report: Report) {
  const stage = await Stage.open(talkative)
  const audience = await Audience.seat(stage)
  try {
    const { items } = await stage.api.get<{ items: { task_id: string }[] }>(`/api/tasks?name=${name}`)
    const tail = await stage.api.text(`/api/tasks/${items[0]?.task_id}/logs?tail=1`)
    const took: Looks = { open: [], rare: [], common: [], none: [], jump: [] }
    for (let i = 0; i < runs; i++) await look(audience, tail.trim(), took)
    const figure = (what: string, of: keyof Looks, limit: number) =>
      report.most(`${what}, median of ${runs}`, median(took[of]), limit, ms)
    figure(`log of ${lines} lines opens at its end`, 'open', 1000)
    figure('its search finds one line near the end', 'rare', 2000)
    figure('its search finds the first 500 of very many', 'common', 2000)
    figure('its search finds nothing', 'none', 2000)
    figure('a found line in the middle of the log is shown', 'jump', 1000)
  } finally {
    await audience.close()
    await stage.close()
  }
}

async function look(audience: Audience, tail: string, took: Looks) {
  const visitor = await audience.visitor()
  const { page } = visitor
  await probe(page)
  await page.goto('/tasks')
  const link = page.getByRole('link', { name })
  await link.waitFor()
  took.open.push(
    await answered(page, 'click', `${log}?.includes(${JSON.stringify(tail)})`, () => link.click()),
  )
  // The lines of the two streams do not stand in the order of their numbers, but nearly.
  took.rare.push(await search(page, `line ${lines - 13}.`, said(/^1 line with/)))
  took.common.push(await search(page, 'LINE', said(/^The first 500 lines/)))
  took.none.push(await search(page, 'no such text', said(/^0 lines with/)))
  const middle = `line ${lines / 2}.`
  await search(page, middle, said(/^1 line with/))
  const hit = page.getByRole('list', { name: 'Lines found' }).getByRole('button')
  const shown = `${log}?.includes('${middle}')`
  took.jump.push(await answered(page, 'click', shown, () => hit.click()))
  await visitor.close()
}

async function search(page: Page, text: string, condition: string) {
  await page.getByRole('textbox', { name: 'Search in the whole log' }).fill(text)
  return await answered(page, 'keydown', condition, () => page.keyboard.press('Enter'))
}
