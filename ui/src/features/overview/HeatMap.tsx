import { Group, SegmentedControl, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { Worker } from '@/api/client'
import { formatCores, formatCount, formatMiB, formatPercent, percent } from '@/lib/format'
import { kinds, type Kind } from './kinds'
import classes from './Overview.module.css'

const amount: Record<Kind, (n: number) => string> = {
  cpu: (n) => `${formatCores(n)} cores`,
  memory: formatMiB,
  storage: formatMiB,
  gpu: (n) => `${formatCount(n)} GPUs`,
}

/** One field per worker, the darker the more of it is in use. */
export function HeatMap({ workers }: { workers: Worker[] }) {
  const [kind, setKind] = useState<Kind>('cpu')
  const gpus = workers.some((worker) => worker.total.gpu > 0)
  return (
    <div>
      <Group justify="space-between" mb={6} gap="xs">
        <Text size="sm">In use, by worker</Text>
        <SegmentedControl
          size="xs"
          aria-label="What is shown by worker"
          data={kinds.filter(({ value }) => value !== 'gpu' || gpus)}
          value={kind}
          onChange={(value) => setKind(value as Kind)}
        />
      </Group>
      <ul className={classes.heat}>
        {workers.map((worker) => (
          <li key={worker.worker_id}>
            <Field worker={worker} kind={kind} />
          </li>
        ))}
      </ul>
    </div>
  )
}

function Field({ worker, kind }: { worker: Worker; kind: Kind }) {
  const used = worker.used?.[kind] ?? 0
  const share = percent(used, worker.total[kind])
  const working = worker.status === 'active' || worker.status === 'draining'
  const text = working
    ? `${formatPercent(share)}, ${amount[kind](used)} of ${amount[kind](worker.total[kind])}`
    : worker.status
  return (
    <Link
      to="/workers/$workerId"
      params={{ workerId: worker.worker_id }}
      className={classes.field}
      data-away={!working || undefined}
      style={{ '--heat': `${Math.round(share)}%` } as React.CSSProperties}
      title={`${worker.worker_id}: ${text}`}
    >
      <span className={classes.fieldName}>{worker.worker_id}</span>
      <span className={classes.fieldShare}>{working ? formatPercent(share) : worker.status}</span>
    </Link>
  )
}
