import { IconPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { useNavigate, useRouteContext, useSearch } from '@tanstack/react-router'
import { clusterQuery } from '@/api/queries'
import { ButtonLink } from '@/components/links'
import { PageTitle } from '@/components/PageTitle'
import { TaskList } from '@/features/tasks/TaskList'
import { whenIdle } from '@/lib/idle'
import { FirstSteps } from '../FirstSteps'
import { TasksPlace } from '../TasksAhead'

const unfiltered = {}

export default function TasksRoute() {
  return <TasksPlace page={TasksPage} />
}

/** The page, which may be drawn before it is shown. */
export function TasksPage() {
  const filters = useSearch({ from: '/inside/tasks', shouldThrow: false }) ?? unfiltered
  const admin = useRouteContext({ from: '/inside', select: ({ user }) => user.role === 'admin' })
  const navigate = useNavigate()
  // The page that comes next, most likely; it is here when a row is clicked.
  useEffect(() => whenIdle(() => void import('./TaskRoute')), [])
  const { data: cluster } = useQuery(clusterQuery)
  return (
    <>
      <PageTitle title="Tasks">
        <ButtonLink to="/submit" leftSection={<IconPlus size={16} />}>
          Submit a task
        </ButtonLink>
      </PageTitle>
      <TaskList
        filters={filters}
        onFilters={(search) => void navigate({ to: '/tasks', search, replace: true, resetScroll: false })}
        onOpen={(taskId) => void navigate({ to: '/tasks/$taskId', params: { taskId } })}
        admin={admin}
        counts={cluster && (cluster.own_tasks ?? cluster.tasks)}
        firstSteps={<FirstSteps />}
      />
    </>
  )
}
