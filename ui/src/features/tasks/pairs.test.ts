import { expect, it } from 'vitest'
import { linesOf, pairsOf } from './pairs'

it.each([
  'plain',
  'a=b=c',
  ' spaced ',
  '',
  'two\nlines=of it\n',
  'windows\r\n',
  '"quoted"',
  '"',
  '"with \\n in it"',
  '{"json":"x"}',
  JSON.stringify('two\nlines'),
  JSON.stringify(JSON.stringify('two\nlines')),
])('gives %j back', (value) =>
  expect(pairsOf(linesOf({ A: value, B: 'b' }))).toEqual({ values: { A: value, B: 'b' } }),
)

it('takes quotes that are typed as what they are', () => {
  expect(pairsOf('A="hello"\nB=\'x\'')).toEqual({ values: { A: '"hello"', B: "'x'" } })
})
