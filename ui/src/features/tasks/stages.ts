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

const ms = (time: string) => new Date(time).getTime()

/**
 * By how much the clock of each attempt's worker is certainly wrong: it reports
 * nothing before it has happened, and begins nothing before the attempt is assigned.
 */
function offsetsOf(events: TaskEvent[]): Map<number, number> {
  const bounds = new Map<number, { most: number; least: number; assigned: number }>()
  for (const event of events) {
    const known = bounds.get(event.attempt) ?? { most: Infinity, least: -Infinity, assigned: -Infinity }
    bounds.set(event.attempt, known)
    if (event.state === 'assigned') known.assigned = ms(event.time)
    if (!event.worker_time) continue
    known.most = Math.min(known.most, ms(event.time) - ms(event.worker_time))
    known.least = Math.max(known.least, known.assigned - ms(event.worker_time))
  }
  return new Map(
    [...bounds].map(([attempt, { most, least }]) => [attempt, Math.min(most, Math.max(0, least))]),
  )
}

/**
 * The stages of each attempt, from the task's events. The worker's own times are
 * finer, since several reports may arrive at once; no stage ends before it
 * begins, however its clock goes.
 */
export function stagesOf(events: TaskEvent[]): AttemptStages[] {
  const attempts: AttemptStages[] = []
  const ordered = [...events].sort((a, b) => a.seq - b.seq)
  const offsets = offsetsOf(ordered)
  let last = 0
  for (const event of ordered) {
    const own = event.worker_time && ms(event.worker_time) + (offsets.get(event.attempt) ?? 0)
    const at = Math.max(last, own || ms(event.time))
    last = at
    let current = attempts.at(-1)
    const open = current?.stages.at(-1)
    if (open && open.to === undefined) open.to = at
    // What begins another attempt says how and where the one before has ended.
    let about = current
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
    if (!about || event.state !== 'queued') about = current
    about.worker = event.worker_id ?? about.worker
    about.outcome = event.failure ?? event.outcome ?? about.outcome
    about.message = event.message ?? about.message
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
