import { InfiniteQueryObserver, QueryClient, type InfiniteData } from '@tanstack/react-query'
import { http, HttpResponse } from 'msw'
import { beforeEach, expect, it, vi } from 'vitest'
import { makeTask, makeWorker } from '@/test/factories'
import { FakeSocket } from '@/test/fakeSocket'
import { server } from '@/test/server'
import { ApiError, type Task, type Telemetry, type Worker } from './client'
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

const measured = (worker: Worker): Telemetry => ({
  worker_id: worker.worker_id,
  is_active: true,
  cpu_usage: 1,
  memory_usage: 1,
  storage_usage: 1,
  gpu_usage: 0,
  running_tasks: [],
  last_update: '2026-01-01T00:00:00Z',
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

it('asks once for what a gap makes doubtful, tasks by one connection and workers by the other', () => {
  const keys = [['tasks', {}], ['task', 't'], ['worker', 'w', 'tasks', 't'], ['workers'], ['worker', 'w']]
  const doubted = () => keys.filter((key) => queries.getQueryState(key)?.isInvalidated)
  const read = () =>
    keys.forEach((key) => queries.setQueryData(key, key[0] === 'tasks' ? { pages: [], pageParams: [] } : []))
  live.start()
  const [tasks, telemetry] = FakeSocket.all
  tasks?.open()
  telemetry?.open()
  read()
  tasks?.say({ seq: 1, type: 'snapshot', data: { items: [] } })
  expect(doubted()).toEqual(keys.slice(0, 3))
  read()
  vi.advanceTimersByTime(3000)
  expect(doubted()).toEqual([])
  telemetry?.say({ seq: 1, type: 'snapshot', data: {} })
  expect(doubted()).toEqual(keys.slice(3))
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

/** The socket of tasks, open, after its first frame and all that follows from that. */
function openTasks(items: Task[] = []) {
  live.start()
  const tasks = FakeSocket.all.find((s) => s.url.endsWith('/ws/tasks'))
  if (!tasks) throw new Error('nothing has been opened')
  let seq = 0
  const say = (type: 'snapshot' | 'delta', changed: Task[]) =>
    tasks.say({ seq: ++seq, type, data: { items: changed } })
  tasks.open()
  say('snapshot', items)
  vi.advanceTimersByTime(2000)
  return (...changed: Task[]) => say('delta', changed)
}

const pushed = (task: Task, more: Partial<Task> = {}): Task => {
  const rest = { ...task, ...more }
  delete rest.waiting
  return rest
}

it('keeps why a task waits, which is not pushed, as long as it waits', () => {
  const waiting = { reason: 'no worker has room', workers: [], queue_position: 7 }
  const task = makeTask({ waiting })
  queries.setQueryData(['task', task.task_id], task)
  const say = openTasks([pushed(task, { queue_position: 5 })])
  const shown = () => queries.getQueryData<Task>(['task', task.task_id])
  expect(shown()?.waiting).toEqual({ ...waiting, queue_position: 5 })
  say(pushed(task, { version: 2, status: 'assigned', state: 'assigned' }))
  vi.advanceTimersByTime(100)
  expect(shown()?.waiting).toBeUndefined()
})

it('lets what is old stay old when a change is merged into it', () => {
  const task = makeTask()
  queries.setQueryData(['tasks', {}], { pages: [{ items: [task] }], pageParams: [''] })
  const say = openTasks()
  say({ ...task, version: 2 })
  vi.advanceTimersByTime(1490)
  say({ ...task, version: 3 }) // is merged just after the lists were said to be old
  vi.advanceTimersByTime(200)
  expect(listOf(['tasks', {}])).toHaveLength(1)
  expect(queries.getQueryState(['tasks', {}])?.isInvalidated).toBe(true)
})

it('calls a long list old until all of it was read again', async () => {
  const list = new InfiniteQueryObserver(queries, {
    queryKey: ['tasks', {}],
    queryFn: () => ({ items: [makeTask()] }),
    initialPageParam: 0,
    getNextPageParam: (_last, pages) => pages.length,
    staleTime: Infinity,
  })
  const leave = list.subscribe(() => undefined)
  await vi.advanceTimersByTimeAsync(0)
  for (let i = 0; i < 3; i++) await list.fetchNextPage()
  const say = openTasks()
  await list.refetch()
  expect(list.getCurrentResult().isStale).toBe(false)
  say(makeTask())
  await vi.advanceTimersByTimeAsync(2000)
  expect(list.getCurrentResult().isStale).toBe(true)
  await list.fetchNextPage()
  expect(list.getCurrentResult().isStale).toBe(true)
  await list.refetch()
  expect(list.getCurrentResult().isStale).toBe(false)
  leave()
})

it('waits for an answer that takes long instead of asking anew again and again', async () => {
  let asked = 0
  const list = new InfiniteQueryObserver(queries, {
    queryKey: ['tasks', {}],
    queryFn: async () => {
      asked++
      await new Promise((resolve) => setTimeout(resolve, 4000))
      return { items: [makeTask({ name: String(asked) })] }
    },
    initialPageParam: 0,
    getNextPageParam: () => undefined,
  })
  const leave = list.subscribe(() => undefined)
  await vi.advanceTimersByTimeAsync(4000)
  const say = openTasks()
  await vi.advanceTimersByTimeAsync(4000)
  asked = 0
  for (let i = 0; i < 20; i++) {
    say(makeTask())
    await vi.advanceTimersByTimeAsync(1000)
  }
  expect(asked).toBeLessThan(6)
  expect(list.getCurrentResult().data?.pages[0]?.items[0]?.name).not.toBe('1')
  leave()
})

it('asks for the timeline also when the task itself was known already', () => {
  const task = makeTask()
  queries.setQueryData(['task', task.task_id], task)
  queries.setQueryData(['task', task.task_id, 'events'], [])
  const say = openTasks()
  const cancelled = { ...task, version: 2, status: 'cancelled' } as const
  queries.setQueryData(['task', task.task_id], cancelled) // the answer to the cancel
  queries.setQueryData(['task', task.task_id, 'events'], [])
  say(cancelled)
  vi.advanceTimersByTime(2000)
  expect(queries.getQueryState(['task', task.task_id, 'events'])?.isInvalidated).toBe(true)
})

it('asks for what the use of a worker does not say, however often that is told', () => {
  const worker = makeWorker()
  queries.setQueryData(['workers'], [worker], { updatedAt: Date.now() - 60_000 })
  live.start()
  const telemetry = FakeSocket.all.find((s) => s.url.endsWith('/ws/telemetry'))
  telemetry?.open()
  telemetry?.say({ seq: 1, type: 'snapshot', data: {} })
  vi.advanceTimersByTime(10_000)
  const read = Date.now() - 60_000
  queries.setQueryData(['workers'], [worker], { updatedAt: read })
  for (let seq = 2; seq < 12; seq++) {
    telemetry?.say({ seq, type: 'delta', data: { [worker.worker_id]: measured(worker) } })
    vi.advanceTimersByTime(1000)
  }
  expect(queries.getQueryState(['workers'])?.dataUpdatedAt).toBe(read)
  expect(queries.getQueryState(['workers'])?.isInvalidated).toBe(true)
})

it('says that it is offline, not that a proxy is in the way, while calls have no answer', async () => {
  const query = {
    queryKey: ['cluster'],
    queryFn: () => Promise.reject(new ApiError({}, 0)),
    retry: false,
  }
  live.start()
  FakeSocket.all.forEach((socket) => socket.open())
  FakeSocket.all.forEach((socket) => socket.end(1006))
  await queries.prefetchQuery(query)
  for (let i = 0; i < 4; i++) {
    vi.advanceTimersByTime(20_000)
    FakeSocket.all.slice(-2).forEach((socket) => socket.end(1006))
  }
  expect(live.current()).toBe('offline')
  await queries.prefetchQuery({ ...query, queryFn: () => Promise.resolve({}) })
  expect(live.current()).toBe('polling')
})

it('says how it hears of changes, and asks by itself where no socket is let through', () => {
  server.use(http.get('*/version', () => HttpResponse.json({}))) // since nothing is said for long
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

it('believes what it hears more than what the browser says of the network', () => {
  live.start()
  const [tasks, telemetry] = FakeSocket.all
  tasks?.open()
  telemetry?.open()
  window.dispatchEvent(new Event('offline'))
  expect(live.current()).toBe('offline')
  telemetry?.say({ seq: 1, type: 'delta', data: {} }) // of a master on this machine
  expect(live.current()).toBe('live')
})
