import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { FakeSocket } from '@/test/fakeSocket'
import { LiveSocket, type Link } from './socket'

let links: Link[][]
let sockets: LiveSocket[]
const asked = vi.fn<() => Promise<Response>>()

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('WebSocket', FakeSocket)
  vi.stubGlobal('fetch', asked)
  asked.mockReset()
  FakeSocket.all = []
  links = [[], []]
  sockets = links.map(
    (heard, i) =>
      new LiveSocket({
        path: () => `/ws/${i}`,
        onFrame: () => undefined,
        onLink: (link) => heard.push(link),
      }),
  )
  FakeSocket.all.forEach((socket) => socket.open())
})

afterEach(() => {
  sockets.forEach((socket) => socket.close())
  vi.unstubAllGlobals()
})

it('asks when nothing was heard for long, and takes all for gone when there is no answer', async () => {
  asked.mockRejectedValue(new TypeError('no answer'))
  const [one, two] = FakeSocket.all
  await vi.advanceTimersByTimeAsync(19_000)
  expect(asked).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(1000)
  expect(asked).toHaveBeenCalledOnce()
  expect([one?.sent, two?.sent]).toEqual([[''], ['']]) // where the other end only forgot it, this shows
  expect([one?.closed, two?.closed]).toEqual([true, true])
  expect(links.map((of) => of.at(-1))).toEqual(['broken', 'broken'])
  await vi.advanceTimersByTimeAsync(1000)
  expect(FakeSocket.all).toHaveLength(4)
})

it('asks nothing while one of them says something', async () => {
  for (let seq = 1; seq <= 10; seq++) {
    await vi.advanceTimersByTimeAsync(15_000)
    FakeSocket.all[1]?.say({ seq, type: 'delta', data: {} })
  }
  expect(asked).not.toHaveBeenCalled()
  expect(FakeSocket.all[0]?.sent).toEqual([])
})

it('keeps quiet connections of a master that answers', async () => {
  asked.mockImplementation(() => Promise.resolve(new Response('{}')))
  await vi.advanceTimersByTimeAsync(65_000)
  expect(asked).toHaveBeenCalledTimes(3)
  expect(FakeSocket.all.map((socket) => socket.closed)).toEqual([false, false])
})

it('believes a frame more than a question that was lost', async () => {
  let fail: (reason: Error) => void = () => undefined
  asked.mockImplementation(() => new Promise((_, reject) => (fail = reject)))
  await vi.advanceTimersByTimeAsync(22_000)
  FakeSocket.all[0]?.say({ seq: 1, type: 'delta', data: {} })
  fail(new Error('too late'))
  await vi.advanceTimersByTimeAsync(1000)
  expect(FakeSocket.all.map((socket) => socket.closed)).toEqual([false, false])
})

it('asks no more when all are closed', async () => {
  sockets.forEach((socket) => socket.close())
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).not.toHaveBeenCalled()
})
