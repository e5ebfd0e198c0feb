import { expect, it } from 'vitest'
import { inputOf } from './inputs'

const file = (...bytes: number[]) => {
  const data = new Uint8Array(bytes)
  return Object.assign(new File([data], 'a'), { arrayBuffer: () => Promise.resolve(data.buffer) })
}

it('sends text as text, byte for byte, and all else as base64', async () => {
  expect(await inputOf(file(0xc3, 0xa4, 0x0a))).toEqual({ path: 'a', content: 'ä\n' })
  expect(await inputOf(file(0xef, 0xbb, 0xbf, 0x61))).toEqual({ path: 'a', content: '\ufeffa' })
  expect(await inputOf(file(0xff, 0x00))).toEqual({ path: 'a', content: '/wA=', encoding: 'base64' })
})
