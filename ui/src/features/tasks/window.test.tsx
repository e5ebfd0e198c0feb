import { act, screen, waitFor } from '@testing-library/react'
import { http, HttpResponse } from 'msw'
import { beforeEach, expect, it, vi } from 'vitest'
import { mostPages, pageSize } from '@/api/queries'
import { makeTask } from '@/test/factories'
import { show } from '@/test/render'
import { server } from '@/test/server'
import { TaskList } from './TaskList'

const rowHeight = 44
const all = Array.from({ length: 2_000 }, (_, i) => makeTask({ name: `row ${i}` }))
let asked: number[]

beforeEach(() => {
  asked = []
  // jsdom lays nothing out.
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(660)
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(1200)
  vi.spyOn(Element.prototype, 'scrollHeight', 'get').mockReturnValue(all.length * rowHeight)
  server.use(
    http.get('*/api/tasks', ({ request }) => {
      const from = Number(new URL(request.url).searchParams.get('cursor') ?? 0)
      asked.push(from / pageSize)
      const next = from + pageSize
      return HttpResponse.json({
        items: all.slice(from, next),
        ...(next < all.length ? { next_cursor: String(next) } : {}),
      })
    }),
  )
  server.use(http.get('*/api/users', () => HttpResponse.json({ items: [] })))
  return () => vi.restoreAllMocks()
})

async function openList() {
  const view = show(
    <TaskList
      filters={{}}
      onFilters={() => undefined}
      onOpen={() => undefined}
      admin
      counts={undefined}
      firstSteps={null}
    />,
  )
  await screen.findByText('row 0', {}, { timeout: 10_000 })
  return view.queries
}

/** Scrolls to a row, as far as there are rows, until it is there. */
async function scrollTo(row: number) {
  const table = screen.getByTestId('task-table')
  await waitFor(
    () => {
      act(() => {
        table.scrollTop = row * rowHeight
        table.dispatchEvent(new Event('scroll'))
      })
      expect(document.querySelector(`[data-task="${all[row]?.task_id}"]`)).not.toBeNull()
    },
    { timeout: 10_000, interval: 10 },
  )
}

async function scrollDown(to: number) {
  for (let row = 0; row <= to; row += 85) await scrollTo(row)
}

const held = (queries: Awaited<ReturnType<typeof openList>>) =>
  queries.getQueryData<{ pages: unknown[] }>(['tasks', {}])?.pages.length ?? 0

it(
  'keeps few rows in the page and few pages in memory, however far somebody scrolls',
  { timeout: 60_000 },
  async () => {
    const queries = await openList()
    await scrollDown(595)
    expect(document.querySelectorAll('[data-task]').length).toBeLessThan(50)
    expect(held(queries)).toBeLessThanOrEqual(mostPages)
    const before = asked.length
    for (let row = 595; row >= 85; row -= 85) await scrollTo(row)
    expect(asked.length).toBeGreaterThan(before)
    expect(held(queries)).toBeLessThanOrEqual(mostPages)
  },
)

it('comes to the first rows at once, without those between', { timeout: 60_000 }, async () => {
  await openList()
  await scrollDown(595)
  asked = []
  await scrollTo(0)
  expect(asked).toEqual([0])
})
