import { useNavigate, useParams, useRouteContext } from '@tanstack/react-router'
import { WorkerPage } from '@/features/workers/WorkerPage'

export default function WorkerRoute() {
  const { workerId } = useParams({ from: '/inside/workers/$workerId' })
  const { user } = useRouteContext({ from: '/inside' })
  const navigate = useNavigate()
  return (
    <WorkerPage
      key={workerId}
      id={workerId}
      admin={user.role === 'admin'}
      onRemoved={() => void navigate({ to: '/workers' })}
    />
  )
}
