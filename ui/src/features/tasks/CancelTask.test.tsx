import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { expect, it } from 'vitest'
import { makeTask } from '@/test/factories'
import { show } from '@/test/render'
import { server } from '@/test/server'
import { CancelTask } from './CancelTask'

function cancelled() {
  const ids: unknown[] = []
  server.use(
    http.delete('*/api/tasks/:id', ({ params }) => {
      ids.push(params.id)
      return HttpResponse.json(makeTask({ cancel_requested: true }), { status: 202 })
    }),
  )
  return ids
}

it('asks before it stops a container', async () => {
  const ids = cancelled()
  show(<CancelTask task={makeTask({ task_id: 'busy', status: 'running', state: 'running' })} />)
  await userEvent.click(await screen.findByRole('button', { name: 'Cancel' }))
  expect(await screen.findByText(/Its container is stopped/)).toBeVisible()
  expect(ids).toEqual([])
  await userEvent.click(screen.getByRole('button', { name: 'Cancel it' }))
  await expect.poll(() => ids).toEqual(['busy'])
})

it('cancels at once what only waits', async () => {
  const ids = cancelled()
  show(<CancelTask task={makeTask({ task_id: 'idle' })} />)
  await userEvent.click(await screen.findByRole('button', { name: 'Cancel' }))
  await expect.poll(() => ids).toEqual(['idle'])
})
