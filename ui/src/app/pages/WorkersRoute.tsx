import { useRouteContext } from '@tanstack/react-router'
import { WorkersPage } from '@/features/workers/WorkersPage'

export default function WorkersRoute() {
  const { user } = useRouteContext({ from: '/inside' })
  return <WorkersPage admin={user.role === 'admin'} />
}
