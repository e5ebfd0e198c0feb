import { describe, expect, it } from 'vitest'
import { commandLine, quote, splitWords } from './shell'

describe('splitWords', () => {
  it.each([
    ['echo hi', ['echo', 'hi']],
    [`sh -c 'echo "a b"; exit 3'`, ['sh', '-c', 'echo "a b"; exit 3']],
    [`"a\\"b" c\\ d ''`, ['a"b', 'c d', '']],
    [`"\\n"`, ['\\n']],
    ['   ', []],
    ['', []],
  ])('%s', (line, words) => expect(splitWords(line)).toEqual(words))

  it.each([`'open`, `"open`, 'end\\'])('%s is not complete', (line) => expect(splitWords(line)).toBeNull())

  it('takes back what quote gives', () => {
    const words = ['plain', 'with space', `it's`, '', '$HOME', 'a\nb', '"', '\\', 'ä*?']
    expect(splitWords(words.map(quote).join(' '))).toEqual(words)
  })
})

it('breaks a long line where a shell goes on reading', () => {
  const long = commandLine([
    ['curl', 'http://x'],
    ['-d', 'a'.repeat(90)],
  ])
  expect(long).toBe(`curl http://x \\\n  -d ${'a'.repeat(90)}`)
})
