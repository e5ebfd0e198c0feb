import { expect, it } from 'vitest'
import type { LogRecord } from '@/api/client'
import { joined } from './join'

let end = 0
function piece(text: string, more: Partial<LogRecord> = {}): LogRecord {
  const offset = end
  end += more.base64 === undefined ? text.length : atob(more.base64).length
  return { offset, next: end, time: '2026-01-01T00:00:00Z', stream: 'stdout', text, ...more }
}
const partial = { partial: true }

it('makes one row of a line that came in pieces', () => {
  const all = [piece('one'), piece('50 %', partial), piece('\r75 %', partial), piece('\rdone'), piece('two')]
  const rows = all.reduce<LogRecord[]>((rows, record) => joined(rows, [record]), [])
  expect(rows.map((row) => row.text)).toEqual(['one', '50 %\r75 %\rdone', 'two'])
  expect(rows[1]).toMatchObject({ offset: all[1]?.offset, next: all[3]?.next })
  expect(rows[1]?.partial).toBeUndefined()
  expect(joined([], all)).toEqual(rows)
})

it('keeps what stands between the pieces in its place', () => {
  const all = [piece('be', partial), piece('an error', { stream: 'stderr' }), piece('gun')]
  expect(joined([], all)).toEqual(all)
})

it('puts a character together that was cut', () => {
  const rows = joined(
    [],
    [piece('', { base64: btoa('caf\xc3'), partial: true }), piece('', { base64: btoa('\xa9!') })],
  )
  expect(rows.map(({ text, base64 }) => [text, base64])).toEqual([['caf\u00e9!', undefined]])
  expect(joined([], [piece('a', partial), piece('', { base64: btoa('\xff') })])[0]?.base64).toBe(
    btoa('a\xff'),
  )
})

it('leaves a line without end in several rows', () => {
  const all = Array.from({ length: 4 }, () => piece('x'.repeat(16 << 10), partial))
  expect(joined([], all).map((row) => row.text.length)).toEqual([32 << 10, 32 << 10])
})
