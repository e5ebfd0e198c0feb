import { screen } from '@testing-library/react'
import { http, HttpResponse } from 'msw'
import { expect, it } from 'vitest'
import { makeTask, makeWorker } from '@/test/factories'
import { show } from '@/test/render'
import { server } from '@/test/server'
import { RunningHere } from './RunningHere'

it('names what runs there, and counts what is of others', async () => {
  const task = makeTask({ name: 'night shift', status: 'running', state: 'running' })
  let asked = ''
  server.use(
    http.get('*/api/workers/w1/tasks', ({ request }) => {
      asked = new URL(request.url).search
      return HttpResponse.json({ items: [task] })
    }),
  )
  const running_tasks = [{ task_id: task.task_id, attempt: 1 }]
  show(<RunningHere worker={makeWorker({ worker_id: 'w1', running_tasks, running_count: 3 })} />)
  expect(await screen.findByRole('link', { name: 'night shift' })).toBeVisible()
  expect(screen.getByText('2 of other people')).toBeVisible()
  // As the API takes it: once, with a comma.
  expect(new URLSearchParams(asked).getAll('status')).toEqual(['assigned,running'])
})
