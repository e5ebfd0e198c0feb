import type { LogRecord } from '@/api/client'

/** A row that is much longer would be slow to draw; so much text of one line is kept together. */
const mostText = 32 << 10

/** Records with newer ones after them; the rest of a line that came in pieces goes to its beginning. */
export function joined(records: LogRecord[], newer: LogRecord[]): LogRecord[] {
  const all = [...records]
  for (const record of newer) {
    const last = all.at(-1)
    if (last?.partial && last.stream === record.stream && sizeOf(last) + sizeOf(record) <= mostText)
      all[all.length - 1] = whole(last, record)
    else all.push(record)
  }
  return all
}

const sizeOf = ({ text, base64 }: LogRecord) => base64?.length ?? text.length

function whole(begin: LogRecord, rest: LogRecord): LogRecord {
  const { base64, partial, ...one } = { ...begin, next: rest.next, partial: rest.partial }
  const more = partial ? { partial } : {}
  if (base64 === undefined && rest.base64 === undefined)
    return { ...one, ...more, text: begin.text + rest.text }
  // The cut may go through a character.
  const bytes = new Uint8Array([...bytesOf(begin), ...bytesOf(rest)])
  try {
    return { ...one, ...more, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    return {
      ...one,
      ...more,
      text: '',
      base64: btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join('')),
    }
  }
}

const bytesOf = ({ text, base64 }: LogRecord) =>
  base64 === undefined
    ? new TextEncoder().encode(text)
    : Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
