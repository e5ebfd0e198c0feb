import { afterEach, expect, test, vi } from 'vitest'
import { whenIdle } from './idle'

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test('waits until the browser says that it is idle', () => {
  const waiting = new Map<number, () => void>()
  vi.stubGlobal('requestIdleCallback', (act: () => void) => {
    waiting.set(waiting.size + 1, act)
    return waiting.size
  })
  vi.stubGlobal('cancelIdleCallback', (handle: number) => waiting.delete(handle))
  const first = vi.fn()
  whenIdle(first)
  const off = whenIdle(vi.fn())
  expect(first).not.toHaveBeenCalled()
  off()
  expect([...waiting.values()]).toEqual([first])
})

test('waits a moment where the browser does not say', () => {
  vi.useFakeTimers()
  vi.stubGlobal('requestIdleCallback', undefined)
  const act = vi.fn()
  const never = vi.fn()
  whenIdle(act)
  whenIdle(never)()
  expect(act).not.toHaveBeenCalled()
  vi.runAllTimers()
  expect(act).toHaveBeenCalledOnce()
  expect(never).not.toHaveBeenCalled()
})
