import { expect, it } from 'vitest'
import type { LogRecord } from '@/api/client'
import { textOf } from './text'

const record = (bytes: string): LogRecord => ({
  offset: 0,
  next: bytes.length,
  time: '2026-01-01T00:00:00Z',
  stream: 'stdout',
  text: '',
  base64: btoa(bytes),
})

it('shows text of another encoding as far as it can be read', () => {
  expect(textOf(record('caf\xe9: 5 \x1b[31mred'))).toBe('caf\ufffd: 5 \x1b[31mred')
})

it('says how much it is where it is no text', () => {
  expect(textOf(record('\xff\x00'))).toBe('[2 bytes that are no text]')
  expect(textOf(record('\x7fELF\x02\x01\x01\x00\x00\x00\x00\xfe\xfe'))).toBe('[13 bytes that are no text]')
})

it('leaves all else as it is', () => {
  const plain = { ...record(''), text: 'plain' }
  delete plain.base64
  expect(textOf(plain)).toBe('plain')
})
