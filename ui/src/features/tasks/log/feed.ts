import { ApiError, reportSignedOut, type LogRecord } from '@/api/client'
import { readLog, type LogAsk } from '@/api/logs'
import { LiveSocket, type Frame, type Link } from '@/api/socket'
import { joined } from './join'

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
  /** How many records the last change put before the others; less than 0: how many it took away there. */
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

interface Range {
  records: LogRecord[]
  /** Where the log ends, if it does before the range. */
  end: number | undefined
  /** There are more at its beginning than are kept. */
  cut: boolean
}

export interface Options {
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
  /** No socket is let through; what is read instead, while it is. */
  private socketless = false
  private reading: AbortController | undefined

  constructor(private readonly options: Options) {}

  start() {
    this.state = nothing
    this.stop = new AbortController()
    void this.guarded(() => this.begin())
  }

  /** Opens it at its end, however far away that is. */
  toEnd() {
    this.close()
    this.start()
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
    const { signal } = this.stop // of this life of it, there may be another one by then
    this.set({ loading: true, error: undefined })
    try {
      await work()
    } catch (error) {
      if (!signal.aborted) this.failed(error)
    } finally {
      if (!signal.aborted) this.set({ loading: false })
    }
  }

  private failed(error: unknown) {
    this.set({ error: error instanceof Error ? error.message : String(error) })
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
      const { records, end } = await this.range(from, at + chunkBytes)
      this.set({ records: joined([], records), atStart: from === 0, atEnd: false })
      this.next = records.at(-1)?.next ?? from
      if (end !== undefined) this.reachedEnd(end)
      else if (records.length === 0) await this.readOn()
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
    const atStart = (records[0]?.offset ?? 0) === 0
    this.set({ records: joined([], records), attempt: reply.attempt, atStart, atEnd: true })
    this.follow()
  }

  /** The whole records between two bytes. */
  private async range(from: number, to: number): Promise<Range> {
    let records: LogRecord[] = []
    let cut = false
    const reply = await readLog(
      this.options.id,
      this.ask({ offset: from }),
      (batch) => {
        records.push(...batch.filter((record) => record.offset < to))
        if (records.length > mostRecords) {
          records = records.slice(-mostRecords / 2)
          cut = true
        }
        return (batch.at(-1)?.offset ?? 0) < to
      },
      this.stop.signal,
    )
    if (this.state.attempt === undefined) this.set({ attempt: reply.attempt })
    // A read that begins anywhere begins in the middle of a line, unless that is of the other stream.
    const torn = from > 0 && records[0]?.offset === from
    return { records: torn ? records.slice(1) : records, end: reply.next, cut }
  }

  /** Reads what comes before the window. */
  before() {
    const first = this.state.records[0]
    if (this.state.loading || this.state.atStart || !first) return
    void this.guarded(async () => {
      let from = first.offset
      let older: LogRecord[] = []
      let cut = false
      // Of one stream there may be nothing for long.
      for (let reach = chunkBytes; older.length === 0 && from > 0; reach *= 2) {
        from = Math.max(0, first.offset - reach)
        ;({ records: older, cut } = await this.range(from, first.offset))
      }
      let records = joined(joined([], older), this.state.records)
      const prepended = records.length - this.state.records.length
      let { atEnd } = this.state
      if (records.length > mostRecords) {
        records = records.slice(0, mostRecords)
        atEnd = false
        this.unfollow()
        this.next = records.at(-1)?.next ?? 0
      }
      this.set({ records, atEnd, atStart: from === 0 && !cut, prepended })
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
    if (reply.next !== undefined) this.reachedEnd(reply.next)
  }

  private reachedEnd(end: number) {
    this.next = Math.max(this.next, end)
    this.set({ atEnd: true })
    this.follow()
  }

  private append(newer: LogRecord[]) {
    const records = joined(this.state.records, newer)
    const dropped = records.length > mostRecords ? records.length - mostRecords * 0.8 : 0
    if (dropped > 0) this.set({ records: records.slice(dropped), atStart: false, prepended: -dropped })
    else this.set({ records })
  }

  private unfollow() {
    this.socket?.close()
    this.socket = undefined
    this.reading?.abort()
    this.reading = undefined
    this.incoming = []
  }

  private follow() {
    if (this.socket || this.reading || this.stop.signal.aborted) return
    if (this.socketless) {
      void this.followByReading().catch((error: unknown) => this.failed(error))
      return
    }
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
        if (link !== 'refused') return
        this.socketless = true
        this.flush()
        this.unfollow()
        this.follow()
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
  private async followByReading() {
    const { signal } = (this.reading = new AbortController())
    while (!signal.aborted) {
      try {
        await readLog(
          this.options.id,
          this.ask({ offset: this.next, follow: true }),
          (batch) => {
            this.next = batch.at(-1)?.next ?? this.next
            this.set({ link: 'live' })
            this.append(batch)
          },
          signal,
        )
        this.set({ complete: true, link: 'live' })
        return
      } catch (error) {
        if (signal.aborted) return
        const status = error instanceof ApiError ? error.status : 0
        if (status === 416) {
          this.set({ complete: true })
          return
        }
        if (status >= 400 && status < 500 && status !== 429) throw error
        this.set({ link: 'broken' })
        await new Promise((resolve) => setTimeout(resolve, 2000))
      }
    }
  }
}
