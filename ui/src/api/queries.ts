import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api, ApiError, call, type TaskStatus, type Worker } from './client'

export interface TaskFilters {
  status?: TaskStatus[]
  q?: string
  name?: string
  label?: string
  failure?: string
  worker_id?: string
  user_id?: string
  since?: string
  until?: string
  sort?: string
}

/** How many rows a page of a list brings. */
export const pageSize = 50

/** Who is signed in; null when nobody is. */
export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: async () => {
    try {
      return await call(api.GET('/api/auth/me'))
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null
      throw error
    }
  },
  staleTime: 5 * 60_000,
  gcTime: Infinity, // without it no page opens
})

export const registrationQuery = queryOptions({
  queryKey: ['registration'],
  queryFn: () => call(api.GET('/api/auth/registration')),
  staleTime: 0,
})

export const clusterQuery = queryOptions({
  queryKey: ['cluster'],
  queryFn: ({ signal }) => call(api.GET('/api/cluster', { signal })),
})

/** What the whole cluster did over the last hour. */
export const historyQuery = queryOptions({
  queryKey: ['history'],
  queryFn: async ({ signal }) =>
    (await call(api.GET('/api/cluster/metrics', { signal, params: { query: { step: '10s' } } }))).samples,
  refetchInterval: 10_000,
})

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: ({ signal }) => call(api.GET('/health', { signal })),
  refetchInterval: 30_000,
})

export const versionQuery = queryOptions({
  queryKey: ['version'],
  queryFn: () => call(api.GET('/version')),
  staleTime: Infinity,
})

export const workersQuery = queryOptions({
  queryKey: ['workers'],
  queryFn: async ({ signal }) => {
    const workers: Worker[] = []
    let cursor = ''
    do {
      const query = { limit: 1000, ...(cursor ? { cursor } : {}) }
      const page = await call(api.GET('/api/workers', { signal, params: { query } }))
      workers.push(...page.items)
      cursor = page.next_cursor ?? ''
    } while (cursor)
    return workers
  },
})

export const workerQuery = (id: string) =>
  queryOptions({
    queryKey: ['worker', id],
    queryFn: ({ signal }) => call(api.GET('/api/workers/{id}', { signal, params: { path: { id } } })),
  })

export const workerMetricsQuery = (id: string) =>
  queryOptions({
    queryKey: ['worker', id, 'metrics'],
    queryFn: ({ signal }) => call(api.GET('/api/workers/{id}/metrics', { signal, params: { path: { id } } })),
    refetchInterval: 10_000,
  })

export const joinQuery = queryOptions({
  queryKey: ['join'],
  queryFn: () => call(api.GET('/api/cluster/join')),
  staleTime: Infinity,
  gcTime: 0, // it holds a secret
})

/** So many of the tasks on a worker are shown with it; the list has all. */
export const mostHere = 100

/** What a worker has at present; asked for again when that is something else. */
export const workerTasksQuery = (worker: Worker) =>
  queryOptions({
    queryKey: ['worker', worker.worker_id, 'tasks', worker.running_tasks.map((r) => r.task_id).join(' ')],
    queryFn: async ({ signal }) => {
      const path = { id: worker.worker_id }
      const query = { limit: mostHere, status: ['assigned', 'running'] as TaskStatus[] }
      return (await call(api.GET('/api/workers/{id}/tasks', { signal, params: { path, query } }))).items
    },
    placeholderData: keepPreviousData,
  })

/** The filters as the API's query has them; what is empty is left out. */
export function taskQueryParams(filters: TaskFilters) {
  const { status, ...rest } = filters
  const query: Record<string, string> = {}
  for (const [key, value] of Object.entries(rest)) if (value) query[key] = value
  if (status?.length) query.status = status.join(',')
  return query
}

/** Where a page of the list begins: at a cursor of the master's, which only the page before it tells. */
export interface Place {
  cursor: string
  /** How many rows stand before it; pages of large tasks are shorter. */
  skipped: number
  before: Place | undefined
}

export const firstPlace: Place = { cursor: '', skipped: 0, before: undefined }

/**
 * So many pages are kept of one list. Those that somebody has scrolled past are
 * let go of and read again on the way back, so that a long look costs no memory.
 */
export const mostPages = 6

export const tasksPage = (filters: TaskFilters, { cursor }: Place, signal: AbortSignal) =>
  call(
    api.GET('/api/tasks', {
      signal,
      params: { query: { limit: pageSize, ...taskQueryParams(filters), ...(cursor ? { cursor } : {}) } },
    }),
  )

