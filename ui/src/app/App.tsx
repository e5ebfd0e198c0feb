import { MantineProvider } from '@mantine/core'
import { Notifications } from '@mantine/notifications'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { useState } from 'react'
import { ApiError } from '@/api/client'
import { Live } from '@/api/live'
import { pageNonce } from './nonce'
import { createAppRouter } from './router'
import { useSession } from './session'
import { theme, variables } from './theme'

/** What cannot be mended by asking again is not asked again. */
function retry(failures: number, error: unknown) {
  const final = error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429
  return !final && failures < 2
}

export function createQueries() {
  return new QueryClient({
    defaultOptions: {
      // Whether the master can be reached is found out by asking it, not the browser.
      queries: { retry, staleTime: 10_000, networkMode: 'always' },
      mutations: { networkMode: 'always' },
    },
  })
}

export function App() {
  const [{ queries, live, router }] = useState(() => {
    const queries = createQueries()
    const live = new Live(queries)
    return { queries, live, router: createAppRouter({ queries, live }) }
  })
  useSession({ queries, live, router })
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      defaultColorScheme="auto"
      getStyleNonce={pageNonce}
    >
      <QueryClientProvider client={queries}>
        <Notifications position="top-right" />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  )
}
