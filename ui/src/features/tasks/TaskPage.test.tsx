import { QueryClient } from '@tanstack/react-query'
import { act, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { beforeEach, expect, it, vi } from 'vitest'
import type { Task } from '@/api/client'
import { makeTask } from '@/test/factories'
import { FakeSocket } from '@/test/fakeSocket'
import { show } from '@/test/render'
import { server } from '@/test/server'
import { TaskPage } from './TaskPage'

const nothing = () => undefined

function open(task: Task) {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: 10_000 } } })
  queries.setQueryData(['task', task.task_id], task)
  return show(
    <TaskPage
      id={task.task_id}
      tab="spec"
      onTab={nothing}
      attempt={undefined}
      onAttempt={nothing}
      at={undefined}
      onAt={nothing}
      onOpen={nothing}
      files={null}
      ownerOf={undefined}
    />,
    queries,
  )
}

beforeEach(() => {
  vi.stubGlobal('WebSocket', FakeSocket)
  server.use(http.get('*/api/tasks/:id/events', () => HttpResponse.json({ items: [] })))
  return () => vi.unstubAllGlobals()
})

it('asks again for the place in the queue for as long as the task waits', async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true })
  let place = 12
  const task = makeTask()
  const waiting = () => ({ reason: 'no room', workers: [], queue_position: place })
  server.use(http.get('*/api/tasks/:id', () => HttpResponse.json({ ...task, waiting: waiting() })))
  open({ ...task, waiting: waiting() })
  await screen.findByText('Waiting, place 12 in the queue')
  place = 3
  await act(() => vi.advanceTimersByTimeAsync(6000))
  await screen.findByText('Waiting, place 3 in the queue')
})

it('says so when the task is gone for good', async () => {
  const task = makeTask({ state: 'stored', status: 'succeeded' })
  const { queries } = open(task)
  await screen.findByRole('heading', { name: task.name })
  server.use(
    http.get('*/api/tasks/:id', () =>
      HttpResponse.json(
        { type: 'about:blank', title: 'Not Found', status: 404, detail: 'no such task' },
        { status: 404 },
      ),
    ),
  )
  await act(() => queries.invalidateQueries({ queryKey: ['task', task.task_id] }))
  expect(await screen.findByRole('alert')).toHaveTextContent('no such task')
  expect(screen.queryByRole('heading', { name: task.name })).toBeNull()
})

it('does not go back to what the answer to a cancel says when more has come since', async () => {
  const task = makeTask({ status: 'running', state: 'running' })
  const { queries } = open(task)
  const over = { ...task, status: 'cancelled', state: 'stored', version: 3 } as const
  server.use(
    http.delete('*/api/tasks/:id', () => {
      queries.setQueryData(['task', task.task_id], over) // over the live connection
      return HttpResponse.json({ ...task, cancel_requested: true, version: 2 }, { status: 202 })
    }),
  )
  await userEvent.click(await screen.findByRole('button', { name: 'Cancel' }))
  await userEvent.click(await screen.findByRole('button', { name: 'Cancel it' }))
  await screen.findByRole('button', { name: 'Retry' })
  await act(() => new Promise((resolve) => setTimeout(resolve, 50)))
  expect(queries.getQueryData<Task>(['task', task.task_id])?.status).toBe('cancelled')
})
