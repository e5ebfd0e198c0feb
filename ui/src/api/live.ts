import type { InfiniteData, Query, QueryCacheNotifyEvent, QueryClient, QueryKey } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { isOffline, reportSignedOut, type Task, type Telemetry, type Worker } from './client'
import { LiveSocket, type Frame, type Link } from './socket'

/** How the page hears of changes: pushed, by asking again and again, or not at all. */
export type Connection = 'connecting' | 'live' | 'polling' | 'offline'

interface TaskPage {
  items: Task[]
  next_cursor?: string
}

/** How often lists and counts are asked for again while tasks change. */
const listPause = 1500
/** So long changes are gathered before the cache, and with it the page, is touched. */
const mergePause = 50
/** How often the page asks when nothing is pushed, and for what is promised and allowed of workers. */
const pollPause = 5000

/**
 * The page's ear: it keeps two live connections and brings what they say into
 * the query cache, which is the only place where state of the master is kept.
 */
export class Live {
  private readonly links: { tasks: Link; telemetry: Link } = { tasks: 'connecting', telemetry: 'connecting' }
  private sockets: LiveSocket[] = []
  private listeners = new Set<() => void>()
  private connection: Connection = 'connecting'
  /** The browser says that it has no network, and nothing has been heard since. */
  private cut = false
  private listTimer: ReturnType<typeof setTimeout> | undefined
  private poll: ReturnType<typeof setInterval> | undefined
  private fresh = new Set<string>()
  private readonly heard = new Map<string, Task>()
  /** What was brought into the cache while something was being read, whose answer may be older. */
  private readonly late = new Map<string, Task>()
  private readonly gone = new Set<string>()
  private mergeTimer: ReturnType<typeof setTimeout> | undefined
  private workersTimer: ReturnType<typeof setTimeout> | undefined
  private deaf: (() => void) | undefined
  /** Those that were said to be old and were not read again as a whole since, by hash. */
  private readonly old = new Set<string>()
  /** The last call had no answer: it is no proxy that keeps the connections from opening. */
  private silent = false

  constructor(private readonly queries: QueryClient) {}

  start() {
    if (this.sockets.length > 0) return
    const open = (name: 'tasks' | 'telemetry', path: string, onFrame: (frame: Frame) => void) =>
      new LiveSocket({
        path: () => path,
        onFrame: (frame) => {
          this.heardFrom()
          onFrame(frame)
        },
        onLink: (link) => this.linked(name, link),
        onSignedOut: reportSignedOut,
      })
    this.sockets = [
      open('tasks', '/ws/tasks', (frame) => this.tasksFrame(frame)),
      open('telemetry', '/ws/telemetry', (frame) => this.telemetryFrame(frame)),
    ]
    this.deaf = this.queries.getQueryCache().subscribe((event) => this.cacheEvent(event))
    globalThis.addEventListener('offline', this.told)
    globalThis.addEventListener('online', this.told)
  }

  stop() {
    this.sockets.forEach((socket) => socket.close())
    this.sockets = []
    clearTimeout(this.listTimer)
    clearTimeout(this.mergeTimer)
    clearTimeout(this.workersTimer)
    clearInterval(this.poll)
    this.listTimer = this.mergeTimer = this.workersTimer = this.poll = undefined
    this.heard.clear()
    this.forget()
    this.old.clear()
    this.silent = false
    this.deaf?.()
    globalThis.removeEventListener('offline', this.told)
    globalThis.removeEventListener('online', this.told)
    this.links.tasks = this.links.telemetry = 'connecting'
    this.cut = false
  }

  private cacheEvent(event: QueryCacheNotifyEvent) {
    if (event.type !== 'updated') return
    const { action, query } = event
    if (action.type === 'invalidate') this.old.add(query.queryHash)
    if (action.type === 'failed' || action.type === 'error') this.heardBack(!isOffline(action.error))
    if (action.type === 'success' && !action.manual) {
      this.heardBack(true)
      const more = query.state.fetchMeta?.fetchMore !== undefined
      // One more page says nothing about those that were there.
      if (more && this.old.has(query.queryHash)) query.invalidate()
    }
    if (action.type === 'success' && !query.state.isInvalidated) this.old.delete(query.queryHash)
    // An answer has come, or the read was given up and what was before it is back.
    if ((action.type !== 'success' || action.manual) && action.type !== 'setState') return
    if (this.late.size + this.gone.size > 0 && readKeys.has(keyOf(query))) this.mergeSoon()
  }

  /** Whether the master answers calls decides what connections that do not open mean. */
  private heardBack(answers: boolean) {
    if (this.silent === !answers) return
    this.silent = !answers
    this.settle()
  }

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  readonly current = () => this.connection

  private readonly told = (event: Event) => {
    this.cut = event.type === 'offline'
    this.settle()
  }

  /** A master on this machine is heard without any network, whatever the browser says. */
  private heardFrom() {
    if (!this.cut) return
    this.cut = false
    this.settle()
  }

