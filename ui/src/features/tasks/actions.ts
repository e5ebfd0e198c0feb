import { notifications } from '@mantine/notifications'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { api, ApiError, call, type Task } from '@/api/client'
import type { TaskFilters } from '@/api/queries'
import { formatCount } from '@/lib/format'
import { newKey } from '@/lib/key'

export const cancelTask = (id: string) => call(api.DELETE('/api/tasks/{id}', { params: { path: { id } } }))

/** The key makes a repeated click, or a repeated request, one retry. */
export const retryTask = (id: string, key: string) =>
  call(api.POST('/api/tasks/{id}/retry', { params: { path: { id }, header: { 'Idempotency-Key': key } } }))

/**
 * The filters of the list as a cancel takes them; undefined where there is none,
 * or where it would take other tasks than the list shows.
 */
export function cancelFilter(filters: TaskFilters) {
  const { failure, label, ...rest } = filters
  delete rest.sort
  if (failure !== undefined) return undefined // what has failed is over
  if (label === undefined && Object.keys(rest).length === 0) return undefined
  const cut = label?.indexOf('=') ?? -1
  if (label !== undefined && cut < 1) return undefined // it matches nothing
  return {
    ...rest,
    ...(label === undefined ? {} : { labels: { [label.slice(0, cut)]: label.slice(cut + 1) } }),
  }
}

/** How many calls are under way at a time when many tasks are meant. */
const atOnce = 6

export interface Outcome {
  done: Task[]
  failed: { id: string; why: string }[]
}

/** Calls for each of the ids, a few at a time; one that is refused does not keep the rest. */
export async function forEachTask(ids: string[], act: (id: string) => Promise<Task>): Promise<Outcome> {
  const outcome: Outcome = { done: [], failed: [] }
  const waiting = [...ids]
  const work = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        outcome.done.push(await act(id))
      } catch (error) {
        outcome.failed.push({ id, why: error instanceof Error ? error.message : String(error) })
        if (error instanceof ApiError && error.status === 401) waiting.length = 0
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return outcome
}

/** Cancels or retries tasks and tells what came of it. */
export function useBulk(verb: 'cancel' | 'retry', onDone: (outcome: Outcome) => void) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (ids: string[]) =>
      forEachTask(ids, verb === 'cancel' ? cancelTask : (id) => retryTask(id, newKey())),
    onSuccess: (outcome) => {
      const { done, failed } = outcome
      const what = verb === 'cancel' ? 'cancelled or being cancelled' : 'submitted again'
      notifications.show({
        color: failed.length > 0 ? 'yellow' : 'green',
        title: `${formatCount(done.length)} ${done.length === 1 ? 'task' : 'tasks'} ${what}`,
        message: failed[0]
          ? `${formatCount(failed.length)} refused, the first because: ${failed[0].why}`
          : undefined,
      })
      for (const key of ['tasks', 'recent', 'cluster']) void queries.invalidateQueries({ queryKey: [key] })
      onDone(outcome)
    },
  })
}
