import type { Task } from '@/api/client'
import { AnchorLink } from '@/components/links'
import { Status } from '@/components/Status'
import { Time } from '@/components/Time'
import classes from './Overview.module.css'

export function Recent({ tasks }: { tasks: Task[] }) {
  return (
    <ul className={classes.recent}>
      {tasks.map((task) => (
        <li key={task.task_id}>
          <Status status={task.status} />
          <AnchorLink
            to="/tasks/$taskId"
            params={{ taskId: task.task_id }}
            truncate
            size="sm"
            c="var(--mantine-color-text)"
          >
            {task.name || task.docker_image}
          </AnchorLink>
          <span className={classes.when}>
            <Time at={task.created_at} />
          </span>
        </li>
      ))}
    </ul>
  )
}
