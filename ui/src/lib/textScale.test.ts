import { afterEach, beforeEach, expect, it, vi } from 'vitest'

beforeEach(() => vi.resetModules())
afterEach(() => document.documentElement.removeAttribute('style'))

it.each([
  ['32px', 2],
  ['', 1],
])('follows the size of text that the person has set: %s', async (size, scale) => {
  document.documentElement.style.fontSize = size
  const { textScale } = await import('./textScale')
  expect(textScale()).toBe(scale)
})
