import { SegmentedControl, Text } from '@mantine/core'
import { useState } from 'react'
import type { ClusterSample, Resources } from '@/api/client'
import { Chart } from '@/components/Chart'
import { secondsOf } from '@/lib/duration'
import { formatCores, formatCount, formatDuration, formatMiB } from '@/lib/format'
import { kinds, type Kind } from './kinds'
import { measuredUse } from './use'

const times = (samples: ClusterSample[]) => samples.map((s) => new Date(s.time).getTime() / 1000)

/** Two points make a line. */
const tooFew = (samples: ClusterSample[]) => samples.length < 2

function Soon() {
  return (
    <Text size="sm" c="dimmed">
      The master has just started; a line begins here within half a minute.
    </Text>
  )
}

/** Capacity against what is promised and used, of each kind, over the last hour. */
export function CapacityHistory({ samples, total }: { samples: ClusterSample[]; total: Resources }) {
  const [kind, setKind] = useState<Kind>('cpu')
  if (tooFew(samples)) return <Soon />
  const shown = kinds.filter(({ value }) => value !== 'gpu' || total.gpu > 0)
  const bytes = kind === 'memory' || kind === 'storage'
  const label = kinds.find(({ value }) => value === kind)?.label ?? kind
  return (
    <div>
      <SegmentedControl
        size="xs"
        mb="xs"
        aria-label="What is shown over time"
        data={shown}
        value={kind}
        onChange={(value) => setKind(value as Kind)}
      />
      <Chart
        label={`${label}: capacity, promised and in use over the last hour`}
        times={times(samples)}
        format={bytes ? formatMiB : formatCores}
        binary={bytes}
        height={170}
        max={1}
        series={[
          { label: 'in use', values: measuredUse(samples, kind), color: '--busy', fill: true },
          { label: 'promised', values: samples.map((s) => s.allocated?.[kind] ?? null), color: '--wait' },
          {
            label: 'capacity',
            values: samples.map((s) => s.total?.[kind] ?? null),
            color: '--ok',
            dashed: true,
          },
        ]}
      />
    </div>
  )
}

/** How many tasks waited, and how long the longest did. */
export function QueueHistory({ samples }: { samples: ClusterSample[] }) {
  if (tooFew(samples)) return <Soon />
  const at = times(samples)
  const waited = samples.map((s) => (s.queue ? (secondsOf(s.queue.longest) ?? null) : null))
  return (
    <div>
      <Text size="sm">Tasks waiting</Text>
      <Chart
        label="Tasks waiting over the last hour"
        times={at}
        format={formatCount}
        height={120}
        max={1}
        whole
        series={[
          {
            label: 'waiting',
            values: samples.map((s) => s.queue?.length ?? null),
            color: '--wait',
            fill: true,
          },
        ]}
      />
      <Text size="sm" mt="xs">
        Longest wait
      </Text>
      <Chart
        label="The longest wait over the last hour"
        times={at}
        format={(seconds) => formatDuration(seconds * 1000)}
        height={120}
        max={1}
        seconds
        series={[{ label: 'waited', values: waited, color: '--wait' }]}
      />
    </div>
  )
}
