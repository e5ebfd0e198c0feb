import { notifications } from '@mantine/notifications'
import type { QueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { onSignedOut, type User } from '@/api/client'
import type { Live } from '@/api/live'
import { meQuery } from '@/api/queries'
import type { AppRouter } from './router'

/** By it the tabs of one browser, which share one sign-in, hear that another has changed it. */
const channel = 'cloudai-sign-in'

/** Tells the other tabs that somebody has signed in or out here. */
export function tellOtherTabs() {
  const tabs = new BroadcastChannel(channel)
  tabs.postMessage('changed')
  tabs.close()
}

interface Page {
  queries: QueryClient
  live: Live
  router: AppRouter
}

const sameRights = (a: User, b: User) => a.id === b.id && a.role === b.role

/**
 * Finds out who is signed in when there is a sign that it has changed. A refused
 * call or a closed connection is no more than that: after a new password and in
 * another role somebody is signed in all the same.
 */
async function lookAgain({ queries, live, router }: Page) {
  const before = queries.getQueryData(meQuery.queryKey)
  if (before === null) return
  const now = await queries.fetchQuery({ ...meQuery, staleTime: 0 }).catch(() => undefined)
  if (now === undefined) return // nobody answers; the next sign is not far
  if (now !== null && before && sameRights(before, now)) return
  live.stop()
  if (now === null) {
    queries.clear()
    queries.setQueryData(meQuery.queryKey, null)
    const next = router.state.location.href
    await router.navigate({ to: '/sign-in', search: { next, expired: true }, replace: true })
    return
  }
  void queries.resetQueries({ predicate: (query) => query.queryKey[0] !== meQuery.queryKey[0] })
  live.start()
  await router.invalidate()
  notifications.show({
    title: before?.id === now.id ? 'What you may do has changed' : `Signed in as ${now.name}`,
    message:
      before?.id === now.id
        ? `You are ${now.role === 'admin' ? 'an administrator' : 'a user'} now.`
        : 'In another tab of this browser.',
  })
}

/** Keeps the page to who is signed in. */
export function useSession({ queries, live, router }: Page) {
  useEffect(() => {
    let looking = false
    const look = () => {
      if (looking) return
      looking = true
      void lookAgain({ queries, live, router }).finally(() => (looking = false))
    }
    const forget = onSignedOut(look)
    const tabs = new BroadcastChannel(channel)
    tabs.onmessage = look
    return () => {
      forget()
      tabs.close()
    }
  }, [queries, live, router])
}
