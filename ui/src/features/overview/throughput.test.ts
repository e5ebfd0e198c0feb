import { expect, it } from 'vitest'
import { makeSample } from '@/test/factories'
import { endedPer } from './throughput'

it('counts what ended in the span in which it did', () => {
  const now = Date.parse('2026-01-01T01:00:00Z')
  const ended = (time: string, succeeded: number, failed = 0, cancelled = 0) =>
    makeSample({ time, ended: { succeeded, failed, cancelled } })
  const bins = endedPer(
    [
      ended('2026-01-01T00:59:50Z', 1),
      ended('2026-01-01T00:55:00Z', 0, 1, 2),
      ended('2026-01-01T00:54:50Z', 5),
      ended('2025-12-31T00:00:00Z', 7), // long ago
      ended('2026-01-01T01:00:00Z', 7), // a step that has only begun, by a clock that is ahead
      makeSample({ time: '2026-01-01T00:59:40Z' }), // nobody looked
    ],
    now,
    5 * 60_000,
    12,
  )
  expect(bins).toHaveLength(12)
  expect(bins.at(-1)).toMatchObject({ good: 1, bad: 3 })
  expect(bins.at(-2)).toMatchObject({ good: 5, bad: 0 })
  expect(bins.reduce((sum, bin) => sum + bin.good + bin.bad, 0)).toBe(9)
})
