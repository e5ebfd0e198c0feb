import { http, HttpResponse } from 'msw'
import { expect, it } from 'vitest'
import { onSignedOut } from '@/api/client'
import { makeTask } from '@/test/factories'
import { server } from '@/test/server'
import { cancelFilter, cancelTask, forEachTask } from './actions'

it('acts for each task a few at a time, and goes on past those that are refused', async () => {
  let under = 0
  let most = 0
  server.use(
    http.delete('*/api/tasks/:id', async ({ params }) => {
      most = Math.max(most, ++under)
      await new Promise((resolve) => setTimeout(resolve, 2))
      under--
      if (params.id === 't3') {
        return HttpResponse.json(
          { type: 'about:blank', title: 'Conflict', status: 409, detail: 'it is over already' },
          { status: 409 },
        )
      }
      return HttpResponse.json(makeTask({ task_id: String(params.id) }), { status: 202 })
    }),
  )
  const ids = Array.from({ length: 20 }, (_, i) => `t${i}`)
  const { done, failed } = await forEachTask(ids, cancelTask)
  expect(done.map((task) => task.task_id).sort()).toEqual(ids.filter((id) => id !== 't3').sort())
  expect(failed).toEqual([{ id: 't3', why: 'it is over already' }])
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThanOrEqual(6)
})

it('stops when the sign-in is over, and says so', async () => {
  let calls = 0
  let told = 0
  server.use(
    http.delete('*/api/tasks/:id', () => {
      calls++
      return HttpResponse.json({ type: 'about:blank', title: 'Unauthorized', status: 401 }, { status: 401 })
    }),
  )
  const forget = onSignedOut(() => told++)
  await forEachTask(
    Array.from({ length: 50 }, (_, i) => `t${i}`),
    cancelTask,
  )
  forget()
  expect(calls).toBeLessThan(20)
  expect(told).toBe(calls)
})

it('cancels by what the list shows, and only where that can be said', () => {
  expect(cancelFilter({ status: ['running'], label: 'a=b=c', sort: 'name' })).toEqual({
    status: ['running'],
    labels: { a: 'b=c' },
  })
  expect(cancelFilter({ sort: 'name' })).toBeUndefined()
  expect(cancelFilter({ failure: 'oom', q: 'x' })).toBeUndefined()
})
