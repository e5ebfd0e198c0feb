import { expect, it } from 'vitest'
import { ansiSpans } from './ansi'

const text = (line: string) =>
  ansiSpans(line)
    .map((s) => s.text)
    .join('')

it('colours pieces of a line', () => {
  const spans = ansiSpans('\u001b[31mred\u001b[0m plain \u001b[1;32mbold')
  expect(spans.map((s) => s.text)).toEqual(['red', ' plain ', 'bold'])
  expect(spans[0]?.className).toContain('ansi-red')
  expect(spans[1]?.className).toBe('')
  expect(spans[2]?.className).toContain('ansi-green')
  expect(spans[2]?.className).toContain('ansi-bold')
})

it('shows no control sequence', () => {
  expect(text('\u001b[2J\u001b[Hclear\u0007')).toBe('clear')
  expect(text('a\u0008b\tc')).toBe('ab\tc')
})

it('keeps what a progress line showed last', () => {
  expect(text('10 %\r50 %\r100 %')).toBe('100 %')
  expect(text('done\r')).toBe('done')
})
