import { InfiniteQueryObserver, QueryClient, type InfiniteData } from '@tanstack/react-query'
import { beforeEach, expect, it, vi } from 'vitest'
import { makeTask } from '@/test/factories'
import { FakeSocket } from '@/test/fakeSocket'
import type { Task } from './client'
import { Live } from './live'

let queries: QueryClient
let live: Live

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('WebSocket', FakeSocket)
  FakeSocket.all = []
  queries = new QueryClient({ defaultOptions: { queries: { gcTime: Infinity } } })
  live = new Live(queries)
  return () => {
    live.stop()
    queries.clear()
    vi.unstubAllGlobals()
  }
})

const listOf = (key: unknown[]) =>
  queries
    .getQueryData<InfiniteData<{ items: Task[] }>>(key)
    ?.pages.flatMap((page) => page.items.map((task) => task.status))

it('puts changed tasks in the place of what was known, never an older one', () => {
  const [a, b] = [makeTask({ version: 3 }), makeTask()]
  queries.setQueryData(['tasks', {}], { pages: [{ items: [a] }, { items: [b] }], pageParams: ['', 'x'] })
  queries.setQueryData(['task', b.task_id], b)
  live.mergeTasks([
    { ...a, status: 'failed', version: 2 },
    { ...b, status: 'running', version: 2 },
    makeTask({ status: 'cancelled' }),
  ])
  expect(listOf(['tasks', {}])).toEqual(['queued', 'running'])
  expect(queries.getQueryData<Task>(['task', b.task_id])?.status).toBe('running')
})

it('leaves lists alone that no change is about', () => {
  const data = { pages: [{ items: [makeTask()] }], pageParams: [''] }
  queries.setQueryData(['tasks', {}], data)
  live.mergeTasks([makeTask()])
  expect(queries.getQueryData(['tasks', {}])).toBe(data)
})

it('takes tasks that are gone out of the lists, and asks again about one that is open', () => {
  const [a, b] = [makeTask(), makeTask()]
  const other = { pages: [{ items: [b] }], pageParams: [''] }
  queries.setQueryData(['tasks', {}], { pages: [{ items: [a, b] }], pageParams: [''] })
  queries.setQueryData(['tasks', { q: 'b' }], other)
  queries.setQueryData(['recent'], [b, a])
  queries.setQueryData(['task', a.task_id], a)
  live.start()
  const tasks = FakeSocket.all.find((s) => s.url.endsWith('/ws/tasks'))
  tasks?.open()
  tasks?.say({ seq: 1, type: 'snapshot', data: { items: [] } })
  vi.advanceTimersByTime(2000)
  queries.setQueryData(['task', a.task_id], a)
  tasks?.say({ seq: 2, type: 'delta', data: { items: [], removed: [a.task_id] } })
  expect(listOf(['tasks', {}])).toEqual([b.status])
  expect(queries.getQueryData(['tasks', { q: 'b' }])).toBe(other)
  expect(queries.getQueryData<Task[]>(['recent'])?.map((task) => task.task_id)).toEqual([b.task_id])
  expect(queries.getQueryState(['task', a.task_id])?.isInvalidated).toBe(true)
})

it('asks for counts once, however many changes come in a moment', () => {
  const asked = vi.spyOn(queries, 'invalidateQueries')
  live.start()
  const tasks = FakeSocket.all.find((s) => s.url.endsWith('/ws/tasks'))
  tasks?.open()
  tasks?.say({ seq: 1, type: 'snapshot', data: { items: [] } })
  vi.advanceTimersByTime(2000)
  asked.mockClear()
  for (let seq = 2; seq < 100; seq++) tasks?.say({ seq, type: 'delta', data: { items: [makeTask()] } })
  vi.advanceTimersByTime(2000)
  expect(asked.mock.calls.filter(([filter]) => filter?.queryKey?.[0] === 'cluster')).toHaveLength(1)
})

