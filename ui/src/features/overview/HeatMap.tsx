import { Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { Worker } from '@/api/client'
import { formatCores, percent } from '@/lib/format'
import classes from './Overview.module.css'

/** One field per worker, the darker the more of its CPU is in use. */
export function HeatMap({ workers }: { workers: Worker[] }) {
  return (
    <div>
      <Text size="sm" mb={4}>
        CPU in use, by worker
      </Text>
      <ul className={classes.heat}>
        {workers.map((worker) => {
          const share = worker.used ? percent(worker.used.cpu, worker.total.cpu) : 0
          const working = worker.status === 'active' || worker.status === 'draining'
          const text = working
            ? `${Math.round(share)} %, ${formatCores(worker.used?.cpu ?? 0)} of ${formatCores(worker.total.cpu)} cores`
            : worker.status
          return (
            <li key={worker.worker_id}>
              <Link
                to="/workers/$workerId"
                params={{ workerId: worker.worker_id }}
                className={classes.field}
                data-away={!working || undefined}
                style={{ '--heat': `${Math.round(share)}%` } as React.CSSProperties}
                title={`${worker.worker_id}: ${text}`}
              >
                <span className={classes.fieldName}>{worker.worker_id}</span>
                <span>{working ? `${Math.round(share)} %` : worker.status}</span>
              </Link>
            </li>
          )
        })}
      </ul>
    </div>
  )
}
