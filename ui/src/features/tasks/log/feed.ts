import { ApiError, reportSignedOut, type LogRecord } from '@/api/client'
import { readLog, type LogAsk } from '@/api/logs'
import { LiveSocket, type Frame, type Link } from '@/api/socket'

export interface LogState {
  records: LogRecord[]
  attempt: number | undefined
  /** The first record is the log's first. */
  atStart: boolean
  /** The last record is the newest that there is. */
  atEnd: boolean
  /** Nothing more will come. */
  complete: boolean
  loading: boolean
  link: Link | undefined
  error: string | undefined
  /** How many records the last change put before the others. */
  prepended: number
}

const nothing: LogState = {
  records: [],
  attempt: undefined,
  atStart: false,
  atEnd: false,
  complete: false,
  loading: true,
  link: undefined,
  error: undefined,
  prepended: 0,
}

interface Options {
  id: string
  attempt: number | undefined
  stream: 'stdout' | 'stderr' | undefined
  /** Begin around this byte; otherwise at the end. */
  at: number | undefined
}

const tailLines = 2000
const chunkBytes = 128 << 10
/** Lines that are kept; more push out those at the other end, which can be read again. */
const mostRecords = 100_000
const flushPause = 60

/**
 * One log as somebody looks at it: a window that grows at both ends, and at its
 * end follows what is written. Where it is in the log, it knows by bytes.
 */
export class LogFeed {
  private state = nothing
  private readonly listeners = new Set<() => void>()
  private stop = new AbortController()
  private socket: LiveSocket | undefined
  private incoming: LogRecord[] = []
  private flushTimer: ReturnType<typeof setTimeout> | undefined
  private next = 0
  private refusedOnce = false

  constructor(private readonly options: Options) {}

  start() {
    this.state = nothing
    this.stop = new AbortController()
    void this.guarded(() => this.begin())
  }

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  readonly current = () => this.state

  close() {
    this.stop.abort()
    this.unfollow()
    clearTimeout(this.flushTimer)
    this.flushTimer = undefined
  }

  private set(change: Partial<LogState>) {
    this.state = { ...this.state, prepended: 0, ...change }
    this.listeners.forEach((listener) => listener())
  }

  private async guarded(work: () => Promise<void>) {
    this.set({ loading: true, error: undefined })
    try {
      await work()
    } catch (error) {
      if (this.stop.signal.aborted) return
      this.set({ error: error instanceof Error ? error.message : String(error) })
    } finally {
      if (!this.stop.signal.aborted) this.set({ loading: false })
    }
  }

  private ask(rest: LogAsk): LogAsk {
    const { attempt, stream } = this.options
    const shown = this.state.attempt ?? attempt
    return { ...(shown ? { attempt: shown } : {}), ...(stream ? { stream } : {}), ...rest }
  }

  private async begin() {
    const { at } = this.options
    if (at !== undefined) {
      const from = Math.max(0, at - chunkBytes / 2)
      const records = await this.range(from, at + chunkBytes)
      this.set({ records, atStart: from === 0, atEnd: false })
      this.next = records.at(-1)?.next ?? from
      if (records.length === 0) await this.readOn()
      return
    }
    const records: LogRecord[] = []
    const reply = await readLog(
      this.options.id,
      this.ask({ tail: tailLines }),
      (batch) => records.push(...batch),
      this.stop.signal,
    )
    this.next = reply.next ?? records.at(-1)?.next ?? 0
    this.set({ records, attempt: reply.attempt, atStart: (records[0]?.offset ?? 0) === 0, atEnd: true })
    this.follow()
  }

  /** The whole records between two bytes. */
  private async range(from: number, to: number): Promise<LogRecord[]> {
    const records: LogRecord[] = []
    const reply = await readLog(
      this.options.id,
      this.ask({ offset: from }),
      (batch) => {
        records.push(...batch.filter((record) => record.offset < to))
        return (batch.at(-1)?.offset ?? 0) < to
      },
      this.stop.signal,
    )
    if (this.state.attempt === undefined) this.set({ attempt: reply.attempt })
    // A read that begins anywhere begins in the middle of a line.
    return from > 0 ? records.slice(1) : records
  }

