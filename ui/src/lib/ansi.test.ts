import { expect, it } from 'vitest'
import { ansiSpans, carriedOver } from './ansi'
import { contrast } from './colors'

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
  expect(text('\u001b(B\u001b[mtput\u001b[?25l sgr0')).toBe('tput sgr0')
  expect(text('\u001b]8;;https://x\u001b\\a link\u001b]8;;\u0007 \u001b]0;title\u0007ends')).toBe(
    'a link ends',
  )
  expect(text('\u001b7saved\u001b8 \u001b=keys')).toBe('saved keys')
})

it('keeps what a progress line showed last', () => {
  expect(text('10 %\r50 %\r100 %')).toBe('100 %')
  expect(text('done\r')).toBe('done')
})

it('has the 256 colours and the true ones, light enough to be read on the dark ground', () => {
  const [orange] = ansiSpans('\u001b[38;5;208mwarm')
  expect(orange).toEqual({ text: 'warm', className: '', style: { color: 'rgb(255, 135, 0)' } })
  const [navy] = ansiSpans('\u001b[38;2;0;0;95mdeep')
  expect(navy?.style?.color).not.toBe('rgb(0, 0, 95)')
  for (const code of ['38;5;16', '38;5;232', '38;2;10;20;90', '30;47', '7', '31;41', '48;5;226'])
    for (const { style } of ansiSpans(`\u001b[${code}mtext`)) {
      const numbers = (color = 'rgb(22, 24, 29)') =>
        color.match(/\d+/g)?.map(Number) as [number, number, number]
      expect(contrast(numbers(style?.color), numbers(style?.backgroundColor)), code).toBeGreaterThanOrEqual(
        4.5,
      )
    }
})

it('turns the colours round where it is told to', () => {
  const [piece] = ansiSpans('\u001b[7;32m ok ')
  expect(piece?.style?.backgroundColor).toBe('rgb(35, 110, 50)')
})

it('carries over what a line leaves switched on, up to the next reset', () => {
  let carried = carriedOver('\u001b[1mbold \u001b[31mand red', '')
  expect(ansiSpans('still', carried)[0]?.className).toBe('ansi-red ansi-bold')
  carried = carriedOver('plain text changes nothing', carried)
  expect(ansiSpans('still', carried)[0]?.className).toBe('ansi-red ansi-bold')
  carried = carriedOver('the end\u001b[0m', carried)
  expect(carried).toBe('')
  expect(carriedOver('\u001b[33mx\u001b[m', '\u001b[1m')).toBe('')
  expect(carriedOver('\u001b[0;31mx', '\u001b[1m')).toBe('\u001b[0;31m')
  expect(carriedOver('\u001b[38;2;255;0;0mx', '')).not.toBe('') // ends with 0, and is red
  let endless = ''
  for (let i = 0; i < 1000; i++) endless = carriedOver(`\u001b[3${i % 8}mx`, endless)
  expect(endless.length).toBeLessThan(300)
})
