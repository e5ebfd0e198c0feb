import type { Task, TaskRequest } from '@/api/client'
import type { TaskFilters } from '@/api/queries'
import { failureNames } from '@/lib/words'

/** What people call a task: its name, or else what it runs. */
export function taskTitle(task: Pick<TaskRequest, 'name' | 'docker_image' | 'command' | 'args'>): string {
  if (task.name) return task.name
  const what = task.command ?? task.args?.join(' ')
  return what ? `${task.docker_image} ${what}` : task.docker_image
}

export const isTerminal = (task: Pick<Task, 'state'>) => task.state === 'stored'

/** How the list is sorted when nobody says how. */
export const newestFirst = '-created_at'

/** The orders that the list has, as people call them. */
export const orders = [
  [newestFirst, 'newest first'],
  ['created_at', 'oldest first'],
  ['name', 'by name'],
  ['-name', 'by name, backwards'],
] as const

/** The same filters in another order; the usual one needs no word in the address. */
export function sortedBy(filters: TaskFilters, sort: string): TaskFilters {
  const sorted: TaskFilters = { ...filters, sort }
  if (sort === newestFirst) delete sorted.sort
  return sorted
}

/** The fine state where it says more than the status. */
export function stateDetail(task: Task): string | undefined {
  if (task.cancel_requested && !isTerminal(task)) return 'cancelling'
  if (task.status === 'failed') return task.failure && failureNames[task.failure]
  if (task.status === 'assigned' || (task.status === 'running' && task.state !== 'running')) {
    return task.state.replaceAll('_', ' ')
  }
  return undefined
}
