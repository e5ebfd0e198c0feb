import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { expect, it, vi } from 'vitest'
import type { Task, TaskChange } from '@/api/client'
import { taskQuery } from '@/api/queries'
import { makeTask } from '@/test/factories'
import { show } from '@/test/render'
import '@/test/patience'
import { server } from '@/test/server'
import { BulkBar } from './BulkBar'
import { EditTask } from './EditTask'

const problem = (status: number, more: object = {}) =>
  HttpResponse.json({ type: 'about:blank', title: 'Refused', status, detail: 'refused', ...more }, { status })

/** A master that has one task, and what it was asked. */
function master(task: Task) {
  const played = { task, asked: [] as { change: TaskChange; match: string | null }[], refuse: 0 }
  server.use(
    http.get('*/api/tasks/:id', () => HttpResponse.json(played.task)),
    http.patch('*/api/tasks/:id', async ({ request }) => {
      const change = (await request.json()) as TaskChange
      const match = request.headers.get('If-Match')
      played.asked.push({ change, match })
      if (match !== `"${played.task.version}"`) return problem(412)
      if (played.task.status !== 'queued') return problem(409)
      if (change.name === 'forbidden')
        return problem(422, { errors: [{ location: 'name', message: 'is not nice' }] })
      played.task = { ...played.task, ...change, version: played.task.version + 1 }
      return HttpResponse.json(played.task)
    }),
  )
  return played
}

async function open(task: Task) {
  const onClose = vi.fn()
  const view = show(<EditTask task={task} opened onClose={onClose} />)
  const name = await screen.findByLabelText('Name')
  return { ...view, onClose, name }
}

const priority = () => screen.getByLabelText(/^Priority/)
const timeout = () => screen.getByLabelText('Timeout')
const save = () => userEvent.click(screen.getByRole('button', { name: 'Save' }))

async function retype(field: HTMLElement, text: string) {
  await userEvent.clear(field)
  if (text) await userEvent.type(field, text)
}

it('sends what differs, of the version that was seen, and by keyboard alone', async () => {
  const task = makeTask({ name: 'old', version: 3, timeout: '1m30s' })
  const played = master(task)
  const { onClose, name, queries } = await open(task)
  await waitFor(() => expect(name).toHaveFocus())
  expect(screen.getByRole('button', { name: 'Save' })).toBeDisabled()
  await retype(timeout(), '90s') // the same in other words
  expect(screen.getByRole('button', { name: 'Save' })).toBeDisabled()
  await retype(name, 'new')
  await userEvent.keyboard('{Enter}')
  await waitFor(() => expect(onClose).toHaveBeenCalled())
  expect(played.asked).toEqual([{ change: { name: 'new' }, match: '"3"' }])
  expect(queries.getQueryData(taskQuery(task.task_id).queryKey)).toMatchObject({ name: 'new', version: 4 })
})

it('takes a timeout away', async () => {
  const task = makeTask({ timeout: '1h0m0s' })
  const played = master(task)
  await open(task)
  await retype(timeout(), '')
  await save()
  await waitFor(() => expect(played.asked.map(({ change }) => change)).toEqual([{ timeout: '' }]))
})

it('sends nothing that cannot be, and says why', async () => {
  const task = makeTask()
  const played = master(task)
  const { onClose } = await open(task)
  await retype(priority(), '101')
  await retype(timeout(), 'soon')
  await save()
  expect(await screen.findByText('At most 100.')).toBeVisible()
  expect(screen.getByText(/^Not a duration/)).toBeVisible()
  await waitFor(() => expect(priority()).toHaveFocus())
  await retype(priority(), '')
  expect(screen.getByText('Must be a number.')).toBeVisible()
  await retype(timeout(), '0s')
  expect(screen.getByText(/^Must be longer than zero/)).toBeVisible()
  await userEvent.keyboard('{Escape}')
  expect(onClose).toHaveBeenCalled()
  expect(played.asked).toEqual([])
})

it('shows what the master says of a field', async () => {
  const task = makeTask()
  master(task)
  const { name, onClose } = await open(task)
  await retype(name, 'forbidden')
  await save()
  expect(await screen.findByText('is not nice')).toBeVisible()
  expect(onClose).not.toHaveBeenCalled()
})

it('shows what somebody else has made of it, and keeps what was typed', async () => {
  const task = makeTask({ name: 'old', version: 1 })
  const played = master(task)
  const { name, onClose } = await open(task)
  await retype(name, 'mine')
  played.task = { ...task, name: 'theirs', priority: 70, version: 2 }
  await save()
  expect(await screen.findByText('Somebody has changed it meanwhile')).toBeVisible()
  expect(screen.getByText('theirs')).toBeVisible()
  expect(name).toHaveValue('mine')
  expect(priority()).toHaveValue('70') // which was not touched here
  await save()
  await waitFor(() => expect(onClose).toHaveBeenCalled())
  expect(played.asked.at(-1)).toEqual({ change: { name: 'mine' }, match: '"2"' })
  expect(played.task).toMatchObject({ name: 'mine', priority: 70 })
})

it.each(['at the same version', 'and its version has grown'])(
  'says that it has started meanwhile, %s, and keeps what was typed',
  async (how) => {
    const task = makeTask({ name: 'old', version: 1 })
    const played = master(task)
    const { name, onClose } = await open(task)
    await retype(name, 'mine')
    const version = how === 'at the same version' ? 1 : 2
    played.task = { ...task, status: 'running', state: 'running', worker_id: 'w7', version }
    await save()
    expect(await screen.findByText('It has started meanwhile')).toBeVisible()
    expect(screen.getByText(/It is running now on w7/)).toBeVisible()
    expect(name).toHaveValue('mine')
    expect(name).toHaveAttribute('readonly')
    expect(screen.queryByRole('button', { name: 'Save' })).toBeNull()
    await userEvent.type(name, '{Enter}')
    expect(played.asked).toHaveLength(1)
    expect(onClose).not.toHaveBeenCalled()
  },
)

it('can be begun from the list, for one task that waits', async () => {
  const waits = makeTask({ name: 'waits' })
  const runs = makeTask({ status: 'running', state: 'running' })
  const edit = () => screen.queryByRole('button', { name: 'Edit' })
  for (const [tasks, there] of [
    [[waits], true],
    [[runs], false],
    [[waits, runs], false],
  ] as const) {
    const { unmount } = show(<BulkBar tasks={[...tasks]} onClear={() => undefined} />)
    await screen.findByText(`${tasks.length} chosen`)
    expect(edit() !== null).toBe(there)
    if (there) {
      await userEvent.click(edit() as HTMLElement)
      expect(await screen.findByLabelText('Name')).toHaveValue('waits')
    }
    unmount()
  }
})
