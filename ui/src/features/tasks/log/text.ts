import type { LogRecord } from '@/api/client'

// What text has none of, and signs that stand for bytes which are no characters.
// eslint-disable-next-line no-control-regex
const strange = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f\ufffd]/g

/** The text of a record. One that is not UTF-8 may still be text in another encoding, most of which can be read. */
export function textOf(record: LogRecord): string {
  if (record.base64 === undefined) return record.text
  const bytes = Uint8Array.from(atob(record.base64), (c) => c.charCodeAt(0))
  const text = new TextDecoder().decode(bytes)
  const bad = text.match(strange)?.length ?? 0
  return bad * 3 > text.length ? `[${bytes.length} bytes that are no text]` : text
}
