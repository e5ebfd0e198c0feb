import { act, screen, waitFor } from '@testing-library/react'
import { http, HttpResponse } from 'msw'
import { beforeEach, expect, it, vi } from 'vitest'
import type { Task } from '@/api/client'
import { mostPages, pageSize } from '@/api/queries'
import { makeTask } from '@/test/factories'
import { show } from '@/test/render'
import { server } from '@/test/server'
import { TaskList } from './TaskList'

const rowHeight = 44
const patience = { timeout: 10_000, interval: 50 }
const all = Array.from({ length: 2_000 }, (_, i) => makeTask({ name: `row ${i}` }))
let asked: number[]
/** What has come since; it stands before all else. */
let newer: Task[]

beforeEach(() => {
  asked = []
  newer = []
  // jsdom lays nothing out.
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(660)
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(1200)
  vi.spyOn(Element.prototype, 'scrollHeight', 'get').mockReturnValue(all.length * rowHeight)
  server.use(
    http.get('*/api/tasks', ({ request }) => {
      const cursor = new URL(request.url).searchParams.get('cursor')
      asked.push(Number(cursor ?? 0) / pageSize)
      // A cursor names the row before the page, whatever has come since.
      const from = cursor === null ? -newer.length : Number(cursor)
      const next = from + pageSize
      return HttpResponse.json({
        items: [...newer, ...all].slice(from + newer.length, next + newer.length),
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

it(
  'has no hole where the first page was read again and others have come since',
  { timeout: 60_000 },
  async () => {
    const queries = await openList()
    await scrollDown(340)
    newer = Array.from({ length: 10 }, (_, i) => makeTask({ name: `newer ${i}` }))
    for (let row = 340; row >= 85; row -= 85) await scrollTo(row)
    await scrollTo(60)
    await waitFor(() => {
      act(() => screen.getByTestId('task-table').dispatchEvent(new Event('scroll')))
      const pages = queries.getQueryData<{ pages: { items: Task[] }[] }>(['tasks', {}])?.pages ?? []
      const names = pages.flatMap((page) => page.items.map((task) => task.name))
      expect(names[0]).toBe('newer 0')
      expect(names).toEqual([...newer, ...all].slice(0, names.length).map((task) => task.name))
    }, patience)
  },
)

it('asks once for a page that is refused, until somebody asks again', { timeout: 60_000 }, async () => {
  await openList()
  server.use(
    http.get('*/api/tasks', ({ request }) => {
      if (!request.url.includes('cursor')) return undefined
      asked.push(-1)
      return HttpResponse.json(
        { type: 'about:blank', title: 'Unprocessable', status: 422, detail: 'no such cursor' },
        { status: 422 },
      )
    }),
  )
  asked = []
  const table = screen.getByTestId('task-table')
  act(() => {
    table.scrollTop = 49 * rowHeight
    table.dispatchEvent(new Event('scroll'))
  })
  await screen.findByText('no such cursor')
  await act(() => new Promise((resolve) => setTimeout(resolve, 300)))
  expect(asked.filter((page) => page === -1)).toHaveLength(1)
  server.resetHandlers()
})

it('shows the newest from the first on', { timeout: 60_000 }, async () => {
  const queries = await openList()
  await scrollDown(255)
  const table = screen.getByTestId('task-table')
  const scrolled = vi.spyOn(table, 'scrollTo')
  await act(() => queries.invalidateQueries({ queryKey: ['tasks'], refetchType: 'none' }))
  const button = await screen.findByText('Show the newest')
  act(() => button.click())
  expect(scrolled).toHaveBeenCalledWith({ top: 0 })
})
