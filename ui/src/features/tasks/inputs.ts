import type { InputFile } from './submit'

/** What the input files of a task may be together, in bytes. */
export const mostInput = 1 << 20

/** A file of this computer as the API takes it: text as it is, all else as base64. */
export async function inputOf(file: File): Promise<InputFile> {
  const bytes = new Uint8Array(await file.arrayBuffer())
  try {
    return {
      path: file.name,
      content: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
    }
  } catch {
    let binary = ''
    for (const byte of bytes) binary += String.fromCharCode(byte)
    return { path: file.name, content: btoa(binary), encoding: 'base64' }
  }
}
