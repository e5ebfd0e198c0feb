import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { Suspense } from 'react'
import { expect, it, vi } from 'vitest'
import { makeUser } from '@/test/factories'
import { show } from '@/test/render'
import { server } from '@/test/server'
import { Register } from './Register'
import { SignIn } from './SignIn'

const session = { user: makeUser({ role: 'admin' }), token: 'x', expires_at: '2030-01-01T00:00:00Z' }

function registration(state: { open: boolean; first: boolean; setup_code: boolean }) {
  server.use(http.get('*/api/auth/registration', () => HttpResponse.json(state)))
}

const register = (onSignedIn = vi.fn()) =>
  show(
    <Suspense>
      <Register onSignedIn={onSignedIn} />
    </Suspense>,
  )

it('asks for the setup code only where it is needed, and sends it', async () => {
  registration({ open: true, first: true, setup_code: true })
  const sent = vi.fn()
  server.use(
    http.post('*/api/auth/register', async ({ request }) => {
      sent(await request.json())
      return HttpResponse.json(session, { status: 201 })
    }),
  )
  const signedIn = vi.fn()
  register(signedIn)
  await userEvent.type(await screen.findByLabelText(/Name/), 'Ann')
  await userEvent.type(screen.getByLabelText(/Email/), 'ann@example.org')
  await userEvent.type(screen.getByLabelText(/^Password/), 'correct horse')
  await userEvent.type(screen.getByLabelText(/Setup code/), ' abcd-efgh-ijkl ')
  await userEvent.click(screen.getByRole('button', { name: 'Create the account' }))
  await waitFor(() => expect(signedIn).toHaveBeenCalledWith(session.user))
  expect(sent).toHaveBeenCalledWith({
    name: 'Ann',
    email: 'ann@example.org',
    password: 'correct horse',
    setup_code: 'abcd-efgh-ijkl',
  })
})

it('asks for no setup code on the master itself', async () => {
  registration({ open: true, first: true, setup_code: false })
  register()
  expect(await screen.findByText(/becomes the administrator/)).toBeVisible()
  expect(screen.queryByLabelText(/Setup code/)).toBeNull()
})

it('says so when registration is closed', async () => {
  registration({ open: false, first: false, setup_code: false })
  register()
  expect(await screen.findByText(/Registration is closed/)).toBeVisible()
  expect(screen.queryByRole('button')).toBeNull()
})

it('shows what the master says against a sign-in, and no token reaches storage', async () => {
  let refuse = true
  server.use(
    http.post('*/api/auth/login', () =>
      refuse
        ? HttpResponse.json(
            { type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'wrong password' },
            { status: 401 },
          )
        : HttpResponse.json(session),
    ),
  )
  const signedIn = vi.fn()
  show(<SignIn expired onSignedIn={signedIn} />)
  expect(await screen.findByText(/sign-in is over/)).toBeVisible()
  await userEvent.type(screen.getByLabelText(/Email/), 'ann@example.org')
  await userEvent.type(screen.getByLabelText(/^Password/), 'nonsense')
  await userEvent.click(screen.getByRole('button', { name: 'Sign in' }))
  expect(await screen.findByText('wrong password')).toBeVisible()
  refuse = false
  await userEvent.click(screen.getByRole('button', { name: 'Sign in' }))
  await waitFor(() => expect(signedIn).toHaveBeenCalledWith(session.user))
  expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain(session.token + '"')
})