  private linked(name: 'tasks' | 'telemetry', link: Link) {
    this.links[name] = link
    if (link === 'live') this.cut = false
    this.settle()
  }

  private settle() {
    const before = this.connection
    const all = Object.values(this.links)
    if (this.cut) this.connection = 'offline'
    else if (all.every((l) => l === 'live')) this.connection = 'live'
    else if (all.includes('refused') && !this.silent) this.connection = 'polling'
    else if (all.some((l) => l === 'broken' || l === 'refused') || before === 'offline')
      this.connection = 'offline'
    else if (before !== 'polling') this.connection = 'connecting'
    const polls = this.connection === 'polling' || this.connection === 'offline'
    if (polls)
      this.poll ??= setInterval(() => this.askAgain(false, (q) => isOfTasks(q) || isOfWorkers(q)), pollPause)
    else {
      clearInterval(this.poll)
      this.poll = undefined
    }
    if (this.connection !== before) this.listeners.forEach((listener) => listener())
  }

  /** Whoever asks every few seconds waits for slow answers; after a gap they may be too old. */
  private askAgain(anew: boolean, about: (query: Query) => boolean) {
    void this.queries.invalidateQueries({ predicate: about }, { cancelRefetch: anew })
  }

  private tasksFrame(frame: Frame) {
    const { items, removed } = frame.data as { items: Task[]; removed?: string[] }
    // After a gap anything may have changed; what is shown is asked for once.
    if (frame.type === 'delta') this.refreshSoon()
    else this.askAgain(true, isOfTasks)
    for (const task of items) {
      this.heard.set(task.task_id, task)
      // Its timeline too, also where another answer has already brought the task itself.
      if (this.queries.getQueryState(['task', task.task_id])) this.fresh.add(task.task_id)
    }
    for (const id of removed ?? []) {
      this.heard.delete(id)
      this.late.delete(id)
      if (this.isReading()) this.gone.add(id)
    }
    if (removed) this.dropTasks(new Set(removed))
    this.mergeSoon()
  }

  private forget() {
    this.late.clear()
    this.gone.clear()
  }

  private isReading() {
    return this.queries.isFetching({ predicate: (query) => readKeys.has(keyOf(query)) }) > 0
  }

  /** However many frames come in a moment, the page is drawn once for them. */
  private mergeSoon() {
    this.mergeTimer ??= setTimeout(() => {
      this.mergeTimer = undefined
      this.mergeTasks([...this.late.values(), ...this.heard.values()])
      // A read that is under way puts back what there was when it began.
      if (this.isReading()) for (const [id, task] of this.heard) this.late.set(id, task)
      this.heard.clear()
      if (this.gone.size > 0) this.takeOut(this.gone)
      if (!this.isReading()) this.forget()
    }, mergePause)
  }

  /** Puts changed tasks in the place of what is known of them. */
  mergeTasks(items: Task[]) {
    const changed = new Map<string, Task>()
    for (const task of items) {
      if ((changed.get(task.task_id)?.version ?? 0) <= task.version) changed.set(task.task_id, task)
    }
    const merge = (list: Task[]) => {
      let touched = false
      const merged = list.map((task) => {
        const now = changed.get(task.task_id)
        if (!now || now.version < task.version) return task
        touched = true
        return now
      })
      return touched ? merged : list
    }
    this.patch<InfiniteData<TaskPage>>(['tasks'], (data) => {
      let touched = false
      const pages = data.pages.map((page) => {
        const merged = merge(page.items)
        if (merged === page.items) return page
        touched = true
        return { ...page, items: merged }
      })
      return touched ? { ...data, pages } : data
    })
    this.patch<Task[]>(['recent'], merge)
    // Of single tasks few are known, however many have changed.
    for (const { queryKey: key, state } of this.queries.getQueryCache().findAll({ queryKey: ['task'] })) {
      const now = key.length === 2 ? changed.get(String(key[1])) : undefined
      const known = state.data as Task | undefined
      if (now && known && now.version >= known.version)
        this.patch<Task>(key, () => withReasons(now, known), true)
    }
  }

  /** Changes what is known without saying that it was read anew: what was old stays old. */
  private patch<T>(queryKey: QueryKey, change: (data: T) => T, exact = false) {
    const cache = this.queries.getQueryCache()
    const old = cache.findAll({ queryKey, exact, predicate: (query) => query.state.isInvalidated })
    const read = exact ? this.queries.getQueryState(queryKey)?.dataUpdatedAt : undefined
    this.queries.setQueriesData<T>(
      { queryKey, exact },
      (data) => (data === undefined ? data : change(data)),
      read === undefined ? {} : { updatedAt: read },
    )
    for (const query of old) query.invalidate()
  }

  /** Takes tasks that are gone for good out of what is shown. */
  dropTasks(gone: Set<string>) {
    this.takeOut(gone)
    // A page about one of them asks, and hears that it is not there.
    for (const id of gone) void this.queries.invalidateQueries({ queryKey: ['task', id] })
  }

