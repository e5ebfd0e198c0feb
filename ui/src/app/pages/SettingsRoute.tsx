import { useNavigate, useRouteContext, useSearch } from '@tanstack/react-router'
import { SettingsPage } from '@/features/auth/SettingsPage'
import { FilesOfTasks } from '@/features/files/FilesOfTasks'

export default function SettingsRoute() {
  const { tab = 'account' } = useSearch({ from: '/inside/settings' })
  const { user } = useRouteContext({ from: '/inside' })
  const navigate = useNavigate()
  return (
    <SettingsPage
      user={user}
      tab={tab}
      files={<FilesOfTasks admin={user.role === 'admin'} />}
      onTab={(next) => void navigate({ to: '/settings', search: { tab: next }, replace: true })}
    />
  )
}
