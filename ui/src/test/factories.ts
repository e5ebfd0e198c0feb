import type { Cluster, ClusterSample, LogRecord, Task, User, Worker } from '@/api/client'

let made = 0

/** A queued task; only what a test is about has to be named. */
export function makeTask(more: Partial<Task> = {}): Task {
  made++
  return {
    task_id: `task${made}`,
    name: `task number ${made}`,
    user_id: 'ann',
    docker_image: 'busybox',
    status: 'queued',
    state: 'queued',
    attempt: 1,
    cancel_requested: false,
    cpu_required: 1,
    memory_required: 512,
    storage_required: 1024,
    gpu_required: 0,
    env: {},
    priority: 50,
    labels: {},
    constraints: {},
    network: 'bridge',
    grace_period: '10s',
    max_retries: 0,
    max_reschedules: 3,
    created_at: '2026-01-01T00:00:00Z',
    attempts: [],
    version: 1,
    ...more,
  }
}

export function makeWorker(more: Partial<Worker> = {}): Worker {
  return {
    worker_id: `w${++made}`,
    address: '127.0.0.1:50052',
    status: 'active',
    labels: {},
    total: { cpu: 8, memory: 16384, storage: 100_000, gpu: 0 },
    allocated: { cpu: 2, memory: 1024, storage: 2048, gpu: 0 },
    used: { cpu: 1, memory: 2048, storage: 1000, gpu: 0 },
    running_tasks: [],
    running_count: 0,
    registered_at: '2026-01-01T00:00:00Z',
    last_heartbeat: '2026-01-01T00:00:00Z',
    ...more,
  }
}

export const makeUser = (more: Partial<User> = {}): User => ({
  id: 'ann',
  name: 'Ann',
  email: 'ann@example.org',
  role: 'user',
  disabled: false,
  created_at: '2026-01-01T00:00:00Z',
  ...more,
})

export const makeCluster = (more: Partial<Cluster> = {}): Cluster => ({
  cluster_id: 'c1',
  tasks: {},
  workers: {},
  total: { cpu: 0, memory: 0, storage: 0, gpu: 0 },
  allocated: { cpu: 0, memory: 0, storage: 0, gpu: 0 },
  queue_length: 0,
  ...more,
})

/** A step of the cluster's history in which nothing was heard or looked at. */
export const makeSample = (more: Partial<ClusterSample> = {}): ClusterSample => ({
  time: '2026-01-01T00:00:00Z',
  workers: 0,
  cpu: 0,
  memory: 0,
  storage: 0,
  gpu: 0,
  ...more,
})

/** Records of lines, one after the other from an offset on. */
export function makeRecords(lines: string[], from = 0): LogRecord[] {
  let offset = from
  return lines.map((text) => {
    const next = offset + text.length + 1
    const record: LogRecord = { offset, next, time: '2026-01-01T00:00:00Z', stream: 'stdout', text }
    offset = next
    return record
  })
}
