import { Alert, Group, List, Text } from '@mantine/core'
import { IconCircleCheck } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import type { Cluster, Health as MasterHealth, Worker } from '@/api/client'
import { AnchorLink } from '@/components/links'
import { formatBytes, formatCount } from '@/lib/format'

interface Props {
  cluster: Cluster
  health: MasterHealth | undefined
  workers: Worker[] | undefined
  admin: boolean
}

/** Whether all is well, or what somebody should look after. */
export function Health({ cluster, health, workers, admin }: Props) {
  const troubles = troublesOf({ cluster, health, workers, admin })
  if (troubles.length === 0) return <Well cluster={cluster} health={health} />
  return (
    <Alert
      color="yellow"
      variant="outline"
      title={`${formatCount(troubles.length)} to look after`}
      role="status"
    >
      <List size="sm">
        {troubles.map((trouble, i) => (
          <List.Item key={i}>{trouble}</List.Item>
        ))}
      </List>
    </Alert>
  )
}

/** Nothing before a worker has joined: the page then says how one does. */
function Well({ cluster, health }: Pick<Props, 'cluster' | 'health'>) {
  const all = Object.values(cluster.workers).reduce((sum, n) => sum + n, 0)
  if (!health || all === 0) return null
  const draining = cluster.workers.draining ?? 0
  const disks = health.disks ?? []
  const least = disks.length > 0 ? Math.min(...disks.map((disk) => disk.free)) : undefined
  const words = [
    `${formatCount(all)} ${all === 1 ? 'worker is' : 'workers are'} at work`,
    ...(draining > 0 ? [`${formatCount(draining)} of them draining`] : []),
    ...(least === undefined ? [] : [`${formatBytes(least)} free on the master's disk`]),
  ]
  return (
    <Group gap="xs" wrap="nowrap" role="status">
      <IconCircleCheck size={18} color="var(--ok)" aria-hidden="true" style={{ flex: 'none' }} />
      <Text size="sm">
        <b>All is well:</b> {words.join(', ')}.
      </Text>
    </Group>
  )
}

function troublesOf({ cluster, health, workers, admin }: Props): ReactNode[] {
  const troubles: ReactNode[] = []
  const away = workers?.filter((worker) => worker.status !== 'active' && worker.status !== 'draining') ?? []
  if (away.length > 0) troubles.push(<Away workers={away} />)
  for (const disk of health?.disks ?? []) {
    if (disk.low) {
      troubles.push(
        `The disk of the master's ${disk.holds === 'state' ? 'state and logs' : 'output files'} is nearly full: ${formatBytes(disk.free)} free, of which ${formatBytes(disk.reserve)} stay reserved.`,
      )
    }
  }
  if (health?.status === 'degraded') {
    troubles.push(
      <>
        The master has found a contradiction in its own state; <code>doctor</code> at its prompt tells more.
      </>,
    )
  }
  if (admin) for (const m of (cluster.mismatches ?? []).filter((m) => m.violation)) troubles.push(m.message)
  return troubles
}

const named = 5

function Away({ workers }: { workers: Worker[] }) {
  return (
    <>
      {workers.length === 1 ? 'One worker is' : `${formatCount(workers.length)} workers are`} not at work:{' '}
      {workers.slice(0, named).map((worker, i) => (
        <span key={worker.worker_id}>
          {i > 0 && ', '}
          <AnchorLink to="/workers/$workerId" params={{ workerId: worker.worker_id }} underline="always">
            {worker.worker_id}
          </AnchorLink>{' '}
          ({worker.status})
        </span>
      ))}
      {workers.length > named && ` and ${formatCount(workers.length - named)} more`}
    </>
  )
}
