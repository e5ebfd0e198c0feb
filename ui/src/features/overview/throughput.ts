import type { ClusterSample } from '@/api/client'

export interface Bin {
  from: number
  good: number
  bad: number
}

/** What ended, in equal spans up to now. */
export function endedPer(samples: ClusterSample[], now: number, span: number, count: number): Bin[] {
  const bins: Bin[] = Array.from({ length: count }, (_, i) => ({
    from: now - (count - i) * span,
    good: 0,
    bad: 0,
  }))
  for (const { time, ended } of samples) {
    if (!ended) continue
    const ago = now - new Date(time).getTime()
    const bin = bins[count - Math.ceil(ago / span)]
    if (!bin || ago <= 0) continue
    bin.good += ended.succeeded
    bin.bad += ended.failed + ended.cancelled
  }
  return bins
}
