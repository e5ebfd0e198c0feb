import type { Task } from '@/api/client'

/** What people call a task: its name, or else what it runs. */
export function taskTitle(task: Pick<Task, 'name' | 'docker_image' | 'command' | 'args'>): string {
  if (task.name) return task.name
  const what = task.command ?? task.args?.join(' ')
  return what ? `${task.docker_image} ${what}` : task.docker_image
}

export const isTerminal = (task: Pick<Task, 'state'>) => task.state === 'stored'

/** The fine state where it says more than the status. */
export function stateDetail(task: Task): string | undefined {
  if (task.cancel_requested && !isTerminal(task)) return 'cancelling'
  if (task.status === 'failed') return task.failure
  if (task.status === 'assigned' || (task.status === 'running' && task.state !== 'running')) {
    return task.state.replaceAll('_', ' ')
  }
  return undefined
}
