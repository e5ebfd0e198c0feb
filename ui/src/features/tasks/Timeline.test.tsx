import { screen, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import type { Attempt, TaskEvent } from '@/api/client'
import { makeTask } from '@/test/factories'
import '@/test/patience'
import { show } from '@/test/render'
import { Timeline } from './Timeline'

const time = '2026-01-01T00:00:00Z'
const states = (attempt: number, ...names: string[]): TaskEvent[] =>
  names.map((state, i) => ({ seq: 10 * attempt + i, time, attempt, state, cause: 'test' }))
const placed = (attempt: number, more: Partial<Attempt> = {}): Attempt => ({
  attempt,
  worker_id: 'w1',
  state: 'stored',
  assigned_at: time,
  ...more,
})

/** What stands beside each pull, the newest attempt first. */
async function pulls() {
  const items = await screen.findAllByText(/Pulling the image/)
  return items.map((item) => item.textContent)
}

it('says how many bytes each pull had when all is over', async () => {
  const task = makeTask({
    status: 'succeeded',
    state: 'stored',
    attempt: 3,
    attempts: [placed(1, { pulled_bytes: 12.3 * 1024 * 1024 }), placed(2), placed(3, { pulled_bytes: 2048 })],
  })
  const events = [
    ...states(1, 'created', 'queued', 'assigned', 'image_pulled', 'running'),
    ...states(2, 'queued', 'assigned', 'image_pulled', 'running'),
    ...states(3, 'queued', 'assigned', 'image_pulled', 'running', 'stored'),
  ]
  show(<Timeline task={task} events={events} />)
  expect(await pulls()).toEqual(['Pulling the image 2 KiB', 'Pulling the image', 'Pulling the image 12 MiB'])
})

it('shows the pull that goes on, and no bytes beside what does not move any', async () => {
  const attempts = [placed(1, { state: 'assigned', pulled_bytes: 1024 })]
  const task = makeTask({ attempts, progress: { done_bytes: 2048, total_bytes: 4096 } })
  const { unmount } = show(<Timeline task={task} events={states(1, 'created', 'assigned')} />)
  expect(await pulls()).toEqual(['Pulling the image 2 KiB of 4 KiB'])
  unmount()
  const later = makeTask({ attempts })
  show(<Timeline task={later} events={states(1, 'created', 'assigned', 'image_pulled', 'running')} />)
  expect(await pulls()).toEqual(['Pulling the image 1 KiB'])
  expect(within(screen.getByText('Running')).queryByText(/KiB/)).toBeNull()
})
