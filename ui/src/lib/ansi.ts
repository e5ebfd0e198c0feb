import Anser from 'anser'

export interface Span {
  text: string
  className: string
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

/** What a carriage return leaves of a line on a terminal: what came last. */
function overwritten(text: string): string {
  const end = text.endsWith('\r') ? text.length - 1 : text.length
  return text.slice(text.lastIndexOf('\r', end - 1) + 1, end)
}

/** Splits a line into pieces of one colour. Other control sequences are left out. */
export function ansiSpans(line: string): Span[] {
  const text = overwritten(line)
  if (!text.includes('\u001b')) return [{ text: text.replace(invisible, ''), className: '' }]
  return Anser.ansiToJson(text, { use_classes: true, remove_empty: true }).map((piece) => {
    const classes = [piece.fg, piece.bg && `${piece.bg}-bg`, ...piece.decorations.map((d) => decorations[d])]
    return { text: piece.content.replace(invisible, ''), className: classes.filter(Boolean).join(' ') }
  })
}
