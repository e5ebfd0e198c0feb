import type { Task } from '@/api/client'

type Failure = NonNullable<Task['failure']>

/** The classes of failure as people call them, and how else an attempt ends. */
export const failureNames: Record<Failure, string> = {
  exit: 'exit code',
  oom: 'out of memory',
  timeout: 'timeout',
  image: 'image',
  registry: 'registry',
  runtime: 'runtime',
  worker_lost: 'worker lost',
  storage: 'storage',
  upload: 'upload',
}

/** How an attempt ended, in words. */
export const outcomeName = (outcome: string) =>
  failureNames[outcome as Failure] ?? outcome.replaceAll('_', ' ')
