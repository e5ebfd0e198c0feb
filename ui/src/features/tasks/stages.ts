import type { TaskEvent } from '@/api/client'

export interface Stage {
  state: string
  label: string
  tone: 'wait' | 'busy' | 'run' | 'keep'
  from: number
  /** Undefined while it lasts. */
  to: number | undefined
}

export interface AttemptStages {
  attempt: number
  worker: string | undefined
  stages: Stage[]
  from: number
  to: number | undefined
  outcome: string | undefined
  message: string | undefined
}

// What goes on from entering a state until the next one is entered.
const doing: Record<string, [string, Stage['tone']]> = {
  created: ['Queued', 'wait'],
  queued: ['Queued', 'wait'],
  assigned: ['Pulling the image', 'busy'],
  image_pulled: ['Creating the container', 'busy'],
  container_created: ['Starting', 'busy'],
  running: ['Running', 'run'],
  collect_output: ['Collecting the output', 'keep'],
  upload_files: ['Uploading files', 'keep'],
  report_result: ['Reporting', 'keep'],
}

/**
 * The stages of each attempt, from the task's events. The worker's own times are
 * finer, since several reports may arrive at once; no stage ends before it
 * begins, however its clock goes.
 */
export function stagesOf(events: TaskEvent[]): AttemptStages[] {
  const attempts: AttemptStages[] = []
  let last = 0
  for (const event of [...events].sort((a, b) => a.seq - b.seq)) {
    const at = Math.max(last, new Date(event.worker_time ?? event.time).getTime())
    last = at
    let current = attempts.at(-1)
    const open = current?.stages.at(-1)
    if (open && open.to === undefined) open.to = at
    if (!current || event.attempt > current.attempt) {
      if (current && current.to === undefined) current.to = at
      current = {
        attempt: event.attempt,
        worker: undefined,
        stages: [],
        from: at,
        to: undefined,
        outcome: undefined,
        message: undefined,
      }
      attempts.push(current)
    }
    current.worker = event.worker_id ?? current.worker
    current.outcome = event.failure ?? event.outcome ?? current.outcome
    current.message = event.message ?? current.message
    const [label, tone] = doing[event.state] ?? []
    if (label === undefined || tone === undefined) {
      current.to = at // stored
      continue
    }
    const before = current.stages.at(-1)
    if (before?.label === label) before.to = undefined
    else current.stages.push({ state: event.state, label, tone, from: at, to: undefined })
  }
  return attempts
}
