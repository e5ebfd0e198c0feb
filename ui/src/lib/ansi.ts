import Anser from 'anser'
import { onGround, type Color } from './colors'

export interface Span {
  text: string
  className: string
  /** Where the colours are not the terminal's own sixteen on its own ground. */
  style?: { color: string; backgroundColor?: string }
}

const decorations: Record<string, string> = {
  bold: 'ansi-bold',
  dim: 'ansi-dim',
  italic: 'ansi-italic',
  underline: 'ansi-underline',
  strikethrough: 'ansi-strike',
}

// Control characters that no terminal shows; a tab stays.
// eslint-disable-next-line no-control-regex
const invisible = /[\u0000-\u0008\u000b-\u001f\u007f]/g

// Links, titles and character sets, which the library does not know: their words are not part of the text.
// eslint-disable-next-line no-control-regex
const foreign = /\u001b(?:[\]P^_X](?:[^\u0007\u001b]*(?:\u0007|\u001b\\))?|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])/g

/** What a carriage return leaves of a line on a terminal: what came last. */
function overwritten(text: string): string {
  const end = text.endsWith('\r') ? text.length - 1 : text.length
  return text.slice(text.lastIndexOf('\r', end - 1) + 1, end)
}

/**
 * Splits a line into pieces of one colour. Other control sequences are left out.
 * What the lines before it have left switched on is carried over.
 */
export function ansiSpans(line: string, carried = ''): Span[] {
  const text = overwritten(line.replace(foreign, ''))
  if (carried === '' && !text.includes('\u001b'))
    return [{ text: text.replace(invisible, ''), className: '' }]
  return Anser.ansiToJson(carried + text, { use_classes: true, remove_empty: true }).map((piece) => {
    const fg = colorOf(piece.fg, piece.fg_truecolor)
    const bg = colorOf(piece.bg, piece.bg_truecolor)
    const marks = piece.decorations.map((name) => decorations[name])
    const content = piece.content.replace(invisible, '')
    const reverse = piece.decorations.includes('reverse')
    if (reverse || bg || typeof fg === 'object') {
      const style = reverse ? onGround(bg, fg ?? 'text') : onGround(fg, bg)
      return { text: content, className: marks.filter(Boolean).join(' '), style }
    }
    return { text: content, className: [fg, ...marks].filter(Boolean).join(' ') }
  })
}

/** The name of one of the sixteen, or the colour itself; undefined when there is none. */
function colorOf(name: string | null, truecolor: string | null): Color | undefined {
  if (!name) return undefined
  if (name === 'ansi-truecolor') {
    const [red = 0, green = 0, blue = 0] = (truecolor ?? '').split(',').map(Number)
    return [red, green, blue]
  }
  const palette = name.match(/^ansi-palette-(\d+)$/)
  return palette ? fromPalette(Number(palette[1])) : name
}

const steps = [0, 95, 135, 175, 215, 255] as const

/** A colour of the terminal's 256 that is not one of its sixteen: a cube of six steps, then greys. */
function fromPalette(index: number): Color {
  if (index >= 232) {
    const grey = 8 + 10 * (index - 232)
    return [grey, grey, grey]
  }
  const cube = index - 16
  const step = (n: number) => steps[n % 6] ?? 0
  return [step(Math.floor(cube / 36)), step(Math.floor(cube / 6)), step(cube)]
}

// eslint-disable-next-line no-control-regex
const settings = /\u001b\[([\d;]*)m/g
/** So much may be switched on over many lines; a log that never resets its colours must not grow without end. */
const mostCarried = 256

/** What is switched on after a line, as the sequences that switch it on. */
export function carriedOver(line: string, carried: string): string {
  if (!line.includes('\u001b[')) return carried
  let now = carried
  for (const [sequence, codes = ''] of line.matchAll(settings)) {
    if (/^0*$/.test(codes)) now = ''
    else now = /^0+;/.test(codes) ? sequence : now + sequence
  }
  return now.length <= mostCarried ? now : now.slice(now.lastIndexOf('\u001b'))
}
