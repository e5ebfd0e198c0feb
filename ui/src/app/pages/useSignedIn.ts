import { notifications } from '@mantine/notifications'
import { useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import type { User } from '@/api/client'
import { meQuery } from '@/api/queries'
import { tellOtherTabs } from '../session'

/** Goes on to where somebody wanted to be before signing in. */
export function useSignedIn(next: string | undefined) {
  const queries = useQueryClient()
  const router = useRouter()
  return (user: User, registered = false) => {
    queries.clear() // of whoever was here before
    queries.setQueryData(meQuery.queryKey, user)
    tellOtherTabs()
    if (registered && user.role === 'admin') {
      notifications.show({
        title: 'You are the administrator',
        message: 'Yours is the first account: you see all tasks, and manage workers and users.',
        autoClose: 15_000,
      })
    }
    // The way back does not lead to the form that has just been filled in.
    router.history.replace(next ?? '/')
  }
}
