import { act, screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { beforeEach, expect, it, vi } from 'vitest'
import type { User } from '@/api/client'
import { beforeEachApp, openApp } from '@/test/app'
import { makeUser } from '@/test/factories'
import { FakeSocket } from '@/test/fakeSocket'
import { server } from '@/test/server'
import { tellOtherTabs } from './session'

const patience = { timeout: 20_000 }
vi.setConfig({ testTimeout: 60_000 })
const problem = (status: number, detail: string) =>
  HttpResponse.json({ type: 'about:blank', title: 'Refused', status, detail }, { status })

/** Who the master takes the browser for. */
let who: User | undefined
let asked: number

beforeEachApp()
beforeEach(() => {
  who = makeUser()
  asked = 0
  server.use(
    http.get('*/api/auth/me', () => {
      asked++
      return who ? HttpResponse.json(who) : problem(401, 'nobody')
    }),
    http.get('*/api/auth/registration', () =>
      HttpResponse.json({ open: true, first: false, setup_code: false }),
    ),
    http.post('*/api/auth/login', () => {
      who = makeUser()
      return HttpResponse.json({ user: who, token: 'x', expires_at: '2030-01-01T00:00:00Z' })
    }),
  )
})

const form = () => screen.findByRole('heading', { name: 'Submit a task' }, patience)

it('goes on after a new password, which ends the connections but not the sign-in', async () => {
  openApp('/submit')
  await form()
  const before = FakeSocket.all.length
  act(() => FakeSocket.newest.open())
  act(() => FakeSocket.newest.end(1008))
  await waitFor(() => expect(asked).toBe(2), patience)
  await waitFor(() => expect(FakeSocket.all.length).toBe(before + 1), patience) // it connects anew
  expect(screen.getByRole('heading', { name: 'Submit a task' })).toBeVisible()
})

it('shows what somebody may do in another role', async () => {
  openApp('/settings?tab=users')
  await screen.findByRole('heading', { name: 'Change the password' }, patience)
  expect(screen.queryByRole('tab', { name: 'Audit' })).toBeNull()
  who = makeUser({ role: 'admin' })
  server.use(http.get('*/api/users', () => HttpResponse.json({ items: [who] })))
  act(() => FakeSocket.newest.end(1008))
  expect(await screen.findByRole('tab', { name: 'Audit' }, patience)).toBeVisible()
})

it('keeps what was typed when the sign-in ends in the middle of it', async () => {
  openApp('/submit')
  await form()
  // Otherwise they are given up and opened anew where typing takes long.
  act(() => FakeSocket.all.forEach((socket) => socket.open()))
  await userEvent.type(screen.getByPlaceholderText('busybox'), 'alpine')
  await userEvent.type(screen.getByRole('textbox', { name: 'Arguments' }), 'echo hi')
  who = undefined
  act(() => FakeSocket.newest.end(1008))
  await screen.findByText(/sign-in is over/, {}, patience)
  await userEvent.type(screen.getByLabelText(/Email/), 'ann@example.org')
  await userEvent.type(screen.getByLabelText(/^Password/), 'correct horse')
  await userEvent.click(screen.getByRole('button', { name: 'Sign in' }))
  await form()
  expect(screen.getByPlaceholderText('busybox')).toHaveValue('alpine')
  expect(screen.getByRole('textbox', { name: 'Arguments' })).toHaveValue('echo hi')
  expect(window.location.pathname).toBe('/submit')
})

it('goes with who signs in in another tab', async () => {
  openApp('/settings')
  await screen.findByText(/ann@example.org/, {}, patience)
  who = makeUser({ id: 'bob', name: 'Bob', email: 'bob@example.org' })
  act(tellOtherTabs)
  await screen.findByText(/bob@example.org/, {}, patience)
  expect(screen.queryByText(/ann@example.org/)).toBeNull()
})

it('tries again all that a page needs', async () => {
  vi.spyOn(console, 'error').mockReturnValue() // what React says of any error
  server.use(http.get('*/api/auth/me', () => problem(403, 'not from here'), { once: true }))
  openApp('/submit')
  await screen.findByText('not from here', {}, patience)
  await userEvent.click(screen.getByRole('button', { name: 'Try again' }))
  await form()
})
