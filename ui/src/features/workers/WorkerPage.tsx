import { Alert, Group, SimpleGrid, Stack, Text, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { workerMetricsQuery, workerQuery, workersQuery } from '@/api/queries'
import { AnchorLink } from '@/components/links'
import { Chart } from '@/components/Chart'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { PageTitle } from '@/components/PageTitle'
import { Status } from '@/components/Status'
import { Time } from '@/components/Time'
import { WorkerMeters } from '@/components/WorkerMeters'
import { formatCores, formatMiB } from '@/lib/format'
import { WorkerActions } from './WorkerActions'

const help: Record<string, string> = {
  unreachable:
    'The master cannot call it: open its port, or set ADVERTISE_ADDR on it. If it was stopped, start it again.',
  unhealthy: 'Its Docker engine does not answer: look at that on its machine.',
  lost: 'It has not been heard of for too long. Its tasks run elsewhere; start it again, or remove it.',
  draining: 'It finishes what it has and gets nothing new.',
}

export function WorkerPage({ id, admin, onRemoved }: { id: string; admin: boolean; onRemoved: () => void }) {
  const single = useQuery(workerQuery(id))
  // The list is what live changes are merged into, so it knows best.
  const { data: list } = useQuery(workersQuery)
  const { data: metrics } = useQuery(workerMetricsQuery(id))
  const worker = list?.find((w) => w.worker_id === id) ?? single.data
  if (!worker) return single.error ? <PageError error={single.error} /> : <PageLoading />
  const times = metrics?.samples.map((s) => new Date(s.time).getTime() / 1000) ?? []
  return (
    <Stack>
      <PageTitle
        title={id}
        hint={
          <Group gap="md" component="span">
            <Status status={worker.status} />
            <span className="mono">{worker.address}</span>
            {worker.version && <span>version {worker.version}</span>}
            <span>
              heard of {worker.last_heartbeat ? <Time at={worker.last_heartbeat} /> : 'not since the start'}
            </span>
          </Group>
        }
      >
        {admin && <WorkerActions worker={worker} onRemoved={onRemoved} />}
      </PageTitle>
      {worker.status !== 'active' && (
        <Alert color="yellow" variant="outline" title={`It is ${worker.status}`}>
          {worker.message && <Text size="sm">{worker.message}</Text>}
          <Text size="sm">{help[worker.status]}</Text>
        </Alert>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <section className="card" style={{ padding: '1rem' }} aria-label="Capacity">
          <WorkerMeters total={worker.total} allocated={worker.allocated} used={worker.used} />
          {Object.keys(worker.labels).length > 0 && (
            <Text size="sm" mt="sm">
              Labels:{' '}
              {Object.entries(worker.labels)
                .map(([name, value]) => `${name}=${value}`)
                .join(', ')}
            </Text>
          )}
        </section>
        <section className="card" style={{ padding: '1rem' }} aria-label="Running tasks">
          <Title order={2} size="h5" mb="xs">
            Running here
          </Title>
          {worker.running_tasks.map(({ task_id, attempt }) => (
            <div key={task_id}>
              <AnchorLink to="/tasks/$taskId" params={{ taskId: task_id }} className="mono">
                {task_id}
              </AnchorLink>
              {attempt > 1 && ` (attempt ${attempt})`}
            </div>
          ))}
          {worker.running_count > worker.running_tasks.length && (
            <Text size="sm" c="dimmed">
              {worker.running_count - worker.running_tasks.length} of other people
            </Text>
          )}
          {worker.running_count === 0 && (
            <Text size="sm" c="dimmed">
              Nothing at the moment.
            </Text>
          )}
          <AnchorLink
            to="/tasks"
            search={{ worker_id: id }}
            size="sm"
            mt="xs"
            display="block"
            underline="always"
          >
            All tasks that were here
          </AnchorLink>
        </section>
      </SimpleGrid>
      {metrics && times.length > 1 && (
        <SimpleGrid cols={{ base: 1, md: 2 }}>
          <section className="card" style={{ padding: '0.75rem' }}>
            <Text size="sm" fw={600}>
              CPU in use (cores)
            </Text>
            <Chart
              label={`CPU in use on ${id} over the last hour`}
              times={times}
              format={formatCores}
              max={metrics.total.cpu}
              series={[
                { label: 'used', values: metrics.samples.map((s) => s.cpu), color: '--busy', fill: true },
              ]}
            />
          </section>
          <section className="card" style={{ padding: '0.75rem' }}>
            <Text size="sm" fw={600}>
              Memory in use
            </Text>
            <Chart
              label={`Memory in use on ${id} over the last hour`}
              times={times}
              format={formatMiB}
              binary
              max={metrics.total.memory}
              series={[
                { label: 'used', values: metrics.samples.map((s) => s.memory), color: '--busy', fill: true },
              ]}
            />
          </section>
        </SimpleGrid>
      )}
    </Stack>
  )
}
