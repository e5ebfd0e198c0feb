import { Alert, Button, Group, Stack, Tabs, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconCopy, IconPencil, IconRefresh } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState, type ReactNode } from 'react'
import { isGone, type Task } from '@/api/client'
import type { Owners } from '@/api/owners'
import { taskEventsQuery, taskQuery } from '@/api/queries'
import { AnchorLink, ButtonLink } from '@/components/links'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { PageTitle } from '@/components/PageTitle'
import { showRefusal } from '@/components/refusal'
import { Status } from '@/components/Status'
import { newKey } from '@/lib/key'
import { retryTask } from './actions'
import { CancelTask } from './CancelTask'
import { isTerminal, stateDetail, taskTitle } from './columns'
import { isEditable } from './edit'
import { EditTask } from './EditTask'
import { Facts, FactsSummary } from './Facts'
import { explainFailure, messageOf } from './failure'
import { LogView } from './log/LogView'
import { Timeline } from './Timeline'
import { UsageChart } from './UsageChart'
import { Waiting } from './Waiting'

type Tab = 'log' | 'files' | 'usage' | 'spec'

interface Props {
  id: string
  tab: Tab
  onTab: (tab: Tab) => void
  attempt: number | undefined
  onAttempt: (attempt: number) => void
  at: number | undefined
  onAt: (at: number | undefined) => void
  onOpen: (id: string) => void
  files: ReactNode
  /** Whose a task is, for those who see tasks of others. */
  ownerOf: Owners['nameOf'] | undefined
}

export function TaskPage({ id, tab, onTab, attempt, onAttempt, at, onAt, onOpen, files, ownerOf }: Props) {
  const { data: task, error, refetch } = useQuery(taskQuery(id))
  const { data: events } = useQuery(taskEventsQuery(id))
  if (!task || isGone(error)) {
    return error ? (
      <PageError error={error} retry={() => void refetch()}>
        <ButtonLink to="/tasks" variant="default" size="xs">
          To the list of tasks
        </ButtonLink>
      </PageError>
    ) : (
      <PageLoading />
    )
  }
  const shown = attempt ?? task.attempt
  const placed = task.attempts.some((a) => a.attempt === shown)
  return (
    <Stack gap="md">
      <div>
        <PageTitle
          title={taskTitle(task)}
          hint={
            <Group gap="md" component="span">
              <Status status={task.status} detail={stateDetail(task)} />
              <span className="mono">{task.task_id}</span>
              {task.retry_of && (
                <AnchorLink to="/tasks/$taskId" params={{ taskId: task.retry_of }} underline="always">
                  a retry of {task.retry_of}
                </AnchorLink>
              )}
            </Group>
          }
        >
          <TaskActions task={task} onOpen={onOpen} />
        </PageTitle>
        <Failure task={task} ownerOf={ownerOf} />
        {task.waiting && <Waiting waiting={task.waiting} />}
      </div>
      <section className="card" style={{ padding: '1rem' }} aria-label="Summary">
        <FactsSummary task={task} owner={ownerOf?.(task)} />
      </section>
      <section className="card" style={{ padding: '1rem' }} aria-label="Timeline">
        {events ? <Timeline task={task} events={events} /> : <Text c="dimmed">Loading</Text>}
      </section>
      <Tabs value={tab} onChange={(value) => onTab((value ?? 'log') as Tab)} keepMounted={false}>
        <Tabs.List mb="sm">
          <Tabs.Tab value="log">Log</Tabs.Tab>
          <Tabs.Tab value="files">Files</Tabs.Tab>
          <Tabs.Tab value="usage">Usage</Tabs.Tab>
          <Tabs.Tab value="spec">Everything asked</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="log">
          <LogView
            id={id}
            attempt={shown}
            attempts={task.attempt}
            onAttempt={onAttempt}
            at={at}
            onAt={onAt}
            unborn={!placed}
            deleted={task.logs_deleted === true}
          />
        </Tabs.Panel>
        <Tabs.Panel value="files">{files}</Tabs.Panel>
        <Tabs.Panel value="usage">
          <UsageChart task={task} attempt={shown} />
        </Tabs.Panel>
        <Tabs.Panel value="spec">
          <div className="card" style={{ padding: '1rem' }}>
            <Facts task={task} owner={ownerOf?.(task)} />
          </div>
        </Tabs.Panel>
      </Tabs>
    </Stack>
  )
}

function Failure({ task, ownerOf }: { task: Task } & Pick<Props, 'ownerOf'>) {
  const why = explainFailure(task)
  const message = messageOf(task, ownerOf)
  if (why) {
    return (
      <Alert color="red" variant="outline" title={why.title} role="alert">
        {message && <Text size="sm">{message}</Text>}
        <Text size="sm" mt={4}>
          <b>What to do:</b> {why.advice}
        </Text>
      </Alert>
    )
  }
  if (task.status === 'cancelled' || (task.message && !isTerminal(task))) {
    return (
      <Alert
        color="gray"
        variant="outline"
        title={task.status === 'cancelled' ? 'Cancelled' : 'What happened so far'}
      >
        <Text size="sm">{message ?? 'Logs and files up to then are kept.'}</Text>
      </Alert>
    )
  }
  return null
}

function TaskActions({ task, onOpen }: { task: Task; onOpen: (id: string) => void }) {
  // One key for as long as the page shows this task: a second click gives the same retry.
  const [key] = useState(newKey)
  const [editing, { open, close }] = useDisclosure()
  const retry = useMutation({
    mutationFn: () => retryTask(task.task_id, key),
    onSuccess: (created) => onOpen(created.task_id),
    onError: showRefusal,
  })
  return (
    <>
      <ButtonLink
        to="/submit"
        search={{ from: task.task_id }}
        variant="default"
        leftSection={<IconCopy size={16} />}
      >
        Clone and edit
      </ButtonLink>
      {isEditable(task) && (
        <Button variant="default" leftSection={<IconPencil size={16} />} onClick={open}>
          Edit
        </Button>
      )}
      <EditTask task={task} opened={editing} onClose={close} />
      {isTerminal(task) ? (
        <Button
          leftSection={<IconRefresh size={16} />}
          loading={retry.isPending}
          onClick={() => retry.mutate()}
        >
          Retry
        </Button>
      ) : (
        <CancelTask task={task} />
      )}
    </>
  )
}
