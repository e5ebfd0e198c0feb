import type { ClusterSample } from '@/api/client'
import type { Kind } from './kinds'

/**
 * What was in use at each moment. The newest sample is still being gathered: until as many
 * workers have reported in it as in the one before, it would show a fall that is none.
 */
export function measuredUse(samples: ClusterSample[], kind: Kind): (number | null)[] {
  const last = samples.length - 1
  const before = samples[last - 1]
  return samples.map((sample, i) =>
    i === last && before && sample.workers < before.workers ? null : sample[kind],
  )
}
