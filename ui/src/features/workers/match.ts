import type { Worker } from '@/api/client'

/** Whether a worker has all the words that are looked for, in its name, status or labels. */
export function matches({ worker_id, status, labels }: Worker, search: string): boolean {
  const text = [worker_id, status, ...Object.entries(labels).map(([name, value]) => `${name}=${value}`)]
    .join(' ')
    .toLowerCase()
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}
