import { expect, it } from 'vitest'
import { median, ms, quantile, Report } from './figures'

it('takes the middle and the tail', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1)
  expect(quantile(hundred, 0.95)).toBe(96)
  expect(quantile([7], 0.99)).toBe(7)
  expect(quantile([], 0.5)).toBeNaN()
})

it('says which targets are missed', () => {
  const report = new Report(() => undefined)
  report.most('quick', 80, 100, ms)
  report.most('slow', 101, 100, ms)
  report.most('unknown', NaN, 100, ms)
  report.note('beside it', '3')
  expect(report.missed).toBe(2)
  expect(String(report)).toMatch(/slow +\| 101 ms +\| at most 100 ms +\| MISSED/)
})
