import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams, useRouteContext, useSearch } from '@tanstack/react-router'
import { taskQuery } from '@/api/queries'
import { TaskFiles } from '@/features/files/TaskFiles'
import { useOwners } from '@/api/owners'
import { TaskPage } from '@/features/tasks/TaskPage'
import { taskSearch, type TaskSearch } from '../search'

export default function TaskRoute() {
  const { taskId } = useParams({ from: '/inside/tasks/$taskId' })
  const { tab = 'log', attempt, at } = useSearch({ from: '/inside/tasks/$taskId' })
  const { user } = useRouteContext({ from: '/inside' })
  const owners = useOwners(user.role === 'admin')
  const navigate = useNavigate()
  const { data: task } = useQuery(taskQuery(taskId))
  const change = (next: { [K in keyof TaskSearch]: TaskSearch[K] | undefined }) =>
    void navigate({
      to: '/tasks/$taskId',
      params: { taskId },
      search: taskSearch({ tab, attempt, at, ...next }),
      replace: true,
      resetScroll: false,
    })
  return (
    <TaskPage
      key={taskId}
      id={taskId}
      tab={tab}
      onTab={(next) => change({ tab: next })}
      attempt={attempt}
      onAttempt={(next) => change({ attempt: next, at: undefined })}
      at={at}
      // A place is one of an attempt, also when the task has come to another one by then.
      onAt={(next) =>
        change({ at: next, attempt: next === undefined ? attempt : (attempt ?? task?.attempt) })
      }
      onOpen={(id) => void navigate({ to: '/tasks/$taskId', params: { taskId: id } })}
      ownerOf={owners?.nameOf}
      files={
        <TaskFiles
          key={String(task?.state === 'stored')}
          id={taskId}
          terminal={task?.state === 'stored'}
          deleted={task?.files_deleted === true}
          own={task?.user_id === user.id}
        />
      }
    />
  )
}
