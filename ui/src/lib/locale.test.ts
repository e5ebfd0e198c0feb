import { beforeEach, expect, it, vi } from 'vitest'

beforeEach(() => {
  vi.resetModules()
  return () => vi.unstubAllGlobals()
})

/** The formats as somebody with another language has them. */
async function formatsOf(language: string) {
  vi.stubGlobal('navigator', { language })
  return await import('./format')
}

it('writes numbers, sizes and lengths of time as in Germany', async () => {
  const { formatBytes, formatCores, formatCount, formatDuration, decimalSeparator } = await formatsOf('de-DE')
  expect(formatCount(1234)).toBe('1.234')
  expect(formatCores(0.25)).toBe('0,25')
  expect(formatBytes(1536)).toBe('1,5 KiB')
  expect(formatDuration(1500)).toBe('1,5 s')
  expect(formatDuration(1200 * 86_400_000)).toBe('1.200 d')
  expect(decimalSeparator).toBe(',')
})

it('writes all digits of a length of time in one script, and separates what is typed in its own', async () => {
  const { formatDuration, decimalSeparator } = await formatsOf('ar-EG')
  expect(formatDuration(61_000)).toBe('١ min ١ s')
  expect(decimalSeparator).toBe('.')
})
