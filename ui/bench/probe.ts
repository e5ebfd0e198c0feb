import type { Page } from 'playwright-core'
import { patience } from '../journeys/rig'

/** What the page says about itself; it runs in the page, before all else. */
function install() {
  const frames: number[] = []
  const tasks: { at: number; took: number }[] = []
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) tasks.push({ at: entry.startTime, took: entry.duration })
  }).observe({ type: 'longtask', buffered: true })
  let watching = false
  const tick = (last: number) => (now: number) => {
    if (!watching) return
    frames.push(now - last)
    requestAnimationFrame(tick(now))
  }
  /**
   * When the page first shows what the condition asks for: looked at before each
   * frame, and told by the first task after it, when it has been painted.
   */
  const shows = (condition: () => boolean) =>
    new Promise<number>((resolve) => {
      const look = () => {
        if (!condition()) return requestAnimationFrame(look)
        const channel = new MessageChannel()
        channel.port1.onmessage = () => resolve(performance.now())
        channel.port2.postMessage(0)
        return 0
      }
      requestAnimationFrame(look)
    })
  /** Milliseconds from the next event of a kind to when the page shows its answer. */
  const answer = (kind: string, condition: () => boolean) =>
    new Promise<number>((resolve) => {
      const heard = (event: Event) => {
        void shows(condition).then((at) => resolve(at - event.timeStamp))
      }
      addEventListener(kind, heard, { capture: true, once: true })
    })
  const watch = () => {
    frames.length = tasks.length = 0
    watching = true
    requestAnimationFrame(tick(performance.now()))
  }
  const watched = () => {
    watching = false
    return { frames: [...frames], tasks: [...tasks] }
  }
  Object.assign(globalThis, { bench: { shows, answer, watch, watched, tasks } })
}

export interface Probe {
  shows(condition: () => boolean): Promise<number>
  answer(kind: string, condition: () => boolean): Promise<number>
  watch(): void
  watched(): { frames: number[]; tasks: { at: number; took: number }[] }
  tasks: { at: number; took: number }[]
}

export async function probe(page: Page) {
  // The page's policy lets no script in; what the browser itself puts there it does not see.
  await page.addInitScript(install)
}

/**
 * Does something to the page and gives the milliseconds from the event that it
 * makes to the frame in which the condition, an expression of the page, holds.
 */
export async function answered(
  page: Page,
  kind: 'click' | 'keydown',
  condition: string,
  act: () => Promise<void>,
): Promise<number> {
  // A promise inside an object is not waited for, so that the act can come between.
  const handle = await page.evaluateHandle<{ took: Promise<number> }>(
    `({ took: bench.answer('${kind}', () => ${condition}) })`,
  )
  await act()
  const waited = new Promise<never>((_, reject) =>
    setTimeout(() => reject(new Error(`the page does not come to: ${condition}`)), patience).unref(),
  )
  const took = await Promise.race([handle.evaluate(({ took }) => took), waited])
  await handle.dispose()
  return took
}

/** What scripts hold, after a full collection, in bytes. */
export async function heap(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page)
  try {
    for (let i = 0; i < 3; i++) await session.send('HeapProfiler.collectGarbage')
    const { usedSize } = await session.send('Runtime.getHeapUsage')
    return usedSize
  } finally {
    await session.detach()
  }
}

/** Waits until the page shows what an expression says, and gives when that was. */
export const shown = (page: Page, condition: string) =>
  page.evaluate<number>(`bench.shows(() => ${condition})`)
