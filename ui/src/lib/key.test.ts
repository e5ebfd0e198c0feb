import { afterEach, expect, it, vi } from 'vitest'
import { newKey } from './key'

afterEach(() => vi.unstubAllGlobals())

it('makes keys that differ, also where the browser has no randomUUID', () => {
  // What a page has that came by plain HTTP from another machine.
  vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) })
  const keys = Array.from({ length: 100 }, newKey)
  expect(new Set(keys).size).toBe(100)
  for (const key of keys) expect(key).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
})
