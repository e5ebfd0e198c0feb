import { AppShell, Burger, Group, ScrollArea, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconLayoutDashboard, IconListDetails, IconPlus, IconServer, IconSettings } from '@tabler/icons-react'
import { Outlet, useRouteContext, useRouter } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { useConnection } from '@/api/live'
import { PageLink } from '@/components/links'
import { Logo } from '@/components/Logo'
import { ConnectionSign } from './ConnectionSign'
import { TasksAhead } from './TasksAhead'
import { UserMenu } from './UserMenu'

const pages = [
  { to: '/', label: 'Dashboard', icon: IconLayoutDashboard },
  { to: '/tasks', label: 'Tasks', icon: IconListDetails },
  { to: '/submit', label: 'Submit a task', icon: IconPlus },
  { to: '/workers', label: 'Workers', icon: IconServer },
  { to: '/settings', label: 'Settings', icon: IconSettings },
] as const

/** The frame around every page that needs somebody signed in. */
export function Layout() {
  const [open, { toggle, close }] = useDisclosure()
  // Each alone: the whole context is another one after each step, and would draw the frame again.
  const live = useRouteContext({ from: '/inside', select: (context) => context.live })
  const user = useRouteContext({ from: '/inside', select: (context) => context.user })
  const connection = useConnection(live)
  const router = useRouter()
  useEffect(() => {
    live.start()
    return () => live.stop()
  }, [live])
  useEffect(() => router.subscribe('onResolved', close), [router, close])
  const main = useRef<HTMLElement>(null)
  useEffect(
    () =>
      router.subscribe('onRendered', ({ fromLocation, pathChanged }) => {
        // What had the focus went with the last page: the keyboard goes on in this one.
        const lost = fromLocation && pathChanged && document.activeElement === document.body
        if (lost) main.current?.focus({ preventScroll: true })
      }),
    [router],
  )
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 208, breakpoint: 'sm', collapsed: { mobile: !open } }}
      padding={{ base: 'sm', sm: 'lg' }}
    >
      <a className="skip-link" href="#main">
        To the content
      </a>
      <AppShell.Header px="md">
        <Group h="100%" justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap">
            <Burger
              opened={open}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label="Navigation"
              aria-expanded={open}
            />
            <Logo />
            <Text fw={700}>CloudAI</Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <ConnectionSign connection={connection} />
            <UserMenu user={user} />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Pages">
        <AppShell.Section grow component={ScrollArea}>
          {pages.map(({ to, label, icon: Icon }) => (
            <PageLink
              key={to}
              to={to}
              label={label}
              leftSection={<Icon size={18} aria-hidden="true" />}
              activeOptions={{ exact: to === '/' }}
              onClick={close}
            />
          ))}
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} ref={main}>
        <TasksAhead>
          <Outlet />
        </TasksAhead>
      </AppShell.Main>
    </AppShell>
  )
}
