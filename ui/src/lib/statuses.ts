import type { TaskStatus } from '@/api/client'

// A record and not a list, so that the types fail when the API's schema has a
// status that is not here.
const known: Record<TaskStatus, true> = {
  queued: true,
  assigned: true,
  running: true,
  succeeded: true,
  failed: true,
  cancelled: true,
}

/** Every status that a task can have, in the order of its way. */
export const taskStatuses = Object.keys(known) as TaskStatus[]
