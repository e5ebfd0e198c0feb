import { Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { refused, type FileEntry } from '@/api/client'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { formatBytes, formatCount } from '@/lib/format'
import classes from './Files.module.css'
import { prettyJSON } from './json'
import { contentPath, kindOf, parseRows } from './paths'

/** So much of a file is looked at; the rest is for the download. */
const mostBytes = 256 << 10
const mostImage = 16 << 20
const mostRows = 500
const mostColumns = 100

/** Text that is no text has bytes that are no characters. */
const binary = (text: string) => text.includes('\u0000') || text.includes('\ufffd')

async function head(id: string, file: FileEntry, signal: AbortSignal): Promise<string> {
  if (file.size === 0) return ''
  const response = await fetch(contentPath(id, file.path), {
    credentials: 'same-origin',
    headers: { Range: `bytes=0-${mostBytes - 1}` },
    signal,
  })
  if (!response.ok) throw refused(response, await response.json().catch(() => undefined))
  const bytes = await response.arrayBuffer()
  // The cut may go through the middle of a character, which then is held back.
  return new TextDecoder().decode(bytes, { stream: file.size > mostBytes })
}

export function Preview({ id, file }: { id: string; file: FileEntry }) {
  const kind = kindOf(file)
  if (kind === 'image') {
    if (file.size > mostImage) return <TooLarge />
    return <img className={classes.image} src={contentPath(id, file.path)} alt={`The image ${file.path}`} />
  }
  return <TextPreview id={id} file={file} kind={kind} />
}

function TooLarge() {
  return (
    <Text c="dimmed" size="sm">
      It is too large to be shown here; download it.
    </Text>
  )
}

function TextPreview({ id, file, kind }: { id: string; file: FileEntry; kind: ReturnType<typeof kindOf> }) {
  const { data: text, error } = useQuery({
    queryKey: ['task', id, 'content', file.path, file.sha256],
    queryFn: ({ signal }) => head(id, file, signal),
    staleTime: 'static', // the hash names the content
  })
  if (error) return <PageError error={error} />
  if (text === undefined) return <PageLoading />
  if (text === '') {
    return (
      <Text c="dimmed" size="sm">
        It is empty.
      </Text>
    )
  }
  if (binary(text)) {
    return (
      <Text c="dimmed" size="sm">
        It holds no text; download it.
      </Text>
    )
  }
  const cut = file.size > mostBytes
  return (
    <>
      {kind === 'csv' ? (
        <Table
          rows={parseRows(text, /\.tsv$/i.test(file.path) ? '\t' : ',', mostRows + 1)}
          name={file.path}
        />
      ) : (
        <pre className={classes.text} tabIndex={0} role="region" aria-label={`The content of ${file.path}`}>
          {kind === 'json' && !cut ? prettyJSON(text) : text}
        </pre>
      )}
      {cut && (
        <Text c="dimmed" size="xs" mt={4}>
          The first {formatBytes(mostBytes)} of {formatBytes(file.size)}.
        </Text>
      )}
    </>
  )
}

function Table({ rows: all, name }: { rows: string[][]; name: string }) {
  const widest = Math.max(...all.map((row) => row.length))
  const [first, ...rest] = all.slice(0, mostRows).map((row) => row.slice(0, mostColumns))
  const limits = [
    all.length > mostRows && `the first ${mostRows} rows`,
    widest > mostColumns && `the first ${mostColumns} of ${formatCount(widest)} columns`,
  ].filter(Boolean)
  return (
    <>
      <div className={classes.table} tabIndex={0} role="region" aria-label={`The rows of ${name}`}>
        <table>
          <thead>
            <tr>
              {first?.map((cell, i) => (
                <th key={i} scope="col">
                  {cell}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rest.map((row, i) => (
              <tr key={i}>
                {row.map((cell, j) => (
                  <td key={j}>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {limits.length > 0 && (
        <Text c="dimmed" size="xs" mt={4}>
          Shown are {limits.join(' and ')}.
        </Text>
      )}
    </>
  )
}
