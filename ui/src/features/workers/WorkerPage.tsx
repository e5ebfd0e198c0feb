import { Alert, Group, SimpleGrid, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { isGone, type WorkerMetrics } from '@/api/client'
import { workerMetricsQuery, workerQuery, workersQuery } from '@/api/queries'
import { ButtonLink } from '@/components/links'
import { Chart } from '@/components/Chart'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { PageTitle } from '@/components/PageTitle'
import { Status } from '@/components/Status'
import { Time } from '@/components/Time'
import { WorkerMeters } from '@/components/WorkerMeters'
import { formatCores, formatCount, formatMiB } from '@/lib/format'
import { RunningHere } from './RunningHere'
import { WorkerActions } from './WorkerActions'

const help: Record<string, string> = {
  unreachable:
    'The master cannot call it: open its port, or set ADVERTISE_ADDR on it. If it was stopped, start it again.',
  unhealthy: 'Its Docker engine does not answer: look at that on its machine.',
  lost: 'It has not been heard of for too long. Its tasks run elsewhere; start it again, or remove it.',
  draining: 'It finishes what it has and gets nothing new.',
}

const kinds = [
  { kind: 'cpu', label: 'CPU in use (cores)', format: formatCores, more: {} },
  { kind: 'memory', label: 'Memory in use', format: formatMiB, more: { binary: true } },
  { kind: 'storage', label: 'Storage in use', format: formatMiB, more: { binary: true } },
  { kind: 'gpu', label: 'GPUs in use', format: formatCount, more: { whole: true } },
] as const

export function WorkerPage({ id, admin, onRemoved }: { id: string; admin: boolean; onRemoved: () => void }) {
  const single = useQuery(workerQuery(id))
  // The list is what live changes are merged into, so it knows best.
  const { data: list } = useQuery(workersQuery)
  const { data: metrics } = useQuery(workerMetricsQuery(id))
  const listed = list?.find((w) => w.worker_id === id)
  const worker = listed ?? (isGone(single.error) ? undefined : single.data)
  if (!worker) {
    return single.error ? (
      <PageError error={single.error} retry={() => void single.refetch()}>
        <ButtonLink to="/workers" variant="default" size="xs">
          To all workers
        </ButtonLink>
      </PageError>
    ) : (
      <PageLoading />
    )
  }
  return (
    <>
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
      <Stack>
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
          <RunningHere worker={worker} />
        </SimpleGrid>
        <History id={id} metrics={metrics} />
      </Stack>
    </>
  )
}

/** What it used over the last hour, of each kind that it has. */
function History({ id, metrics }: { id: string; metrics: WorkerMetrics | undefined }) {
  const samples = metrics?.samples ?? []
  if (!metrics || samples.length < 2) return null
  const times = samples.map((s) => new Date(s.time).getTime() / 1000)
  const shown = kinds.filter(({ kind }) => kind !== 'gpu' || metrics.total.gpu > 0)
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }}>
      {shown.map(({ kind, label, format, more }) => (
        <section key={kind} className="card" style={{ padding: '0.75rem' }} aria-label={label}>
          <Text size="sm" fw={600}>
            {label}
          </Text>
          <Chart
            label={`${label} on ${id} over the last hour`}
            times={times}
            format={format}
            max={metrics.total[kind]}
            {...more}
            series={[
              { label: 'in use', values: samples.map((s) => s[kind]), color: '--busy', fill: true },
              {
                label: 'capacity',
                values: times.map(() => metrics.total[kind]),
                color: '--ok',
                dashed: true,
              },
            ]}
          />
        </section>
      ))}
    </SimpleGrid>
  )
}
