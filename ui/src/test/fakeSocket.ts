import type { Frame } from '@/api/socket'

/** Stands in the place of WebSocket; a test says what comes over it. */
export class FakeSocket {
  static all: FakeSocket[] = []
  static get newest(): FakeSocket {
    const newest = FakeSocket.all.at(-1)
    if (!newest) throw new Error('nothing has been opened')
    return newest
  }

  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  closed = false
  sent: string[] = []
  readonly url: string

  constructor(url: URL | string) {
    this.url = String(url)
    FakeSocket.all.push(this)
  }

  close() {
    this.closed = true
  }

  send(text: string) {
    this.sent.push(text)
  }

  open() {
    this.onopen?.()
  }

  say(frame: Frame) {
    this.onmessage?.({ data: JSON.stringify(frame) })
  }

  end(code: number) {
    this.onclose?.({ code })
  }
}
