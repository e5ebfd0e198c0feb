import { Box, Button, Group, SimpleGrid, Stack, Text, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconPlus, IconSearch, IconServer } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { Worker } from '@/api/client'
import { workersQuery } from '@/api/queries'
import { AnchorLink } from '@/components/links'
import { Command } from '@/components/Command'
import { Empty } from '@/components/Empty'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { PageTitle } from '@/components/PageTitle'
import { Status } from '@/components/Status'
import { Time } from '@/components/Time'
import { WorkerMeters } from '@/components/WorkerMeters'
import { formatCount } from '@/lib/format'
import { AddWorker } from './AddWorker'
import { matches } from './match'
import { WorkerActions } from './WorkerActions'
import classes from './Workers.module.css'

export function WorkersPage({ admin }: { admin: boolean }) {
  const { data: workers, error, refetch } = useQuery(workersQuery)
  const [adding, { open, close }] = useDisclosure()
  return (
    <>
      <PageTitle title="Workers" hint="Thick bars: promised to tasks. Thin lines in them: measured.">
        {admin && (
          <Button leftSection={<IconPlus size={16} />} onClick={open}>
            Add a worker
          </Button>
        )}
      </PageTitle>
      {!workers ? (
        error ? (
          <PageError error={error} retry={() => void refetch()} />
        ) : (
          <PageLoading />
        )
      ) : workers.length === 0 ? (
        <Empty title="No worker yet" icon={<IconServer size={40} stroke={1.3} />}>
          <Text maw={520}>
            {admin
              ? "Tasks wait until a worker joins. This starts one on the master's machine; for another machine, add a worker and take the command from there."
              : 'Tasks wait until a worker joins. Ask an administrator to start one.'}
          </Text>
          {admin && (
            <Box w="100%" maw={520}>
              <Command label="the command that starts a worker" text="./runWorker.sh" />
            </Box>
          )}
        </Empty>
      ) : (
        <Workers workers={workers} admin={admin} />
      )}
      {admin && <AddWorker opened={adding} onClose={close} />}
    </>
  )
}

/** So many can be looked through without a search. */
const few = 8

function Workers({ workers, admin }: { workers: Worker[]; admin: boolean }) {
  const [search, setSearch] = useState('')
  const found = workers.filter((worker) => matches(worker, search))
  return (
    <Stack>
      {workers.length > few && (
        <Group>
          <TextInput
            type="search"
            className={classes.find ?? ''}
            flex={1}
            aria-label="Find workers by name, status or label"
            placeholder="Name, status or label"
            leftSection={<IconSearch size={16} />}
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
          <Text size="sm" c="dimmed" role="status">
            {search
              ? `${formatCount(found.length)} of ${formatCount(workers.length)}`
              : formatCount(workers.length)}{' '}
            workers
          </Text>
        </Group>
      )}
      {found.length === 0 ? (
        <Empty title="No worker matches" />
      ) : (
        <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
          {found.map((worker) => (
            <WorkerCard key={worker.worker_id} worker={worker} admin={admin} />
          ))}
        </SimpleGrid>
      )}
    </Stack>
  )
}

function WorkerCard({ worker, admin }: { worker: Worker; admin: boolean }) {
  return (
    <article className={`card ${classes.worker}`} data-worker={worker.worker_id}>
      <Group justify="space-between" mb="xs" wrap="nowrap">
        <AnchorLink to="/workers/$workerId" params={{ workerId: worker.worker_id }} fw={650}>
          {worker.worker_id}
        </AnchorLink>
        <Status status={worker.status} />
      </Group>
      {worker.message && (
        <Text size="sm" mb="xs">
          {worker.message}
        </Text>
      )}
      <WorkerMeters total={worker.total} allocated={worker.allocated} used={worker.used} />
      <Group justify="space-between" mt="sm" gap="xs">
        <Text size="sm" c="dimmed">
          {formatCount(worker.running_count)} {worker.running_count === 1 ? 'task' : 'tasks'},{' '}
          {worker.last_heartbeat ? (
            <>
              heartbeat <Time at={worker.last_heartbeat} />
            </>
          ) : (
            'no heartbeat since the start'
          )}
        </Text>
        {admin && <WorkerActions worker={worker} />}
      </Group>
    </article>
  )
}
