import { http, HttpResponse } from 'msw'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { makeRecords } from '@/test/factories'
import { FakeSocket } from '@/test/fakeSocket'
import { server } from '@/test/server'
import type { LogRecord } from '@/api/client'
import { LogFeed } from './feed'

const whole = makeRecords(Array.from({ length: 50_000 }, (_, i) => `line ${i}`))
const size = whole.at(-1)?.next ?? 0
let feed: LogFeed

/** Answers as the master does, from the records of one log. */
function serve(records: LogRecord[]) {
  server.use(
    http.get('*/api/tasks/t1/logs', ({ request }) => {
      const query = new URL(request.url).searchParams
      const tail = query.get('tail')
      const offset = Number(query.get('offset') ?? 0)
      const stream = query.get('stream')
      const wanted = records.filter((r) => stream === null || r.stream === stream)
      const chosen = tail === null ? wanted.filter((r) => r.next > offset) : wanted.slice(-Number(tail))
      // A read from the middle of a line gives the rest of it.
      const cut = chosen.map((r) =>
        r.offset < offset ? { ...r, offset, text: r.text.slice(offset - r.offset) } : r,
      )
      return new HttpResponse(cut.map((r) => `${JSON.stringify(r)}\n`).join(''), {
        headers: { 'X-Attempt': '1', 'X-Next-Offset': String(records.at(-1)?.next ?? 0) },
      })
    }),
  )
}

function open(at?: number, stream?: 'stdout' | 'stderr') {
  feed = new LogFeed({ id: 't1', attempt: 1, stream, at })
  feed.start()
}

const settled = () => vi.waitFor(() => expect(feed.current().loading).toBe(false))

beforeEach(() => {
  vi.stubGlobal('WebSocket', FakeSocket)
  FakeSocket.all = []
})

afterEach(() => {
  feed.close()
  vi.unstubAllGlobals()
})

/** Whether the window has every line from its first to its last, whole. */
function unbroken(records: LogRecord[]) {
  const start = whole.findIndex((r) => r.offset === records[0]?.offset)
  return records.every((r, i) => r.text === whole[start + i]?.text)
}

it('opens at the end and goes on at the last byte, also after a cut', async () => {
  serve(whole)
  open()
  await vi.waitFor(() => expect(feed.current().atEnd).toBe(true))
  expect(feed.current().records).toHaveLength(2000)
  expect(FakeSocket.newest.url).toContain(`offset=${size}`)
  const [more, again] = makeRecords(['more', 'again'], size)
  if (!more || !again) throw new Error('no records')
  FakeSocket.newest.open()
  FakeSocket.newest.say({ seq: 1, type: 'snapshot', data: { attempt: 1, offset: size } })
  FakeSocket.newest.say({ seq: 2, type: 'delta', data: more })
  FakeSocket.newest.end(1006)
  await vi.waitFor(() => expect(FakeSocket.all).toHaveLength(2), 2000)
  expect(FakeSocket.newest.url).toContain(`offset=${more.next}`)
  FakeSocket.newest.open()
  FakeSocket.newest.say({ seq: 1, type: 'snapshot', data: { attempt: 1, offset: more.next } })
  FakeSocket.newest.say({ seq: 2, type: 'delta', data: more }) // one that is known already
  FakeSocket.newest.say({ seq: 3, type: 'delta', data: again })
  FakeSocket.newest.end(1000)
  await vi.waitFor(() => expect(feed.current().complete).toBe(true))
  expect(
    feed
      .current()
      .records.slice(-2)
      .map((r) => r.text),
  ).toEqual(['more', 'again'])
})

it('shows a line that comes in pieces as one row, also where its beginning is read later', async () => {
  const first = whole.slice(0, 5000)
  const [begin, rest] = makeRecords(['be', 'gun'], first.at(-1)?.next)
  if (!begin || !rest) throw new Error('no records')
  serve([...first, { ...begin, partial: true }])
  open()
  await settled()
  FakeSocket.newest.open()
  FakeSocket.newest.say({ seq: 1, type: 'snapshot', data: { attempt: 1, offset: rest.offset } })
  FakeSocket.newest.say({ seq: 2, type: 'delta', data: rest })
  const last = () => feed.current().records.at(-1)
  await vi.waitFor(() => expect(last()?.text).toBe('begun'))
  expect(feed.current().records).toHaveLength(2000)
  feed.close()
  const seam = whole.map((record, i) => ({ ...record, stream: 'stdout' as const, partial: i % 7 === 1 }))
  serve(seam.slice(0, 20_000))
  open()
  await settled()
  while (!feed.current().atStart) {
    const before = feed.current().records
    let prepended = 0
    const deaf = feed.subscribe(() => (prepended += feed.current().prepended))
    feed.before()
    await settled()
    deaf()
    const { records } = feed.current()
    expect(records.at(prepended + 1)).toEqual(before[1]) // what is read stays in sight
    expect(records.some((record) => record.partial)).toBe(false)
  }
})

