import { describe, expect, it } from 'vitest'
import { contentPath, kindOf, parseRows, treeOf } from './paths'

const file = (path: string) => ({ path, size: 1, sha256: '', content_type: '' })

it('puts files into their folders', () => {
  const root = treeOf([file('b/x/2.txt'), file('a.txt'), file('b/1.txt'), file('b/x/1.txt')])
  expect(root.files.map((f) => f.path)).toEqual(['a.txt'])
  expect(root.folders.map((f) => f.name)).toEqual(['b'])
  expect(root.folders[0]?.files.map((f) => f.path)).toEqual(['b/1.txt'])
  expect(root.folders[0]?.folders[0]?.files.map((f) => f.path)).toEqual(['b/x/1.txt', 'b/x/2.txt'])
})

it('keeps the signs of a path out of the address', () => {
  expect(contentPath('t1', 'a b/50%?#.txt')).toBe('/api/files/t1/content/a%20b/50%25%3F%23.txt')
})

it.each([
  ['a.csv', 'text/plain', 'csv'],
  ['a.png', 'image/png', 'image'],
  ['a.bin', 'application/octet-stream', 'other'],
  ['run.log', 'application/octet-stream', 'text'],
  ['a', 'application/json; charset=utf-8', 'json'],
])('%s as %s is shown as %s', (path, content_type, kind) => expect(kindOf({ path, content_type })).toBe(kind))

describe('parseRows', () => {
  it('reads quoted fields with separators, quotes and line ends', () => {
    expect(parseRows('a,"b, ""c""\nd",e\r\n1,,3', ',', 10)).toEqual([
      ['a', 'b, "c"\nd', 'e'],
      ['1', '', '3'],
    ])
  })
  it('stops at the most rows, and makes none of a last line end', () => {
    expect(parseRows('a\nb\nc\n', ',', 2)).toEqual([['a'], ['b']])
    expect(parseRows('a\n', ',', 5)).toEqual([['a']])
  })
})
