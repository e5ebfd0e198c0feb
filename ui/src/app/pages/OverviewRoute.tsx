import { useRouteContext } from '@tanstack/react-router'
import { OverviewPage } from '@/features/overview/OverviewPage'
import { FirstSteps } from '../FirstSteps'

export default function OverviewRoute() {
  const { user } = useRouteContext({ from: '/inside' })
  return <OverviewPage admin={user.role === 'admin'} firstSteps={<FirstSteps />} />
}
