import { heard, watch } from './pulse'

/** One message of a live connection: numbered from 1, without holes. */
export interface Frame {
  seq: number
  type: 'snapshot' | 'delta' | 'resync'
  data: unknown
}

export type Link = 'connecting' | 'live' | 'refused' | 'broken'

interface Options {
  /** The path with its query, asked for at each attempt, so that it can say where to go on. */
  path: () => string
  onFrame: (frame: Frame) => void
  onLink: (link: Link) => void
  /** The master ended it because the sign-in is over. */
  onSignedOut?: () => void
  /** The master said that there is nothing more to come. */
  onEnd?: () => void
}

const firstPause = 500
const longestPause = 15_000
/** So long an attempt may take to open; a network that swallows everything would take minutes to say so. */
const opening = 15_000
/** So many attempts that never opened, while the master answers other calls, count as refused. */
const refusals = 3

const closeNormal = 1000
const closePolicy = 1008

/**
 * A WebSocket that comes back by itself. A hole in the numbers means that
 * something was lost: it connects anew, and begins again from a snapshot.
 */
export class LiveSocket {
  private socket: WebSocket | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  private unwatch: (() => void) | undefined
  private failures = 0
  private neverOpened = 0
  private stopped = false

  constructor(private readonly options: Options) {
    globalThis.addEventListener?.('online', this.hurry)
    this.connect()
  }

  close() {
    this.stopped = true
    globalThis.removeEventListener?.('online', this.hurry)
    clearTimeout(this.timer)
    this.drop()
  }

  /** There is a network again: a connection that still seems open may be of the one before. */
  private readonly hurry = () => {
    clearTimeout(this.timer)
    this.drop()
    this.connect()
  }

  private drop() {
    const socket = this.socket
    this.socket = undefined
    this.unwatch?.()
    this.unwatch = undefined
    if (!socket) return
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close()
  }

  private connect() {
    this.timer = undefined
    if (this.neverOpened < refusals) this.options.onLink('connecting')
    const url = new URL(this.options.path(), location.href)
    url.protocol = url.protocol.replace('http', 'ws')
    const socket = new WebSocket(url)
    this.socket = socket
    let opened = false
    let expected = 1
    this.timer = setTimeout(() => {
      this.neverOpened++
      this.again()
    }, opening)
    socket.onopen = () => {
      clearTimeout(this.timer)
      opened = true
      this.neverOpened = 0
      this.unwatch = watch({ nudge: () => socket.send(''), giveUp: () => this.again() })
      this.options.onLink('live')
    }
    socket.onmessage = (event: MessageEvent<string>) => {
      heard()
      const frame = JSON.parse(event.data) as Frame
      if (frame.seq !== expected) {
        this.again()
        return
      }
      expected++
      this.failures = 0
      this.options.onFrame(frame)
    }
    socket.onclose = (event) => {
      clearTimeout(this.timer)
      this.drop()
      if (this.stopped) return
      if (!opened) this.neverOpened++
      if (event.code === closePolicy) this.options.onSignedOut?.()
      if (this.stopped) return // by those who have just heard of it
      if (event.code === closeNormal && opened && this.options.onEnd) {
        this.stopped = true
        this.options.onEnd()
        return
      }
      this.again()
    }
  }

  /** Connects once more, each time after a longer pause. */
  private again() {
    this.drop()
    this.options.onLink(this.neverOpened >= refusals ? 'refused' : 'broken')
    if (this.stopped) return
    const pause = Math.min(longestPause, firstPause * 2 ** this.failures++)
    // Some jitter, so that a master that comes back is not called by all at once.
    this.timer = setTimeout(() => this.connect(), pause * (0.75 + Math.random() / 2))
  }
}
