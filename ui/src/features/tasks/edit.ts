import { api, ApiError, call, type Task, type TaskChange } from '@/api/client'
import { secondsOf } from '@/lib/duration'
import { emptyDraft, requestOf, type Draft, type Errors } from './submit'

/** What may be changed of a task that waits, as it is typed. */
export type EditDraft = Pick<Draft, (typeof fields)[number]>

const fields = ['name', 'priority', 'timeout'] as const

/** Once a task is placed, what was asked for stands. */
export const isEditable = (task: Pick<Task, 'status' | 'cancel_requested'>) =>
  task.status === 'queued' && !task.cancel_requested

export const editDraftOf = (task: Task): EditDraft => ({
  name: task.name,
  priority: task.priority,
  timeout: task.timeout ?? '',
})

/** What would be sent: only what differs from the task. And what is wrong with it. */
export function changeOf(task: Task, draft: EditDraft): { change: TaskChange; errors: Errors } {
  // By the same rules as a new task.
  const { errors: all } = requestOf({ ...emptyDraft, docker_image: task.docker_image, ...draft })
  const errors: Errors = {}
  for (const field of fields) if (all[field] !== undefined) errors[field] = all[field]
  const change: TaskChange = {}
  const name = draft.name.trim()
  const priority = Number(draft.priority)
  const timeout = draft.timeout.trim()
  if (name !== task.name) change.name = name
  if (priority !== task.priority) change.priority = priority
  const seconds = timeout === '' ? 0 : secondsOf(timeout)
  if (seconds === undefined || Number.isNaN(seconds))
    errors.timeout = 'Not a duration such as 90s, 5m or 1h30m.'
  else if (timeout !== '' && seconds <= 0) errors.timeout = 'Must be longer than zero; empty for none.'
  // 90s and 1m30s are the same.
  else if (seconds !== secondsOf(task.timeout ?? '0s')) change.timeout = timeout
  return { change, errors }
}

/** The draft over a newer version of its task: what was typed stays, the rest is as it is there. */
export function rebase(draft: EditDraft, from: Task, onto: Task): EditDraft {
  const before = editDraftOf(from)
  const now = editDraftOf(onto)
  return {
    name: draft.name === before.name ? now.name : draft.name,
    priority: draft.priority === before.priority ? now.priority : draft.priority,
    timeout: draft.timeout === before.timeout ? now.timeout : draft.timeout,
  }
}

/** With the task as it is now: changed as was asked, by somebody else before, or not waiting any more. */
export interface EditOutcome {
  kind: 'saved' | 'overtaken' | 'placed'
  task: Task
}

/** Changes the version of the task that was seen, and no other. */
export async function editTask(seen: Task, change: TaskChange): Promise<EditOutcome> {
  const path = { id: seen.task_id }
  try {
    const header = { 'If-Match': `"${seen.version}"` }
    const task = await call(api.PATCH('/api/tasks/{id}', { params: { path, header }, body: change }))
    return { kind: 'saved', task }
  } catch (error) {
    if (!(error instanceof ApiError) || (error.status !== 409 && error.status !== 412)) throw error
    const task = await call(api.GET('/api/tasks/{id}', { params: { path } }))
    return { kind: isEditable(task) ? 'overtaken' : 'placed', task }
  }
}
