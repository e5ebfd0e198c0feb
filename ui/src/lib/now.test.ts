import { afterEach, expect, it, vi } from 'vitest'
import { hearTime, masterNow } from './now'

const at = (ms: number) => new Date(ms).toUTCString()

afterEach(() => hearTime(at(Date.now())))

it('goes by the clock of the master where this machine is wrong', () => {
  vi.useFakeTimers({ now: 1_800_000_000_000 })
  const now = Date.now()
  hearTime(at(now + 3_600_000))
  expect(masterNow()).toBe(now + 3_600_000)
  hearTime(at(now + 3_599_000)) // a reply that took a second
  expect(masterNow()).toBe(now + 3_600_000)
  hearTime(at(now - 7_200_000))
  expect(masterNow()).toBe(now - 7_200_000)
  hearTime(null)
  hearTime('nonsense')
  expect(masterNow()).toBe(now - 7_200_000)
})

it('does not follow the little by which all clocks and replies differ', () => {
  vi.useFakeTimers({ now: 1_800_000_000_000 })
  hearTime(at(Date.now() - 2000))
  expect(masterNow()).toBe(Date.now())
})
