import { Alert, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { Task } from '@/api/client'
import { taskMetricsQuery } from '@/api/queries'
import { Chart } from '@/components/Chart'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { formatCores, formatMiB } from '@/lib/format'
import { isTerminal } from './columns'

/** What an attempt used over time, against what it was allowed. */
export function UsageChart({ task, attempt }: { task: Task; attempt: number }) {
  const running = !isTerminal(task) && attempt === task.attempt
  const { data, error } = useQuery({
    ...taskMetricsQuery(task.task_id, attempt),
    refetchInterval: running ? 5000 : false,
  })
  if (error) return <PageError error={error} />
  if (!data) return <PageLoading />
  if (data.samples.length === 0) {
    return (
      <Text c="dimmed">
        {running
          ? 'Nothing has been measured yet; workers measure every few seconds.'
          : 'It ended before anything was measured.'}
      </Text>
    )
  }
  const ending = task.attempts.find((a) => a.attempt === attempt)
  const oom = ending?.failure === 'oom'
  const end = oom && ending.finished_at ? new Date(ending.finished_at).getTime() / 1000 : undefined
  // The last point carries what was measured last up to the end, which lies behind it.
  const samples = [...data.samples]
  const last = samples.at(-1)
  if (end !== undefined && last && new Date(last.time).getTime() / 1000 < end)
    samples.push({ ...last, time: new Date(end * 1000).toISOString() })
  const times = samples.map((sample) => new Date(sample.time).getTime() / 1000)
  const limit = (value: number) => times.map(() => value)
  const mark = end === undefined ? undefined : { at: end, label: 'out of memory' }
  return (
    <Stack>
      {oom && (
        <Alert color="red" variant="outline" p="xs">
          The attempt ended because it reached its memory limit; the mark shows when.
        </Alert>
      )}
      <div className="card" style={{ padding: '0.75rem' }}>
        <Text size="sm" fw={600}>
          CPU (cores)
        </Text>
        <Chart
          label={`CPU of attempt ${attempt} over time, limit ${formatCores(data.cpu_limit)} cores`}
          times={times}
          format={formatCores}
          max={data.cpu_limit}
          series={[
            { label: 'used', values: samples.map((s) => s.cpu), color: '--busy', fill: true },
            { label: 'limit', values: limit(data.cpu_limit), color: '--bad', dashed: true },
          ]}
        />
      </div>
      <div className="card" style={{ padding: '0.75rem' }}>
        <Text size="sm" fw={600}>
          Memory
        </Text>
        <Chart
          label={`Memory of attempt ${attempt} over time, limit ${formatMiB(data.memory_limit)}`}
          times={times}
          format={formatMiB}
          binary
          max={data.memory_limit}
          mark={mark}
          series={[
            { label: 'used', values: samples.map((s) => s.memory), color: '--busy', fill: true },
            { label: 'limit', values: limit(data.memory_limit), color: '--bad', dashed: true },
          ]}
        />
      </div>
    </Stack>
  )
}
