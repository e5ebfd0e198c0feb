import { describe, expect, it } from 'vitest'
import {
  between,
  formatBytes,
  formatDuration,
  formatLogTime,
  formatMiB,
  formatRelative,
  percent,
} from './format'

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1,023 B'],
    [1536, '1.5 KiB'],
    [10 * 1024 * 1024, '10 MiB'],
    [3 * 1024 ** 4, '3 TiB'],
    [33.848 * 1024 ** 3, '34 GiB'],
  ])('%d', (bytes, text) => expect(formatBytes(bytes)).toBe(text))
  it('takes MiB', () => expect(formatMiB(2048)).toBe('2 GiB'))
})

describe('formatDuration', () => {
  it.each([
    [-5, '0 ms'],
    [250, '250 ms'],
    [1500, '1.5 s'],
    [60_000, '1 min'],
    [61_000, '1 min 1 s'],
    [3_600_000, '1 h'],
    [90_061_000, '1 d 1 h'],
  ])('%d', (ms, text) => expect(formatDuration(ms)).toBe(text))
})

it('says the day of a line of a log only when it was not today', () => {
  const now = new Date(2026, 10, 26, 12)
  expect(formatLogTime(new Date(2026, 10, 26, 9, 5, 7, 42).toISOString(), now)).toMatch(/^0?9:05:07\.042/)
  expect(formatLogTime(new Date(2026, 10, 25, 9, 5, 7, 42).toISOString(), now)).toMatch(
    /Nov.*25.*9:05:07\.042/,
  )
})

it('does not announce what has just happened', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  expect(formatRelative('2026-01-01T00:00:02Z', now)).toBe('now')
  expect(formatRelative('2026-01-01T00:00:30Z', now)).toBe('in 30 sec.')
  expect(formatRelative('2025-12-31T23:59:58Z', now)).toBe('2 sec. ago')
})

it('percent stays within bounds, and nothing of nothing is nothing', () => {
  expect(percent(3, 2)).toBe(100)
  expect(percent(1, 0)).toBe(0)
  expect(percent(1, 4)).toBe(25)
})

it('between counts up to now while there is no end', () => {
  expect(between('2026-01-01T00:00:00Z', null, Date.parse('2026-01-01T00:00:05Z'))).toBe(5000)
  expect(between(undefined, null, 0)).toBeUndefined()
})
