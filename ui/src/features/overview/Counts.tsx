import { SimpleGrid } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { Cluster } from '@/api/client'
import { Status } from '@/components/Status'
import { formatCount } from '@/lib/format'
import { taskStatuses } from '@/lib/statuses'
import classes from './Overview.module.css'

/** How many of the tasks that somebody may see have which status. */
export function Counts({ cluster }: { cluster: Cluster }) {
  const counts = cluster.own_tasks ?? cluster.tasks
  return (
    <SimpleGrid
      cols={{ base: 3, md: 6 }}
      spacing="xs"
      className={classes.counts ?? ''}
      role="group"
      aria-label={cluster.own_tasks ? 'Your tasks by status' : 'Tasks of everybody by status'}
    >
      {taskStatuses.map((status) => (
        <Link key={status} to="/tasks" search={{ status: [status] }} className={`card ${classes.count}`}>
          <span className={classes.number}>{formatCount(counts[status] ?? 0)}</span>
          <Status status={status} />
        </Link>
      ))}
    </SimpleGrid>
  )
}
