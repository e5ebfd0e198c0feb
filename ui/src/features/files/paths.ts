import type { FileEntry } from '@/api/client'

export const contentPath = (id: string, path: string) =>
  `/api/files/${encodeURIComponent(id)}/content/${path.split('/').map(encodeURIComponent).join('/')}`

export interface Folder {
  name: string
  path: string
  folders: Folder[]
  files: FileEntry[]
}

/** The files by folder, both in the order of their names. */
export function treeOf(files: FileEntry[]): Folder {
  const root: Folder = { name: '', path: '', folders: [], files: [] }
  const known = new Map([['', root]])
  const folder = (path: string): Folder => {
    const found = known.get(path)
    if (found) return found
    const cut = path.lastIndexOf('/')
    const made: Folder = { name: path.slice(cut + 1), path, folders: [], files: [] }
    known.set(path, made)
    folder(cut < 0 ? '' : path.slice(0, cut)).folders.push(made)
    return made
  }
  for (const file of [...files].sort((a, b) => a.path.localeCompare(b.path))) {
    const cut = file.path.lastIndexOf('/')
    folder(cut < 0 ? '' : file.path.slice(0, cut)).files.push(file)
  }
  return root
}

export type Kind = 'image' | 'csv' | 'json' | 'text' | 'other'

const texts =
  /\.(txt|log|md|ya?ml|toml|ini|cfg|conf|xml|html?|css|[jt]sx?|py|go|rs|c|h|cpp|java|sh|sql|env|ndjson|jsonl)$/i

/** How a file can be shown, by its type and its name. */
export function kindOf(file: Pick<FileEntry, 'path' | 'content_type'>): Kind {
  const type = file.content_type.split(';')[0] ?? ''
  if (/^image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml)$/.test(type)) return 'image'
  if (type === 'text/csv' || /\.(csv|tsv)$/i.test(file.path)) return 'csv'
  if (type === 'application/json' || /\.json$/i.test(file.path)) return 'json'
  if (type.startsWith('text/') || texts.test(file.path)) return 'text'
  return 'other'
}

/** Rows of comma or tab separated values, as RFC 4180 has them. */
export function parseRows(text: string, separator: string, most: number): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let field = ''
  let quoted = false
  for (let i = 0; i < text.length && rows.length < most; i++) {
    const c = text.charAt(i)
    if (quoted) {
      if (c !== '"') field += c
      else if (text.charAt(i + 1) === '"') field += text.charAt(i++)
      else quoted = false
    } else if (c === '"' && field === '') quoted = true
    else if (c === separator || c === '\n') {
      row.push(field.endsWith('\r') && c === '\n' ? field.slice(0, -1) : field)
      field = ''
      if (c === '\n') {
        rows.push(row)
        row = []
      }
    } else field += c
  }
  if (rows.length < most && (field !== '' || row.length > 0)) rows.push([...row, field])
  return rows
}
