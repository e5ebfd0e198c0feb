import type { Task } from '@/api/client'
import type { Owners } from '@/api/owners'
import { formatMiB } from '@/lib/format'

export interface Explanation {
  title: string
  advice: string
}

/** What a class of failure means, and what to do next; the reason itself is the task's message. */
export function explainFailure(task: Task): Explanation | undefined {
  switch (task.failure) {
    case undefined:
      return undefined
    case 'exit':
      return {
        title: `The program ended with exit code ${task.exit_code ?? 'unknown'}`,
        advice: exitAdvice(task.exit_code),
      }
    case 'oom':
      return {
        title: 'It ran out of memory',
        advice: `It was allowed ${formatMiB(task.memory_required)}. Clone it with more memory, or have it use less.`,
      }
    case 'timeout':
      return {
        title: `It took longer than its timeout${task.timeout ? ` of ${task.timeout}` : ''}`,
        advice: 'Clone it with a longer timeout; the end of the log shows how far it had come.',
      }
    case 'image':
      return {
        title: 'The image could not be had',
        advice:
          'Check its name and tag. A private image needs credentials in the DOCKER_CONFIG of the workers.',
      }
    case 'registry':
      return {
        title: 'The registry did not give the image',
        advice:
          'The registry or the way to it is in trouble, or it wants credentials. Retry later, or use an image the worker has.',
      }
    case 'runtime':
      return {
        title: 'The container could not run',
        advice:
          'Without /bin/sh in the image, give arguments instead of a command. Otherwise look at the Docker engine of the worker.',
      }
    case 'worker_lost':
      return {
        title: 'Its worker was lost',
        advice:
          'Every attempt that was allowed has been lost with a worker. See why on the page Workers, then retry.',
      }
    case 'storage':
      return {
        title: 'It wrote more than it may',
        advice: `It was allowed ${formatMiB(task.storage_required)}. Clone it with more storage, or have it write less.`,
      }
    case 'upload':
      return {
        title: 'Its files could not be kept',
        advice: 'The program itself has ended. See that the disk of the master has room, then retry.',
      }
  }
}

/** The task's message, without ids of people, and not where it only repeats the explanation. */
export function messageOf(task: Task, ownerOf?: Owners['nameOf']): string | undefined {
  const { message, user_id } = task
  if (message === `exited with code ${task.exit_code}`) return undefined
  const who = message?.match(/^cancelled by (\S+)$/)?.[1]
  if (who === undefined) return message
  if (ownerOf) return `Cancelled by ${ownerOf({ user_id: who })}.`
  return who === user_id ? 'You cancelled it.' : 'An administrator cancelled it.'
}

function exitAdvice(code: number | undefined): string {
  switch (code) {
    case 126:
      return 'The shell could not execute it: is the file executable, and made for this processor?'
    case 127:
      return 'The shell did not find the command: check its spelling, and that the image has it.'
    case 137:
      return 'It was killed (SIGKILL), but not for its memory limit. Look at the end of the log.'
    case 143:
      return 'It was asked to end (SIGTERM). Look at the end of the log.'
    default:
      return 'The end of the log usually says why.'
  }
}
