import type { Task } from '@/api/client'

export interface Bin {
  from: number
  good: number
  bad: number
}

/** Tasks by when they ended, in equal spans up to now. */
export function endedPer(tasks: Task[], now: number, span: number, count: number): Bin[] {
  const bins: Bin[] = Array.from({ length: count }, (_, i) => ({
    from: now - (count - i) * span,
    good: 0,
    bad: 0,
  }))
  for (const task of tasks) {
    if (!task.finished_at) continue
    const ago = now - new Date(task.finished_at).getTime()
    const bin = bins[count - 1 - Math.floor(ago / span)]
    if (!bin || ago < 0) continue
    if (task.status === 'succeeded') bin.good++
    else bin.bad++
  }
  return bins
}