export const tasksQuery = (filters: TaskFilters) =>
  infiniteQueryOptions({
    queryKey: ['tasks', filters],
    queryFn: ({ pageParam, signal }) => tasksPage(filters, pageParam, signal),
    initialPageParam: firstPlace,
    getNextPageParam: (last, _, place): Place | undefined =>
      last.next_cursor
        ? { cursor: last.next_cursor, skipped: place.skipped + last.items.length, before: place }
        : undefined,
    getPreviousPageParam: (_first, _, place) => place.before,
    maxPages: mostPages,
    placeholderData: keepPreviousData,
    // Live changes are merged into it; see Live, which says when it is old.
    staleTime: Infinity,
  })

export const recentTasksQuery = (limit: number, filters: TaskFilters = {}) =>
  queryOptions({
    queryKey: ['recent', limit, filters],
    queryFn: async ({ signal }) =>
      (
        await call(
          api.GET('/api/tasks', { signal, params: { query: { limit, ...taskQueryParams(filters) } } }),
        )
      ).items,
    placeholderData: keepPreviousData,
  })

export const taskQuery = (id: string) =>
  queryOptions({
    queryKey: ['task', id],
    queryFn: ({ signal }) => call(api.GET('/api/tasks/{id}', { signal, params: { path: { id } } })),
    // Its place in the queue and why it waits change without any change of the task itself.
    refetchInterval: ({ state }) => (state.data?.status === 'queued' ? 5000 : false),
  })

/** The body that submits the same task again, with the content of its input files. */
export const taskSpecQuery = (id: string) =>
  queryOptions({
    queryKey: ['task', id, 'spec'],
    queryFn: ({ signal }) => call(api.GET('/api/tasks/{id}/spec', { signal, params: { path: { id } } })),
    staleTime: Infinity, // it never changes but in name, priority and timeout while the task waits
    gcTime: 0,
  })

export interface AuditFilters {
  user_id?: string
  action?: string
  target?: string
  outcome?: 'ok' | 'denied' | 'failed'
}

export const auditQuery = (filters: AuditFilters) =>
  infiniteQueryOptions({
    queryKey: ['audit', filters],
    queryFn: ({ pageParam, signal }) =>
      call(
        api.GET('/api/audit', {
          signal,
          params: { query: { limit: pageSize, ...filters, ...(pageParam ? { cursor: pageParam } : {}) } },
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  })

export const taskEventsQuery = (id: string) =>
  queryOptions({
    queryKey: ['task', id, 'events'],
    queryFn: async ({ signal }) => {
      const page = await call(
        api.GET('/api/tasks/{id}/events', { signal, params: { path: { id }, query: { limit: 1000 } } }),
      )
      return 'items' in page ? page.items : [page] // one event is the shape of a line, which is not asked for
    },
  })

export const taskMetricsQuery = (id: string, attempt: number) =>
  queryOptions({
    queryKey: ['task', id, 'metrics', attempt],
    queryFn: ({ signal }) =>
      call(api.GET('/api/tasks/{id}/metrics', { signal, params: { path: { id }, query: { attempt } } })),
  })

/** What it had left before its end says nothing about what is there after it. */
export const taskFilesQuery = (id: string, terminal: boolean) =>
  queryOptions({
    queryKey: ['task', id, 'files', terminal],
    queryFn: ({ signal }) => call(api.GET('/api/files/{id}', { signal, params: { path: { id } } })),
  })

/** The tasks that have left files. */
export const filesQuery = infiniteQueryOptions({
  queryKey: ['files'],
  queryFn: ({ pageParam, signal }) =>
    call(
      api.GET('/api/files', {
        signal,
        params: { query: { limit: pageSize, ...(pageParam ? { cursor: pageParam } : {}) } },
      }),
    ),
  initialPageParam: '',
  getNextPageParam: (last) => last.next_cursor ?? undefined,
})

/** What one's own output files take, and may take; null when nobody says. */
export const fileUseQuery = queryOptions({
  queryKey: ['file-use'],
  queryFn: async ({ signal }) => (await call(api.GET('/api/auth/me', { signal }))).files ?? null,
})

export const tokensQuery = queryOptions({
  queryKey: ['tokens'],
  queryFn: async () =>
    (await call(api.GET('/api/auth/tokens', { params: { query: { limit: 1000 } } }))).items,
})

export const usersQuery = queryOptions({
  queryKey: ['users'],
  queryFn: async () => (await call(api.GET('/api/users', { params: { query: { limit: 1000 } } }))).items,
})