it('grows to the beginning without a hole or a torn line', async () => {
  serve(whole.slice(0, 20_000))
  open()
  await vi.waitFor(() => expect(feed.current().loading).toBe(false))
  while (!feed.current().atStart) {
    feed.before()
    await vi.waitFor(() => expect(feed.current().loading).toBe(false))
    expect(unbroken(feed.current().records)).toBe(true)
  }
  expect(feed.current().records).toHaveLength(20_000)
})

it('opens around a byte and reads on to the end', async () => {
  serve(whole)
  const aim = whole[25_000]
  open(aim?.offset)
  await vi.waitFor(() => expect(feed.current().loading).toBe(false))
  expect(feed.current().records.some((r) => r.offset === aim?.offset)).toBe(true)
  expect(feed.current().atEnd).toBe(false)
  expect(FakeSocket.all).toHaveLength(0)
  while (!feed.current().atEnd) {
    feed.after()
    await vi.waitFor(() => expect(feed.current().loading).toBe(false))
    expect(unbroken(feed.current().records)).toBe(true)
  }
  expect(FakeSocket.newest.url).toContain(`offset=${size}`)
})

it('says why a log cannot be read', async () => {
  server.use(
    http.get('*/api/tasks/t1/logs', () =>
      HttpResponse.json(
        { type: 'about:blank', title: 'Gone', status: 410, detail: 'kept no longer' },
        { status: 410 },
      ),
    ),
  )
  open()
  await vi.waitFor(() => expect(feed.current().error).toBe('kept no longer'))
})

it('opens once more as if for the first time', async () => {
  serve(whole.slice(0, 10))
  open()
  feed.close()
  feed.start()
  await settled()
  expect(feed.current().error).toBeUndefined()
  expect(feed.current().records).toHaveLength(10)
})

it('follows a log that is so short that all of it lies around the byte', async () => {
  serve(whole.slice(0, 10))
  open(whole[5]?.offset)
  await settled()
  expect(feed.current().records).toHaveLength(10)
  expect(feed.current().atEnd).toBe(true)
  expect(FakeSocket.newest.url).toContain(`offset=${whole[9]?.next}`)
})

it('finds the lines of a stream that said nothing for long, each of them', async () => {
  const loud = whole.slice(0, 30_000).map((record, i) => {
    const stream = i === 1 || i === 3000 || i > 29_990 ? 'stderr' : 'stdout'
    return { ...record, stream } satisfies LogRecord
  })
  serve(loud)
  open(undefined, 'stderr')
  // The tail of so few lines is the whole; a window around the last of them is not.
  await settled()
  expect(feed.current().records).toHaveLength(11)
  feed.close()
  open(loud[29_995]?.offset, 'stderr')
  await settled()
  for (let i = 0; i < 5 && !feed.current().atStart; i++) {
    feed.before()
    await settled()
  }
  expect(feed.current().atStart).toBe(true)
  expect(
    feed
      .current()
      .records.slice(0, 3)
      .map((r) => r.text),
  ).toEqual(['line 1', 'line 3000', 'line 29991'])
})

it('says how many lines have gone from the beginning, so that what is read stays in sight', async () => {
  serve(whole.slice(0, 10))
  open()
  await settled()
  const lines = makeRecords(
    Array.from({ length: 100_000 }, () => 'x'),
    whole[9]?.next,
  )
  FakeSocket.newest.open()
  FakeSocket.newest.say({ seq: 1, type: 'snapshot', data: { attempt: 1, offset: 0 } })
  lines.forEach((data, i) => FakeSocket.newest.say({ seq: i + 2, type: 'delta', data }))
  await vi.waitFor(() => expect(feed.current().records.at(-1)?.next).toBe(lines.at(-1)?.next))
  const { records, prepended } = feed.current()
  expect(prepended).toBe(records.length - 100_010)
  expect(prepended).toBeLessThan(0)
})

it('comes to the end at once, however much lies between', async () => {
  serve(whole)
  open()
  await settled()
  for (let i = 0; i < 60 && !feed.current().atStart; i++) {
    feed.before()
    await settled()
  }
  const asked: string[] = []
  server.events.on('request:start', ({ request }) => asked.push(request.url))
  feed.toEnd()
  await settled()
  server.events.removeAllListeners()
  expect(asked).toHaveLength(1)
  expect(feed.current().atEnd).toBe(true)
  expect(feed.current().records.at(-1)?.next).toBe(size)
})

it('reads on where no socket is let through, and is done when the log is', async () => {
  serve(whole.slice(0, 10))
  open()
  await settled()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  serve(whole.slice(0, 20))
  for (let i = 0; i < 3; i++) {
    FakeSocket.newest.end(1006)
    vi.advanceTimersByTime(60_000)
  }
  vi.useRealTimers()
  await vi.waitFor(() => expect(feed.current().complete).toBe(true))
  expect(feed.current().records.map((r) => r.text)).toEqual(whole.slice(0, 20).map((r) => r.text))
  expect(FakeSocket.all).toHaveLength(3)
})
