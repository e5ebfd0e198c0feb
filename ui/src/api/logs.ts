import { ApiError, refused, type LogRecord } from './client'

export interface LogAsk {
  attempt?: number
  offset?: number
  tail?: number
  follow?: boolean
  stream?: 'stdout' | 'stderr'
  q?: string
}

export const logPath = (id: string, ask: LogAsk) => {
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(ask)) if (value !== undefined) query.set(key, String(value))
  return `/api/tasks/${encodeURIComponent(id)}/logs?${query}`
}

export interface LogReply {
  attempt: number
  /** Where a later read goes on; unknown when it was left early. */
  next: number | undefined
}

/**
 * Reads records of a log as they come, in batches, until the end or until take
 * says that it has enough by returning false.
 */
export async function readLog(
  id: string,
  ask: LogAsk,
  take: (records: LogRecord[]) => unknown,
  signal?: AbortSignal,
): Promise<LogReply> {
  const stop = new AbortController()
  const abort = () => stop.abort()
  signal?.addEventListener('abort', abort)
  try {
    const response = await fetch(logPath(id, ask), {
      credentials: 'same-origin',
      headers: { Accept: 'application/x-ndjson' },
      signal: stop.signal,
    }).catch((error: unknown) => {
      if (stop.signal.aborted) throw error
      throw new ApiError({ title: 'Offline', detail: 'The master does not answer.' }, 0)
    })
    if (!response.ok) throw refused(response, await response.json().catch(() => undefined))
    const attempt = Number(response.headers.get('X-Attempt') ?? ask.attempt ?? 1)
    const header = response.headers.get('X-Next-Offset')
    let next = header === null ? undefined : Number(header)
    for await (const records of lines(response)) {
      next ??= records.at(-1)?.next
      if (take(records) === false) return { attempt, next: undefined }
    }
    return { attempt, next }
  } finally {
    signal?.removeEventListener('abort', abort)
    stop.abort()
  }
}

async function* lines(response: Response): AsyncGenerator<LogRecord[]> {
  if (!response.body) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) break
      const parts = (rest + value).split('\n')
      rest = parts.pop() ?? ''
      if (parts.length > 0) yield parts.map((line) => JSON.parse(line) as LogRecord)
    }
    if (rest) yield [JSON.parse(rest) as LogRecord]
  } finally {
    reader.cancel().catch(() => undefined) // it may be over already
  }
}
