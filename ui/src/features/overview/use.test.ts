import { expect, it } from 'vitest'
import type { ClusterSample } from '@/api/client'
import { measuredUse } from './use'

const sample = (workers: number, cpu: number): ClusterSample => ({
  time: '2026-01-01T00:00:00Z',
  workers,
  cpu,
  memory: 0,
  storage: 0,
  gpu: 0,
})

it('says nothing of the newest moment before all workers have reported', () => {
  expect(measuredUse([sample(3, 6), sample(3, 6), sample(1, 2)], 'cpu')).toEqual([6, 6, null])
  expect(measuredUse([sample(3, 6), sample(3, 5)], 'cpu')).toEqual([6, 5])
})

it('shows that a worker is gone, a moment later', () => {
  expect(measuredUse([sample(3, 6), sample(2, 4), sample(2, 4)], 'cpu')).toEqual([6, 4, 4])
})
