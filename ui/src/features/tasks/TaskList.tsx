import { Alert, Button, Group, Text } from '@mantine/core'
import { useHotkeys } from '@mantine/hooks'
import { useInfiniteQuery, useQueryClient, type InfiniteData } from '@tanstack/react-query'
import { useMemo, useRef, useState } from 'react'
import type { Task, TaskStatus } from '@/api/client'
import { tasksQuery, type TaskFilters } from '@/api/queries'
import { Empty } from '@/components/Empty'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { BulkBar } from './BulkBar'
import { CancelMatching } from './CancelMatching'
import { FilterBar } from './FilterBar'
import { newestFirst, sortedBy } from './columns'
import classes from './TaskList.module.css'
import { TaskTable } from './TaskTable'

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
  const queries = useQueryClient()
  const query = tasksQuery(filters)
  const list = useInfiniteQuery(query)
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const search = useRef<HTMLInputElement>(null)
  useHotkeys([['/', () => search.current?.focus()]])
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data])
  const chosen = useMemo(() => rows.filter((task) => selected.has(task.task_id)), [rows, selected])
  const filtered = Object.entries(filters).some(([name, value]) => name !== 'sort' && value !== undefined)

  const showNewest = () => {
    queries.setQueryData<InfiniteData<{ items: Task[]; next_cursor?: string }, string>>(
      query.queryKey,
      (data) => (data ? { pages: data.pages.slice(0, 1), pageParams: data.pageParams.slice(0, 1) } : data),
    )
    void list.refetch()
  }
  const behind = list.isStale && !list.isFetching && (list.data?.pages.length ?? 0) > 2

  return (
    <div className={classes.page}>
      <FilterBar filters={filters} onFilters={onFilters} counts={counts} admin={admin} searchRef={search} />
      {list.isError && rows.length > 0 && (
        <Alert color="red" variant="outline" role="alert" mb="xs" p="xs">
          {list.error.message}
        </Alert>
      )}
      {chosen.length > 0 ? (
        <BulkBar tasks={chosen} onClear={() => setSelected(new Set())} />
      ) : (
        <Group justify="space-between" mih={36} gap="xs" wrap="nowrap">
          <Text size="sm" c="dimmed" role="status">
            {list.isPending
              ? 'Loading'
              : `${rows.length}${list.hasNextPage ? '+' : ''} ${rows.length === 1 ? 'task' : 'tasks'}`}
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
          selected={selected}
          onSelected={setSelected}
          onOpen={onOpen}
          hasMore={list.hasNextPage}
          loadingMore={list.isFetchingNextPage}
          loadMore={() => void list.fetchNextPage()}
          dim={list.isPlaceholderData}
          sort={filters.sort ?? newestFirst}
          onSort={(sort) => onFilters(sortedBy(filters, sort))}
          resetKey={JSON.stringify(filters)}
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
