import { expect, it } from 'vitest'
import type { TaskEvent } from '@/api/client'
import { stagesOf } from './stages'

let seq = 0
const at = (state: string, second: number, more: Partial<TaskEvent> = {}): TaskEvent => ({
  seq: ++seq,
  time: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
  attempt: 1,
  state,
  cause: 'test',
  ...more,
})
const start = Date.UTC(2026, 0, 1)

it('gives each stage the time until the next', () => {
  const [attempt, ...more] = stagesOf([
    at('created', 0),
    at('queued', 1),
    at('assigned', 4, { worker_id: 'w1' }),
    at('image_pulled', 9),
    at('container_created', 10),
    at('running', 11),
    at('collect_output', 20, { outcome: 'failed' }),
    at('upload_files', 21),
    at('report_result', 22),
    at('stored', 23, { failure: 'exit' }),
  ])
  expect(more).toEqual([])
  expect(
    attempt?.stages.map((s) => [s.label, (s.from - start) / 1000, ((s.to ?? 0) - start) / 1000]),
  ).toEqual([
    ['Queued', 0, 4],
    ['Pulling the image', 4, 9],
    ['Creating the container', 9, 10],
    ['Starting', 10, 11],
    ['Running', 11, 20],
    ['Collecting the output', 20, 21],
    ['Uploading files', 21, 22],
    ['Reporting', 22, 23],
  ])
  expect(attempt).toMatchObject({ worker: 'w1', outcome: 'exit', to: start + 23_000 })
})

it('leaves the present stage open', () => {
  const [attempt] = stagesOf([at('created', 0), at('queued', 0), at('assigned', 2)])
  expect(attempt?.to).toBeUndefined()
  expect(attempt?.stages.at(-1)).toMatchObject({ label: 'Pulling the image', to: undefined })
})

it('begins anew with each attempt, and closes the one before', () => {
  const attempts = stagesOf([
    at('created', 0),
    at('assigned', 1),
    at('queued', 9, { attempt: 2 }),
    at('assigned', 12, { attempt: 2 }),
  ])
  expect(attempts.map((a) => [a.attempt, a.stages.length])).toEqual([
    [1, 2],
    [2, 2],
  ])
  expect(attempts[0]?.to).toBe(start + 9000)
})

it('is never led backwards by a worker whose clock is behind', () => {
  const [attempt] = stagesOf([
    at('created', 10),
    at('assigned', 11),
    at('running', 12, { worker_time: '2025-12-31T00:00:00Z' }),
  ])
  for (const stage of attempt?.stages ?? []) expect(stage.to ?? Infinity).toBeGreaterThanOrEqual(stage.from)
})

it.each([3600, -3600])('shows how long stages took by a clock that is %d s off', (off) => {
  const byWorker = (state: string, second: number) =>
    at(state, second + 1, { worker_time: new Date(start + (second + off) * 1000).toISOString() })
  const [attempt] = stagesOf([
    at('created', 0),
    at('assigned', 1),
    byWorker('image_pulled', 5),
    byWorker('container_created', 6),
    byWorker('running', 7),
    byWorker('collect_output', 27),
    at('stored', 30),
  ])
  const took = Object.fromEntries(attempt?.stages.map((s) => [s.label, ((s.to ?? 0) - s.from) / 1000]) ?? [])
  expect(took.Running).toBe(20)
  expect(took['Pulling the image']).toBeLessThanOrEqual(5)
  expect(took.Starting).toBe(1)
})

it('says of an attempt how it ended, not of the one that takes its place', () => {
  const attempts = stagesOf([
    at('created', 0),
    at('assigned', 1, { worker_id: 'w1' }),
    at('running', 2, { worker_id: 'w1' }),
    at('queued', 9, { attempt: 2, worker_id: 'w1', failure: 'worker_lost', message: 'w1 was lost' }),
    at('assigned', 12, { attempt: 2, worker_id: 'w2' }),
    at('running', 13, { attempt: 2, worker_id: 'w2' }),
  ])
  expect(attempts).toMatchObject([
    { worker: 'w1', outcome: 'worker_lost', message: 'w1 was lost' },
    { worker: 'w2', outcome: undefined, message: undefined },
  ])
})
