import { screen } from '@testing-library/react'
import { expect, it } from 'vitest'
import type { Health as MasterHealth, Worker } from '@/api/client'
import { makeCluster, makeWorker } from '@/test/factories'
import { show } from '@/test/render'
import { Health } from './Health'

const fine: MasterHealth = {
  status: 'ok',
  disks: [{ holds: 'state', free: 5 * 2 ** 30, total: 2 ** 36, reserve: 2 ** 20, low: false }],
}

function health(workers: Worker[], master: MasterHealth) {
  const counts: Record<string, number> = {}
  for (const { status } of workers) counts[status] = (counts[status] ?? 0) + 1
  show(<Health cluster={makeCluster({ workers: counts })} health={master} workers={workers} admin />)
}

it('says that all is well, and of what', async () => {
  health([makeWorker(), makeWorker({ status: 'draining' })], fine)
  expect(await screen.findByRole('status')).toHaveTextContent(
    "All is well: 2 workers are at work, 1 of them draining, 5 GiB free on the master's disk.",
  )
})

it('names the workers that are away, and what else is wrong', async () => {
  const disk = { holds: 'files' as const, free: 2 ** 20, total: 2 ** 36, reserve: 2 ** 20, low: true }
  health([makeWorker(), makeWorker({ worker_id: 'w9', status: 'lost' })], {
    status: 'degraded',
    disks: [disk],
  })
  expect(await screen.findByText('3 to look after')).toBeVisible()
  expect(screen.getByRole('link', { name: 'w9' })).toBeVisible()
  expect(screen.getByText(/output files is nearly full: 1 MiB free/)).toBeVisible()
  expect(screen.getByText('doctor')).toBeVisible()
  expect(screen.queryByText(/All is well/)).toBeNull()
})
