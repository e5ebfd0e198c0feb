import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { expect, it } from 'vitest'
import { makeUser } from '@/test/factories'
import { show } from '@/test/render'
import { server } from '@/test/server'
import { Users } from './Users'

const me = makeUser({ role: 'admin' })
const bob = makeUser({ id: 'bob', name: 'Bob', email: 'bob@example.org' })

/** What is done to accounts, as the master hears it. */
function accounts() {
  const deeds: unknown[] = []
  server.use(
    http.get('*/api/users', () => HttpResponse.json({ items: [me, bob] })),
    http.patch('*/api/users/:id', async ({ params, request }) => {
      deeds.push([params.id, await request.json()])
      return HttpResponse.json(bob)
    }),
    http.delete('*/api/users/:id', ({ params }) => {
      deeds.push([params.id, 'removed'])
      return new HttpResponse(null, { status: 204 })
    }),
  )
  show(<Users me={me} />)
  return deeds
}

async function choose(item: string) {
  await userEvent.click(await screen.findByRole('button', { name: 'What to do with Bob' }))
  await userEvent.click(await screen.findByRole('menuitem', { name: item }))
}

it('gives somebody who has forgotten it a new password', async () => {
  const deeds = accounts()
  await choose('Set a new password')
  await userEvent.type(await screen.findByLabelText(/New password/), 'staple battery')
  await userEvent.click(screen.getByRole('button', { name: 'Set it' }))
  await expect.poll(() => deeds).toEqual([['bob', { password: 'staple battery' }]])
})

it('disables and removes accounts only when told twice, and never the own one', async () => {
  const deeds = accounts()
  await choose('Disable')
  expect(await screen.findByText(/their API tokens end/)).toBeVisible()
  expect(deeds).toEqual([])
  await userEvent.click(screen.getByRole('button', { name: 'Disable' }))
  await expect.poll(() => deeds).toEqual([['bob', { disabled: true }]])
  await choose('Remove')
  await userEvent.click(await screen.findByRole('button', { name: 'Remove it' }))
  await expect.poll(() => deeds.at(-1)).toEqual(['bob', 'removed'])
  expect(screen.queryByRole('button', { name: 'What to do with Ann' })).toBeNull()
})
