import { Button, Group, SimpleGrid, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconPlus, IconServer } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import type { Worker } from '@/api/client'
import { workersQuery } from '@/api/queries'
import { AnchorLink } from '@/components/links'
import { Empty } from '@/components/Empty'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { PageTitle } from '@/components/PageTitle'
import { Status } from '@/components/Status'
import { Time } from '@/components/Time'
import { WorkerMeters } from '@/components/WorkerMeters'
import { AddWorker } from './AddWorker'
import { WorkerActions } from './WorkerActions'

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
            Tasks wait until a worker joins. On the master&apos;s machine <code>./runWorker.sh</code> starts
            one
            {admin
              ? '; for another machine, add a worker and take the command from there.'
              : '. Ask an administrator.'}
          </Text>
        </Empty>
      ) : (
        <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
          {workers.map((worker) => (
            <WorkerCard key={worker.worker_id} worker={worker} admin={admin} />
          ))}
        </SimpleGrid>
      )}
      {admin && <AddWorker opened={adding} onClose={close} />}
    </>
  )
}

function WorkerCard({ worker, admin }: { worker: Worker; admin: boolean }) {
  return (
    <article className="card" style={{ padding: '1rem' }} data-worker={worker.worker_id}>
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
          {worker.running_count} {worker.running_count === 1 ? 'task' : 'tasks'},{' '}
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
