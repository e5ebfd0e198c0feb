import { CloseButton, Group, Text } from '@mantine/core'
import { useEffect, useState } from 'react'
import type { LogRecord } from '@/api/client'
import { readLog } from '@/api/logs'
import { ansiSpans } from '@/lib/ansi'
import { formatCount } from '@/lib/format'
import classes from './LogView.module.css'
import { textOf } from './text'

interface Props {
  id: string
  attempt: number
  stream: 'stdout' | 'stderr' | undefined
  query: string
  onPick: (at: number) => void
  onClose: () => void
}

const mostHits = 500

/** Lines of the whole log that contain a text; the master looks for them. */
export function LogSearch({ id, attempt, stream, query, onPick, onClose }: Props) {
  const [hits, setHits] = useState<LogRecord[]>([])
  const [state, setState] = useState<'looking' | 'done' | 'more' | string>('looking')
  useEffect(() => {
    const stop = new AbortController()
    const found: LogRecord[] = []
    readLog(
      id,
      { attempt, q: query, ...(stream ? { stream } : {}) },
      (batch) => {
        found.push(...batch.slice(0, mostHits - found.length))
        setHits([...found])
        return found.length < mostHits
      },
      stop.signal,
    ).then(
      () => setState(found.length < mostHits ? 'done' : 'more'),
      (error: unknown) =>
        !stop.signal.aborted && setState(error instanceof Error ? error.message : String(error)),
    )
    return () => stop.abort()
  }, [id, attempt, stream, query])
  const words: Record<string, string> = {
    looking: `${formatCount(hits.length)} so far`,
    done: `${formatCount(hits.length)} ${hits.length === 1 ? 'line' : 'lines'} with "${query}"`,
    more: `The first ${formatCount(mostHits)} lines with "${query}"`,
  }
  return (
    <div className="card">
      <Group justify="space-between" px="sm" pt={4}>
        <Text size="sm" role="status">
          {words[state] ?? state}
        </Text>
        <CloseButton size="sm" aria-label="Close the search" onClick={onClose} />
      </Group>
      {hits.length > 0 && (
        <ol className={classes.results} aria-label="Lines found" tabIndex={0}>
          {hits.map((record) => (
            <li key={record.offset}>
              <button type="button" className={classes.result} onClick={() => onPick(record.offset)}>
                <Marked
                  text={ansiSpans(textOf(record))
                    .map((span) => span.text)
                    .join('')}
                  query={query}
                />
              </button>
            </li>
          ))}
        </ol>
      )}
    </div>
  )
}

function Marked({ text, query }: { text: string; query: string }) {
  const at = text.toLowerCase().indexOf(query.toLowerCase())
  if (at < 0) return text
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + query.length)}</mark>
      {text.slice(at + query.length)}
    </>
  )
}
