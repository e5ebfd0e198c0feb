import { expect, it } from 'vitest'
import { secondsOf } from './duration'

it.each([
  ['0s', 0],
  ['1m30s', 90],
  ['1h0m0.5s', 3600.5],
  ['250ms', 0.25],
  ['90', undefined],
  ['soon', undefined],
])('%s', (text, seconds) => expect(secondsOf(text)).toBe(seconds))
