import { Alert, Button, Group, Text } from '@mantine/core'
import { useHotkeys } from '@mantine/hooks'
import { useMemo, useRef, useState } from 'react'
import type { Task, TaskStatus } from '@/api/client'
import type { TaskFilters } from '@/api/queries'
import { Empty } from '@/components/Empty'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { formatCount } from '@/lib/format'
import { BulkBar } from './BulkBar'
import { CancelMatching } from './CancelMatching'
import { FilterBar } from './FilterBar'
import { newestFirst, sortedBy } from './columns'
import classes from './TaskList.module.css'
import { useOwners } from '@/api/owners'
import { TaskTable } from './TaskTable'
import { useTaskWindow } from './useTaskWindow'

interface Props {
  filters: TaskFilters
  onFilters: (filters: TaskFilters) => void
  onOpen: (id: string) => void
  admin: boolean
  /** By status, of all tasks that this person may see. */
  counts: Partial<Record<TaskStatus, number>> | undefined
  /** What a person without tasks should do. */
  firstSteps: React.ReactNode
}

export function TaskList({ filters, onFilters, onOpen, admin, counts, firstSteps }: Props) {
  const { list, rows, skipped, before, toNewest } = useTaskWindow(filters)
  const owners = useOwners(admin)
  const [selected, setSelected] = useState<ReadonlyMap<string, Task>>(new Map())
  const search = useRef<HTMLInputElement>(null)
  useHotkeys([['/', () => search.current?.focus()]])
  // What is chosen stays so when its row is out of memory; of the others the newest counts.
  const chosen = useMemo(() => {
    if (selected.size === 0) return []
    const known = new Map(rows.map((task) => [task.task_id, task]))
    return [...selected.values()].map((task) => known.get(task.task_id) ?? task)
  }, [rows, selected])
  const filtered = Object.entries(filters).some(([name, value]) => name !== 'sort' && value !== undefined)

  // The newest are at the top, wherever somebody is when asking for them.
  const [asked, setAsked] = useState(0)
  const showNewest = () => {
    setAsked((n) => n + 1)
    toNewest()
  }

  const behind = list.isStale && !list.isFetching && (skipped > 0 || (list.data?.pages.length ?? 0) > 2)

  return (
    <div className={classes.page}>
      <FilterBar filters={filters} onFilters={onFilters} counts={counts} owners={owners} searchRef={search} />
      {list.isError && rows.length > 0 && (
        <Alert color="red" variant="outline" role="alert" mb="xs" p="xs">
          <Group justify="space-between" gap="xs">
            <span>{list.error.message}</span>
            <Button size="compact-sm" variant="default" onClick={() => void list.refetch()}>
              Try again
            </Button>
          </Group>
        </Alert>
      )}
      {chosen.length > 0 ? (
        <BulkBar tasks={chosen} onClear={() => setSelected(new Map())} />
      ) : (
        <Group justify="space-between" mih={36} gap="xs" wrap="nowrap">
          <Text size="sm" c="dimmed" role="status">
            {list.isPending
              ? 'Loading'
              : `${formatCount(skipped + rows.length)}${list.hasNextPage ? '+' : ''} ${skipped + rows.length === 1 ? 'task' : 'tasks'}`}
          </Text>
          {rows.length > 0 && <CancelMatching filters={filters} />}
          {behind ? (
            <Button size="compact-sm" variant="default" onClick={showNewest}>
              Show the newest
            </Button>
          ) : (
            <Text size="xs" c="dimmed" visibleFrom="md">
              <kbd>/</kbd> search, <kbd>↑</kbd> <kbd>↓</kbd> move, <kbd>Space</kbd> select, <kbd>Enter</kbd>{' '}
              open
            </Text>
          )}
        </Group>
      )}
      {list.isPending ? (
        <PageLoading />
      ) : rows.length > 0 ? (
        <TaskTable
          rows={rows}
          owners={owners}
          skipped={skipped}
          loadBefore={before}
          selected={selected}
          onSelected={setSelected}
          onOpen={onOpen}
          hasMore={list.hasNextPage}
          // Not while it is read again, which would be given up for it, nor by itself after a failure.
          loadingMore={list.isFetching || list.isError}
          loadMore={() => void list.fetchNextPage()}
          dim={list.isPlaceholderData}
          sort={filters.sort ?? newestFirst}
          onSort={(sort) => onFilters(sortedBy(filters, sort))}
          resetKey={JSON.stringify([filters, asked])}
        />
      ) : list.isError ? (
        <PageError error={list.error} retry={() => void list.refetch()} />
      ) : filtered ? (
        <Empty title="No task matches">
          <Button variant="default" onClick={() => onFilters({})}>
            Clear the filters
          </Button>
        </Empty>
      ) : (
        firstSteps
      )}
    </div>
  )
}
