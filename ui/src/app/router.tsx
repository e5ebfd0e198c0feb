import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router'
import type { Live } from '@/api/live'
import { ownersQuery } from '@/api/owners'
import { clusterQuery, meQuery, registrationQuery, tasksQuery } from '@/api/queries'
import { PageLoading } from '@/components/PageLoading'
import { Failed } from './Failed'
import { Layout } from './Layout'
import { NotFound } from './NotFound'
import { settingsSearch, signInSearch, submitSearch, taskSearch, tasksSearch } from './search'

export interface RouterContext {
  queries: QueryClient
  live: Live
}

const root = createRootRouteWithContext<RouterContext>()({ component: Outlet })

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: signInSearch,
  beforeLoad: async ({ context, search }) => {
    if (await context.queries.ensureQueryData(meQuery)) throw redirect({ href: search.next ?? '/' })
    if (search.expired) return
    const registration = await context.queries.fetchQuery(registrationQuery)
    if (registration.first) throw redirect({ to: '/register', search })
  },
  component: lazyRouteComponent(() => import('./pages/SignInRoute')),
})

const register = createRoute({
  getParentRoute: () => root,
  path: '/register',
  validateSearch: signInSearch,
  beforeLoad: async ({ context, search }) => {
    if (await context.queries.ensureQueryData(meQuery)) throw redirect({ href: search.next ?? '/' })
  },
  component: lazyRouteComponent(() => import('./pages/RegisterRoute')),
})

/** All pages that need somebody signed in. */
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  beforeLoad: async ({ context, location }) => {
    const user = await context.queries.ensureQueryData(meQuery)
    if (!user)
      throw redirect({ to: '/sign-in', search: location.href === '/' ? {} : { next: location.href } })
    return { user }
  },
  component: Layout,
})

const overview = createRoute({
  getParentRoute: () => inside,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/OverviewRoute')),
})

const tasks = createRoute({
  getParentRoute: () => inside,
  path: '/tasks',
  validateSearch: tasksSearch,
  // The rows, and what stands beside them, are on their way while the page is put together.
  beforeLoad: ({ context: { queries, user }, search, cause }) => {
    const list = tasksQuery(search)
    // One that is looked at is read again when the person asks for that.
    const open = queries.getQueryCache().find({ queryKey: list.queryKey })?.isActive()
    if (!open) void queries.prefetchInfiniteQuery(list)
    if (cause === 'stay') return
    void queries.prefetchQuery(clusterQuery)
    if (user.role === 'admin') void queries.prefetchQuery(ownersQuery)
  },
  component: lazyRouteComponent(() => import('./pages/TasksRoute')),
})

const task = createRoute({
  getParentRoute: () => inside,
  path: '/tasks/$taskId',
  validateSearch: taskSearch,
  component: lazyRouteComponent(() => import('./pages/TaskRoute')),
})

const submit = createRoute({
  getParentRoute: () => inside,
  path: '/submit',
  validateSearch: submitSearch,
  component: lazyRouteComponent(() => import('./pages/SubmitRoute')),
})

const workers = createRoute({
  getParentRoute: () => inside,
  path: '/workers',
  component: lazyRouteComponent(() => import('./pages/WorkersRoute')),
})

const worker = createRoute({
  getParentRoute: () => inside,
  path: '/workers/$workerId',
  component: lazyRouteComponent(() => import('./pages/WorkerRoute')),
})

const settings = createRoute({
  getParentRoute: () => inside,
  path: '/settings',
  validateSearch: settingsSearch,
  component: lazyRouteComponent(() => import('./pages/SettingsRoute')),
})

const elsewhere = createRoute({
  getParentRoute: () => inside,
  path: '$',
  component: NotFound,
})

const tree = root.addChildren([
  signIn,
  register,
  inside.addChildren([overview, tasks, task, submit, workers, worker, settings, elsewhere]),
])

export type AppRouter = ReturnType<typeof createAppRouter>

export function createAppRouter(context: RouterContext) {
  return createRouter({
    routeTree: tree,
    context,
    defaultPreload: 'intent',
    defaultPendingMs: 300,
    defaultPendingComponent: PageLoading,
    defaultErrorComponent: Failed,
    scrollRestoration: true,
  })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: AppRouter
  }
}
