import { Text } from '@mantine/core'
import type { Task } from '@/api/client'
import { AnchorLink } from '@/components/links'
import { Time } from '@/components/Time'
import { formatCount } from '@/lib/format'
import { failureNames } from '@/lib/words'
import classes from './Overview.module.css'

/** The last failures, counted by class, each class with its newest. */
export function Failures({ tasks }: { tasks: Task[] }) {
  const classesOf = new Map<NonNullable<Task['failure']>, Task[]>()
  for (const task of tasks) {
    if (!task.failure) continue
    classesOf.set(task.failure, [...(classesOf.get(task.failure) ?? []), task])
  }
  if (classesOf.size === 0) {
    return (
      <Text size="sm" c="dimmed">
        Nothing has failed.
      </Text>
    )
  }
  return (
    <ul className={classes.failures}>
      {[...classesOf].map(([failure, group]) => {
        const newest = group[0]
        return (
          <li key={failure}>
            <div>
              <AnchorLink
                to="/tasks"
                search={{ status: ['failed'], failure }}
                fw={600}
                size="sm"
                underline="always"
              >
                {failureNames[failure]}
              </AnchorLink>{' '}
              <Text span size="sm" c="dimmed">
                {formatCount(group.length)} of the last {formatCount(tasks.length)}
              </Text>
            </div>
            {newest && (
              <Text size="sm" lineClamp={2}>
                <AnchorLink to="/tasks/$taskId" params={{ taskId: newest.task_id }} underline="always">
                  {newest.name || newest.task_id}
                </AnchorLink>
                , <Time at={newest.finished_at} />: {newest.message}
              </Text>
            )}
          </li>
        )
      })}
    </ul>
  )
}
