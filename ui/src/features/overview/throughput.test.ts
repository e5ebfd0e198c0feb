import { expect, it } from 'vitest'
import { makeTask } from '@/test/factories'
import { endedPer } from './throughput'

it('counts each task in the span in which it ended', () => {
  const now = Date.parse('2026-01-01T01:00:00Z')
  const ended = (time: string, status: 'succeeded' | 'failed') =>
    makeTask({ status, state: 'stored', finished_at: time })
  const bins = endedPer(
    [
      ended('2026-01-01T00:59:59Z', 'succeeded'),
      ended('2026-01-01T00:55:01Z', 'failed'),
      ended('2026-01-01T00:54:59Z', 'succeeded'),
      ended('2025-12-31T00:00:00Z', 'succeeded'), // long ago
      ended('2026-01-01T01:00:01Z', 'succeeded'), // by a clock that is ahead
      makeTask(),
    ],
    now,
    5 * 60_000,
    12,
  )
  expect(bins).toHaveLength(12)
  expect(bins.at(-1)).toMatchObject({ good: 1, bad: 1 })
  expect(bins.at(-2)).toMatchObject({ good: 1, bad: 0 })
  expect(bins.reduce((sum, bin) => sum + bin.good + bin.bad, 0)).toBe(3)
})
