import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { FakeSocket } from '@/test/fakeSocket'
import { LiveSocket, type Frame, type Link } from './socket'

let frames: Frame[]
let links: Link[]
let ends: number
let socket: LiveSocket

function open(path = () => '/ws/x') {
  socket = new LiveSocket({
    path,
    onFrame: (frame) => frames.push(frame),
    onLink: (link) => links.push(link),
    onEnd: () => ends++,
  })
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('WebSocket', FakeSocket)
  FakeSocket.all = []
  frames = []
  links = []
  ends = 0
})

afterEach(() => {
  socket.close()
  vi.unstubAllGlobals()
})

const frame = (seq: number, type: Frame['type'] = 'delta'): Frame => ({ seq, type, data: seq })

it('gives frames in order, and says that it is live', () => {
  open()
  FakeSocket.newest.open()
  FakeSocket.newest.say(frame(1, 'snapshot'))
  FakeSocket.newest.say(frame(2))
  expect(frames.map((f) => f.seq)).toEqual([1, 2])
  expect(links).toEqual(['connecting', 'live'])
})

it('connects anew when a number is missing, and takes nothing after the hole', () => {
  open()
  FakeSocket.newest.open()
  FakeSocket.newest.say(frame(1, 'snapshot'))
  const torn = FakeSocket.newest
  torn.say(frame(3))
  expect(torn.closed).toBe(true)
  expect(links.at(-1)).toBe('broken')
  vi.advanceTimersByTime(1000)
  expect(FakeSocket.all).toHaveLength(2)
  FakeSocket.newest.open()
  FakeSocket.newest.say(frame(1, 'snapshot'))
  expect(frames.map((f) => f.seq)).toEqual([1, 1])
})

it('asks for its path at each attempt, so that it goes on where it was', () => {
  let offset = 0
  open(() => `/ws/x?offset=${offset}`)
  FakeSocket.newest.open()
  offset = 42
  FakeSocket.newest.end(1006)
  vi.advanceTimersByTime(1000)
  expect(FakeSocket.newest.url).toMatch(/^ws:.*offset=42$/)
})

it('waits longer after each failure, and no time when the network is back', () => {
  open()
  for (let tries = 1; tries <= 5; tries++) {
    FakeSocket.newest.end(1006)
    // Not longer than to the next attempt, which is given up by itself after a while.
    while (FakeSocket.all.length === tries) vi.advanceTimersByTime(100)
  }
  const before = FakeSocket.all.length
  FakeSocket.newest.end(1006)
  vi.advanceTimersByTime(5000)
  expect(FakeSocket.all).toHaveLength(before)
  window.dispatchEvent(new Event('online'))
  expect(FakeSocket.all).toHaveLength(before + 1)
})

it('calls a connection that never opens refused', () => {
  open()
  for (let i = 0; i < 3; i++) {
    FakeSocket.newest.end(1006)
    vi.advanceTimersByTime(60_000)
  }
  expect(links.at(-1)).toBe('refused')
})

it('gives up an attempt that neither opens nor fails', () => {
  open()
  const swallowed = FakeSocket.newest
  vi.advanceTimersByTime(15_000)
  expect(swallowed.closed).toBe(true)
  expect(links.at(-1)).toBe('broken')
  vi.advanceTimersByTime(1000)
  expect(FakeSocket.all).toHaveLength(2)
  FakeSocket.newest.open()
  vi.advanceTimersByTime(15_000)
  expect(FakeSocket.newest.closed).toBe(false)
})

it('takes a normal end as the end of all', () => {
  open()
  FakeSocket.newest.open()
  FakeSocket.newest.end(1000)
  vi.advanceTimersByTime(60_000)
  expect(ends).toBe(1)
  expect(FakeSocket.all).toHaveLength(1)
})

it('stays closed when it is closed by who hears that it was refused', () => {
  socket = new LiveSocket({
    path: () => '/ws/x',
    onFrame: () => undefined,
    onLink: (link) => link === 'refused' && socket.close(),
  })
  for (let i = 0; i < 3; i++) {
    FakeSocket.newest.end(1006)
    vi.advanceTimersByTime(60_000)
  }
  expect(FakeSocket.all).toHaveLength(3)
})

it('stays closed when it is closed by who hears that the sign-in is over', () => {
  socket = new LiveSocket({
    path: () => '/ws/x',
    onFrame: () => undefined,
    onLink: (link) => links.push(link),
    onSignedOut: () => socket.close(),
  })
  FakeSocket.newest.open()
  FakeSocket.newest.end(1008)
  vi.advanceTimersByTime(60_000)
  expect(FakeSocket.all).toHaveLength(1)
  expect(links).toEqual(['connecting', 'live'])
})

it('does not trust a connection of before the network was away', () => {
  open()
  FakeSocket.newest.open()
  const old = FakeSocket.newest
  window.dispatchEvent(new Event('online'))
  expect(old.closed).toBe(true)
  expect(FakeSocket.all).toHaveLength(2)
})