  /** Reads what comes before the window. */
  before() {
    const first = this.state.records[0]
    if (this.state.loading || this.state.atStart || !first) return
    void this.guarded(async () => {
      const from = Math.max(0, first.offset - chunkBytes)
      const older = await this.range(from, first.offset)
      let records = [...older, ...this.state.records]
      let { atEnd } = this.state
      if (records.length > mostRecords) {
        records = records.slice(0, mostRecords)
        atEnd = false
        this.unfollow()
        this.next = records.at(-1)?.next ?? 0
      }
      this.set({ records, atEnd, atStart: from === 0, prepended: older.length })
    })
  }

  /** Reads what comes after the window, while that is not the log's end. */
  after() {
    if (this.state.loading || this.state.atEnd) return
    void this.guarded(() => this.readOn())
  }

  private async readOn() {
    const from = this.next
    const newer: LogRecord[] = []
    const reply = await readLog(
      this.options.id,
      this.ask({ offset: from }),
      (batch) => {
        newer.push(...batch)
        return (batch.at(-1)?.next ?? from) < from + chunkBytes
      },
      this.stop.signal,
    ).catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 416) return { attempt: 0, next: from } // its very end
      throw error
    })
    this.next = newer.at(-1)?.next ?? from
    this.append(newer)
    if (reply.next === undefined) return
    this.next = Math.max(this.next, reply.next)
    this.set({ atEnd: true })
    this.follow()
  }

  private append(newer: LogRecord[]) {
    let records = [...this.state.records, ...newer]
    let { atStart } = this.state
    if (records.length > mostRecords) {
      records = records.slice(records.length - mostRecords + mostRecords / 5)
      atStart = false
    }
    this.set({ records, atStart })
  }

  private unfollow() {
    this.socket?.close()
    this.socket = undefined
    this.incoming = []
  }

  private follow() {
    if (this.socket || this.stop.signal.aborted) return
    this.socket = new LiveSocket({
      path: () => {
        const query = new URLSearchParams()
        for (const [key, value] of Object.entries(this.ask({ offset: this.next })))
          query.set(key, String(value))
        return `/ws/tasks/${encodeURIComponent(this.options.id)}/logs?${query}`
      },
      onFrame: (frame) => this.frame(frame),
      onLink: (link) => {
        this.set({ link })
        if (link === 'refused') this.followByReading()
      },
      onSignedOut: reportSignedOut,
      onEnd: () => {
        this.flush()
        this.set({ complete: true })
      },
    })
  }

  private frame(frame: Frame) {
    if (frame.type !== 'delta') {
      this.set({ attempt: (frame.data as { attempt: number }).attempt })
      return
    }
    const record = frame.data as LogRecord
    if (record.offset < this.next) return
    this.next = record.next
    this.incoming.push(record)
    this.flushTimer ??= setTimeout(() => this.flush(), flushPause)
  }

  private flush() {
    clearTimeout(this.flushTimer)
    this.flushTimer = undefined
    if (this.incoming.length > 0) this.append(this.incoming.splice(0))
  }

  /** Where no socket is let through, an answer that does not end does the same. */
  private followByReading() {
    if (this.refusedOnce) return
    this.refusedOnce = true
    this.unfollow()
    const again = async (): Promise<void> => {
      const from = this.next
      try {
        await readLog(
          this.options.id,
          this.ask({ offset: from, follow: true }),
          (batch) => {
            this.next = batch.at(-1)?.next ?? this.next
            this.append(batch)
          },
          this.stop.signal,
        )
        this.set({ complete: true, link: 'live' })
      } catch (error) {
        if (this.stop.signal.aborted) return
        if (error instanceof ApiError && error.status === 416) return this.set({ complete: true })
        if (error instanceof ApiError && error.status >= 400) return this.set({ error: error.message })
        this.set({ link: 'broken' })
        await new Promise((resolve) => setTimeout(resolve, 2000))
        return again()
      }
    }
    void again()
  }
}
