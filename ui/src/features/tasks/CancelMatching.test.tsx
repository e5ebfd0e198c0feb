import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { expect, it } from 'vitest'
import { show } from '@/test/render'
import { server } from '@/test/server'
import { CancelMatching } from './CancelMatching'

it('counts first, and cancels with one key only when told to', async () => {
  const asked: { body: unknown; key: string | null }[] = []
  server.use(
    http.post('*/api/tasks/cancel', async ({ request }) => {
      const body = (await request.json()) as { dry_run?: boolean }
      asked.push({ body, key: request.headers.get('Idempotency-Key') })
      return HttpResponse.json({ dry_run: body.dry_run === true, matched: 1234, cancelled: 0, requested: 0 })
    }),
  )
  show(<CancelMatching filters={{ q: 'night', sort: 'name' }} />)
  await userEvent.click(await screen.findByRole('button', { name: 'Cancel all that match' }))
  await screen.findByText(/1,234 tasks wait or run and match/)
  expect(asked).toEqual([{ body: { filter: { q: 'night' }, dry_run: true }, key: null }])
  await userEvent.click(screen.getByRole('button', { name: 'Cancel 1,234' }))
  await expect.poll(() => asked.length).toBe(2)
  expect(asked[1]?.body).toEqual({ filter: { q: 'night' } })
  expect(asked[1]?.key).toMatch(/^[0-9a-f-]{36}$/)
})