  private takeOut(gone: Set<string>) {
    const keep = (list: Task[]) =>
      list.some((task) => gone.has(task.task_id)) ? list.filter((task) => !gone.has(task.task_id)) : list
    this.patch<InfiniteData<TaskPage>>(['tasks'], (data) => {
      const pages = data.pages.map((page) => {
        const items = keep(page.items)
        return items === page.items ? page : { ...page, items }
      })
      return pages.every((page, i) => page === data.pages[i]) ? data : { ...data, pages }
    })
    this.patch<Task[]>(['recent'], keep)
  }

  /** Counts, lists and timelines follow a moment later, however many events there are. */
  private refreshSoon() {
    this.listTimer ??= setTimeout(() => {
      this.listTimer = undefined
      // To ask anew would throw away what is under way, again and again where answers are slow.
      if (this.queries.isFetching({ predicate: isCounted }) > 0) {
        this.refreshSoon()
        return
      }
      for (const key of ['cluster', 'recent']) void this.queries.invalidateQueries({ queryKey: [key] })
      // A long list that somebody has scrolled through is not read again from its
      // beginning; it only counts as old until the person asks for the newest.
      void this.queries.invalidateQueries({ queryKey: ['tasks'], predicate: isShort })
      void this.queries.invalidateQueries({ queryKey: ['tasks'], refetchType: 'none' })
      for (const id of this.fresh) {
        void this.queries.invalidateQueries({
          queryKey: ['task', id],
          predicate: (q) => q.queryKey.length > 2 || lacksReasons(q.state.data as Task | undefined),
        })
      }
      this.fresh.clear()
    }, listPause)
  }

  private telemetryFrame(frame: Frame) {
    const uses = frame.data as Record<string, Telemetry | null>
    const known = this.queries.getQueryData<Worker[]>(['workers'])
    let unknown = frame.type !== 'delta'
    for (const [id, use] of Object.entries(uses)) {
      const worker = known?.find((w) => w.worker_id === id)
      unknown ||=
        (use === null) === (worker !== undefined) ||
        (use !== null && worker !== undefined && stale(worker, use))
    }
    const merge = (worker: Worker) => {
      const use = uses[worker.worker_id]
      return use ? withUse(worker, use) : worker
    }
    this.patch<Worker[]>(['workers'], (list) => list.map(merge), true)
    if (unknown) this.askForWorkers()
    else this.workersTimer ??= setTimeout(() => this.askForWorkers(), pollPause)
  }

  /** For what the use does not say: promises, drains, labels, and what others run. */
  private askForWorkers() {
    clearTimeout(this.workersTimer)
    this.workersTimer = undefined
    this.askAgain(true, isOfWorkers)
  }
}

const keyOf = (query: Query) => String(query.queryKey[0])
/** What a gap in the changes of tasks makes doubtful, the tasks on a worker among it. */
const isOfTasks = (query: Query) =>
  ['cluster', 'recent', 'tasks', 'task'].includes(keyOf(query)) ||
  (keyOf(query) === 'worker' && query.queryKey.length > 2)
/** The same of workers. */
const isOfWorkers = (query: Query) =>
  ['cluster', 'workers', 'worker'].includes(keyOf(query)) && query.queryKey.length <= 2

/** What brings tasks into the cache. */
const readKeys = new Set(['tasks', 'page', 'recent', 'task'])

/** What is asked for again while tasks change. */
const isCounted = (query: Query) => ['cluster', 'recent', 'tasks'].includes(keyOf(query))

const isShort = (query: Query) =>
  ((query.state.data as InfiniteData<TaskPage> | undefined)?.pages.length ?? 0) <= 2

/** A task as it was pushed, which lacks why it waits, with what is known of that. */
function withReasons(now: Task, known: Task): Task {
  if (now.waiting || !known.waiting || now.status !== 'queued' || now.attempt !== known.attempt) return now
  const place = now.queue_position === undefined ? {} : { queue_position: now.queue_position }
  return { ...now, waiting: { ...known.waiting, ...place } }
}

const lacksReasons = (task: Task | undefined) => task?.status === 'queued' && !task.waiting

/** Whether the use shows that more than the use has changed. */
const stale = (worker: Worker, use: Telemetry) =>
  use.is_active !== (worker.status === 'active' || worker.status === 'draining') ||
  use.running_tasks.length !== worker.running_tasks.length

function withUse(worker: Worker, use: Telemetry): Worker {
  if (use.cpu_usage === null || use.memory_usage === null || use.storage_usage === null) return worker
  return {
    ...worker,
    used: {
      cpu: use.cpu_usage,
      memory: use.memory_usage,
      storage: use.storage_usage,
      gpu: use.gpu_usage ?? 0,
    },
    running_tasks: use.running_tasks,
    ...(use.last_update ? { last_heartbeat: use.last_update } : {}),
  }
}

export const useConnection = (live: Live) => useSyncExternalStore(live.subscribe, live.current)
