import {
  ActionIcon,
  Alert,
  Button,
  CloseButton,
  Group,
  NativeSelect,
  Switch,
  Text,
  TextInput,
  Tooltip,
} from '@mantine/core'
import { useLocalStorage } from '@mantine/hooks'
import { IconArrowDown, IconDownload, IconSearch } from '@tabler/icons-react'
import { useCallback, useRef, useState } from 'react'
import { logPath } from '@/api/logs'
import { formatBytes } from '@/lib/format'
import { LogLines } from './LogLines'
import { LogSearch } from './LogSearch'
import { useFeed } from './useFeed'
import classes from './LogView.module.css'

interface Props {
  id: string
  attempt: number
  attempts: number
  onAttempt: (attempt: number) => void
  /** The byte that the address points to. */
  at: number | undefined
  onAt: (at: number | undefined) => void
  /** No container of it has begun to write. */
  unborn: boolean
  deleted: boolean
}

export function LogView(props: Props) {
  if (props.deleted) {
    return <Text c="dimmed">The log of this task is kept no longer.</Text>
  }
  return <OpenLog {...props} />
}

function OpenLog({ id, attempt, attempts, onAttempt, at, onAt, unborn }: Props) {
  const [stream, setStream] = useState<'stdout' | 'stderr' | undefined>()
  const { key, feed, state, follow, setFollow } = useFeed({ id, attempt, stream, at })
  const [times, setTimes] = useLocalStorage({ key: 'cloudai-log-times', defaultValue: false })
  const [search, setSearch] = useState('')
  const [query, setQuery] = useState('')
  const end = () => {
    if (at !== undefined) return onAt(undefined)
    if (!state.atEnd) feed.toEnd()
    setFollow(true)
  }
  const picked = useRef(false)
  const leaveEnd = useCallback(() => setFollow(false), [setFollow])
  const size = state.records.at(-1)?.next
  return (
    <div>
      <Group gap="xs" mb="xs">
        {attempts > 1 && (
          <NativeSelect
            aria-label="Attempt"
            value={attempt}
            data={Array.from({ length: attempts }, (_, i) => ({
              value: String(i + 1),
              label: `attempt ${i + 1}`,
            }))}
            onChange={(event) => onAttempt(Number(event.currentTarget.value))}
          />
        )}
        <NativeSelect
          aria-label="Stream"
          value={stream ?? ''}
          data={[
            { value: '', label: 'stdout + stderr' },
            { value: 'stdout', label: 'stdout' },
            { value: 'stderr', label: 'stderr' },
          ]}
          onChange={(event) => setStream((event.currentTarget.value || undefined) as typeof stream)}
        />
        <form
          className={classes.search}
          onSubmit={(event) => {
            event.preventDefault()
            setQuery(search.trim())
          }}
        >
          <TextInput
            aria-label="Search in the whole log"
            placeholder="Search, then Enter"
            leftSection={<IconSearch size={16} />}
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
            rightSection={
              search !== '' && (
                <CloseButton
                  size="sm"
                  aria-label="Clear the search"
                  onClick={() => {
                    setSearch('')
                    setQuery('')
                  }}
                />
              )
            }
          />
        </form>
        <Switch label="Times" checked={times} onChange={(event) => setTimes(event.currentTarget.checked)} />
        <Switch
          label="Follow"
          checked={follow}
          onChange={(event) => (event.currentTarget.checked ? end() : setFollow(false))}
        />
        <Tooltip label="Download the log">
          <ActionIcon
            variant="default"
            size="lg"
            component="a"
            href={logPath(id, { attempt, ...(stream ? { stream } : {}) })}
            download={`${id}-${attempt}.log`}
            aria-label="Download the log"
          >
            <IconDownload size={18} />
          </ActionIcon>
        </Tooltip>
      </Group>
      {state.error && (
        <Alert color="red" variant="outline" role="alert" p="xs" mb="xs">
          {state.error}
        </Alert>
      )}
      {query !== '' && (
        <LogSearch
          key={`${attempt}/${stream}/${query}`}
          id={id}
          attempt={attempt}
          stream={stream}
          query={query}
          onPick={onAt}
          onClose={() => setQuery('')}
        />
      )}
      <div className={classes.frame}>
        <LogLines
          key={key}
          state={state}
          follow={follow}
          onLeaveEnd={leaveEnd}
          onReachStart={() => feed.before()}
          onReachEnd={() => feed.after()}
          times={times}
          at={at}
          onAt={onAt}
          picked={picked}
          empty={emptyText(unborn, state.complete, state.loading)}
        />
        {!follow && (
          <Button
            className={classes.toEnd}
            size="compact-sm"
            leftSection={<IconArrowDown size={16} />}
            onClick={end}
          >
            To the end
          </Button>
        )}
      </div>
      <Group justify="space-between" mt={4}>
        <Text size="xs" c="dimmed" role="status">
          {linkText(state.link, state.complete, state.atEnd)}
        </Text>
        <Text size="xs" c="dimmed">
          {size !== undefined && state.atEnd ? formatBytes(size) : ''}
        </Text>
      </Group>
    </div>
  )
}

function emptyText(unborn: boolean, complete: boolean, loading: boolean) {
  if (loading) return 'Loading'
  if (complete) return 'The task has written nothing.'
  return unborn ? 'The log begins as soon as the container runs.' : 'The task has not written anything yet.'
}

function linkText(link: string | undefined, complete: boolean, atEnd: boolean) {
  if (complete) return 'The log is complete.'
  if (!atEnd) return ''
  if (link === 'live' || link === 'refused') return 'Live' // refused: by an answer that does not end
  if (link === 'broken')
    return 'The connection was cut; it goes on at the last byte as soon as the master answers.'
  return 'Connecting'
}
