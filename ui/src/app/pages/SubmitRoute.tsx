import { useQuery } from '@tanstack/react-query'
import { useNavigate, useRouteContext, useSearch } from '@tanstack/react-router'
import { taskSpecQuery } from '@/api/queries'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { SubmitPage } from '@/features/tasks/SubmitPage'

export default function SubmitRoute() {
  const { from } = useSearch({ from: '/inside/submit' })
  const { user } = useRouteContext({ from: '/inside' })
  const navigate = useNavigate()
  const { data: original, error } = useQuery({ ...taskSpecQuery(from ?? ''), enabled: from !== undefined })
  if (from !== undefined && !original) return error ? <PageError error={error} /> : <PageLoading />
  return (
    <SubmitPage
      key={from ?? ''}
      owner={user.id}
      template={from}
      from={original}
      onSubmitted={(task) => void navigate({ to: '/tasks/$taskId', params: { taskId: task.task_id } })}
      onTemplate={(id) => void navigate({ to: '/submit', search: { from: id } })}
    />
  )
}