it('touches the lists once for all the changes of a moment', () => {
  const task = makeTask()
  queries.setQueryData(['tasks', {}], { pages: [{ items: [task] }], pageParams: [''] })
  live.start()
  const tasks = FakeSocket.all.find((s) => s.url.endsWith('/ws/tasks'))
  tasks?.open()
  const touched = vi.spyOn(queries, 'setQueriesData')
  tasks?.say({ seq: 1, type: 'snapshot', data: { items: [] } })
  for (let version = 2; version < 100; version++) {
    const status = version === 99 ? 'succeeded' : 'running'
    tasks?.say({ seq: version, type: 'delta', data: { items: [{ ...task, version, status }] } })
  }
  expect(listOf(['tasks', {}])).toEqual(['queued'])
  vi.advanceTimersByTime(100)
  expect(listOf(['tasks', {}])).toEqual(['succeeded'])
  expect(touched.mock.calls.filter(([filter]) => filter.queryKey?.[0] === 'tasks')).toHaveLength(1)
})

it('lets no answer bring back what a task was before it was heard of', async () => {
  const task = makeTask({ status: 'running', version: 2 })
  live.start()
  const tasks = FakeSocket.all.find((s) => s.url.endsWith('/ws/tasks'))
  tasks?.open()
  let answer: (list: Task[]) => void = () => undefined
  const read = queries.fetchQuery({
    queryKey: ['recent', 1],
    queryFn: () => new Promise<Task[]>((resolve) => (answer = resolve)),
  })
  tasks?.say({ seq: 1, type: 'delta', data: { items: [{ ...task, status: 'succeeded', version: 3 }] } })
  await vi.advanceTimersByTimeAsync(1000)
  answer([task]) // read by the master before the change, but slow on its way
  await read
  await vi.advanceTimersByTimeAsync(100)
  expect(queries.getQueryData<Task[]>(['recent', 1])?.[0]?.status).toBe('succeeded')
})

it('keeps what came just before a longer list was asked for', async () => {
  const [task, older] = [makeTask({ version: 2 }), makeTask()]
  let answer: (page: { items: Task[] }) => void = () => undefined
  const list = new InfiniteQueryObserver(queries, {
    queryKey: ['tasks', {}],
    queryFn: ({ pageParam }) =>
      pageParam === 0 ? { items: [task] } : new Promise<{ items: Task[] }>((resolve) => (answer = resolve)),
    initialPageParam: 0,
    getNextPageParam: (_last, pages) => pages.length,
  })
  const leave = list.subscribe(() => undefined)
  await vi.advanceTimersByTimeAsync(0)
  live.start()
  const tasks = FakeSocket.all.find((s) => s.url.endsWith('/ws/tasks'))
  tasks?.open()
  tasks?.say({ seq: 1, type: 'delta', data: { items: [{ ...task, status: 'failed', version: 3 }] } })
  const read = list.fetchNextPage() // it begins from the list as it is now
  await vi.advanceTimersByTimeAsync(200)
  answer({ items: [older] })
  await read
  await vi.advanceTimersByTimeAsync(100)
  expect(listOf(['tasks', {}])).toEqual(['failed', 'queued'])
  leave()
})

it('says how it hears of changes, and asks by itself where no socket is let through', () => {
  const seen: string[] = []
  live.subscribe(() => seen.push(live.current()))
  live.start()
  const [tasks, telemetry] = FakeSocket.all
  tasks?.open()
  telemetry?.open()
  expect(live.current()).toBe('live')
  tasks?.end(1006)
  expect(live.current()).toBe('offline')
  const asked = vi.spyOn(queries, 'invalidateQueries')
  for (let i = 0; i < 3; i++) {
    vi.advanceTimersByTime(20_000)
    FakeSocket.newest.end(1006)
  }
  expect(live.current()).toBe('polling')
  asked.mockClear()
  vi.advanceTimersByTime(5000)
  expect(asked).toHaveBeenCalled()
})
