import type { Page } from 'playwright-core'
import { spent } from './cost'
import { kB, median, ms, type Report } from './figures'
import { mixed, running } from './fill'
import { probe, shown } from './probe'
import { Audience, Stage } from './stage'

const runs = 5

/** What a person with an empty cache loads and waits for before the first page. */
export async function load(report: Report) {
  const stage = await Stage.open(mixed(100))
  const audience = await Audience.seat(stage)
  try {
    await running(stage, 10)
    const seen = []
    const before = spent(audience.pid)
    for (let i = 0; i < runs; i++) seen.push(await first(audience, stage.url))
    const cost = (spent(audience.pid) - before) / runs
    const scripts = await Promise.all([...(seen[0]?.scripts ?? [])].map(gzipped))
    const bytes = scripts.reduce((a, b) => a + b, 0)
    report.most(`JavaScript before the first page, gzip, ${scripts.length} files`, bytes, 300_000, kB)
    report.most(
      'first page to be seen and used, loopback, median of 5',
      median(seen.map((s) => s.usable)),
      1000,
      ms,
    )
    report.note('processor time of the browser for it, mean', ms(cost * 1000))
  } finally {
    await audience.close()
    await stage.close()
  }
}

async function first(audience: Audience, url: string) {
  const visitor = await audience.visitor()
  const { page } = visitor
  await probe(page)
  const scripts = new Set<string>()
  page.on('request', (request) => {
    if (request.resourceType() === 'script') scripts.add(request.url())
  })
  await page.goto(url, { waitUntil: 'commit' })
  const at = await shown(
    page,
    `document.querySelector('h1')?.textContent === 'Dashboard' && document.querySelector('[aria-label="Loading"]') === null`,
  )
  const before = [...scripts]
  const usable = Math.max(at, await quiet(page, at))
  await visitor.close()
  return { usable, scripts: before }
}

/** The end of the last long task that keeps the page from answering; there is no new one for a second. */
async function quiet(page: Page, from: number): Promise<number> {
  await page.waitForFunction((from) => performance.now() > from + 1000, from)
  const tasks = await page.evaluate<{ at: number; took: number }[]>('bench.tasks')
  return Math.max(0, ...tasks.map(({ at, took }) => at + took))
}

async function gzipped(url: string): Promise<number> {
  const reply = await fetch(url, { method: 'HEAD', headers: { 'Accept-Encoding': 'gzip' } })
  if (reply.headers.get('content-encoding') !== 'gzip') throw new Error(`${url} is not compressed`)
  return Number(reply.headers.get('content-length'))
}
