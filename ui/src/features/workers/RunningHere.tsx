import { Text, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { Worker } from '@/api/client'
import { mostHere, workerTasksQuery } from '@/api/queries'
import { AnchorLink } from '@/components/links'
import { PageError } from '@/components/PageError'
import { Status } from '@/components/Status'
import { Time } from '@/components/Time'
import { formatCount } from '@/lib/format'
import classes from './Workers.module.css'

/** The tasks that a worker has at present; of those of other people only how many. */
export function RunningHere({ worker }: { worker: Worker }) {
  const { data: tasks, error } = useQuery(workerTasksQuery(worker))
  const others = Math.max(0, worker.running_count - worker.running_tasks.length)
  return (
    <section className="card" style={{ padding: '1rem' }} aria-label="Running tasks">
      <Title order={2} size="h5" mb="xs">
        Running here
      </Title>
      {error && !tasks && <PageError error={error} />}
      <ul className={classes.tasks}>
        {tasks?.map((task) => (
          <li key={task.task_id}>
            <Status status={task.status} />
            <AnchorLink to="/tasks/$taskId" params={{ taskId: task.task_id }} size="sm" truncate>
              {task.name || task.docker_image}
            </AnchorLink>
            <span className={classes.when}>
              <Time at={task.started_at ?? task.created_at} />
            </span>
          </li>
        ))}
      </ul>
      {tasks?.length === mostHere && (
        <Text size="sm" c="dimmed">
          The newest {formatCount(mostHere)}.
        </Text>
      )}
      {others > 0 && (
        <Text size="sm" c="dimmed">
          {formatCount(others)} of other people
        </Text>
      )}
      {worker.running_count === 0 && tasks?.length === 0 && (
        <Text size="sm" c="dimmed">
          Nothing at the moment.
        </Text>
      )}
      <AnchorLink
        to="/tasks"
        search={{ worker_id: worker.worker_id }}
        size="sm"
        mt="xs"
        display="block"
        underline="always"
      >
        All tasks that were here
      </AnchorLink>
    </section>
  )
}
