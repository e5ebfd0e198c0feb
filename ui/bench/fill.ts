import { until } from '../journeys/rig'
import type { Stage } from './stage'

const most = 10_000 // of one batch
const images = ['busybox', 'registry.example.org/vision/train:2026.11', 'python:3.12-slim', 'alpine:3.20']

interface Cluster {
  tasks: Record<string, number>
}

/**
 * Puts n tasks of all states into the store: half of them wait for what no worker
 * has, three in ten are cancelled, the rest has run, and a quarter of that failed.
 */
export const mixed = (n: number) => ({
  name: `tasks-${n}`,
  fill: async (stage: Stage) => {
    for (let from = 0; from < n; from += most) {
      const tasks = Array.from({ length: Math.min(most, n - from) }, (_, i) => task(from + i))
      await stage.api.post('/api/tasks/batch', { tasks, atomic: true })
    }
    await stage.api.post('/api/tasks/cancel', { filter: { labels: { end: 'cancelled' } } })
    const done = async () => {
      const { tasks } = await stage.api.get<Cluster>('/api/cluster')
      return (tasks.succeeded ?? 0) + (tasks.failed ?? 0) >= n / 5 || undefined
    }
    await until('all that can run has run', done, 10 * 60_000)
  },
})

/** What becomes of the i-th task; all sorts stand beside each other in every page of a list. */
function task(i: number) {
  const end = i % 10 < 5 ? 'waits' : i % 10 < 8 ? 'cancelled' : i % 8 < 2 ? 'failed' : 'succeeded'
  const runs = end === 'failed' || end === 'succeeded'
  return {
    docker_image: images[i % images.length],
    name: `train-${i % 1000}`,
    args: ['python', 'train.py', `--seed=${i}`],
    labels: { team: `t${i % 7}`, end },
    cpu_required: 0.5,
    memory_required: 64,
    gpu_required: runs ? 0 : 1,
    storage_required: 64,
    env: end === 'failed' ? { FAKE_EXIT: '3' } : {},
  }
}

/** Some that run on for as long as anybody looks. */
export async function running(stage: Stage, n: number) {
  const tasks = Array.from({ length: n }, (_, i) => ({
    ...task(8),
    name: `runner-${i}`,
    env: { FAKE_SLEEP: '1h' },
    cpu_required: 0.1,
  }))
  await stage.api.post('/api/tasks/batch', { tasks, atomic: true })
  await until('they run', async () => {
    const { tasks } = await stage.api.get<Cluster>('/api/cluster')
    return (tasks.running ?? 0) >= n || undefined
  })
}
