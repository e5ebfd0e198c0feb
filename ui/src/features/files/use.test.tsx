import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { expect, it } from 'vitest'
import { makeUser } from '@/test/factories'
import { show } from '@/test/render'
import '@/test/patience'
import { server } from '@/test/server'
import { FilesOfTasks } from './FilesOfTasks'
import { TaskFiles } from './TaskFiles'

const kib = 1024

/** A master with a task that has left one file of so many bytes. */
function master(use: { used: number; quota?: number }) {
  const played = { use, deleted: [] as string[] }
  server.use(
    http.get('*/api/auth/me', () => HttpResponse.json(makeUser({ files: played.use }))),
    http.get('*/api/files', () => {
      const item = { task_id: 't1', task_name: 'big', user_id: 'ann', files: 1, total_size: played.use.used }
      return HttpResponse.json({
        items: played.use.used > 0 ? [{ ...item, created_at: '2026-01-01T00:00:00Z' }] : [],
      })
    }),
    http.get('*/api/files/t1', () =>
      HttpResponse.json({
        task_id: 't1',
        task_name: 'big',
        files: [{ path: 'out', size: played.use.used, sha256: 'x', content_type: 'text/plain' }],
        skipped: [],
        total_size: played.use.used,
      }),
    ),
    http.delete('*/api/files/:id', ({ params }) => {
      played.deleted.push(String(params.id))
      played.use = { ...played.use, used: 0 }
      return new HttpResponse(null, { status: 204 })
    }),
  )
  return played
}

const meter = () => screen.findByRole('meter', { name: 'Your output files' })

it('shows how full the quota is, and says so and what to do when it is full', async () => {
  const played = master({ used: 2 * kib, quota: 4 * kib })
  const { queries } = show(<FilesOfTasks admin={false} />)
  expect(await meter()).toHaveAttribute('aria-valuetext', '2 KiB of 4 KiB')
  expect(screen.queryByRole('alert')).toBeNull()
  expect(screen.queryByText(/Little room/)).toBeNull()
  played.use = { used: 3.9 * kib, quota: 4 * kib }
  await queries.invalidateQueries()
  expect(await screen.findByText(/Little room is left/)).toBeVisible()
  played.use = { used: 4 * kib, quota: 4 * kib }
  await queries.invalidateQueries()
  expect(await screen.findByRole('alert')).toHaveTextContent(/new tasks are refused.*delete files of tasks/)
})

it('makes room, after a question, and shows that it has', async () => {
  const played = master({ used: 4 * kib, quota: 4 * kib })
  show(<FilesOfTasks admin={false} />)
  await userEvent.click(await screen.findByRole('button', { name: 'Delete the files of big' }))
  await screen.findByText('Delete 1 file, 4 KiB?')
  expect(played.deleted).toEqual([])
  await userEvent.click(screen.getByRole('button', { name: 'Delete them' }))
  expect(await screen.findByText('No task has left files')).toBeVisible()
  expect(played.deleted).toEqual(['t1'])
  await waitFor(async () => expect(await meter()).toHaveAttribute('aria-valuetext', '0 B of 4 KiB'))
  expect(screen.queryByRole('alert')).toBeNull()
})

it('has no meter where there is no bound', async () => {
  master({ used: 2 * kib })
  show(<FilesOfTasks admin={false} />)
  expect(await screen.findByText('Your output files take 2 KiB.')).toBeVisible()
  expect(screen.queryByRole('meter')).toBeNull()
})

it('shows it beside the files of a task, to its owner alone, with a way to the list', async () => {
  master({ used: 4 * kib, quota: 4 * kib })
  const { unmount } = show(<TaskFiles id="t1" terminal deleted={false} own />)
  await meter()
  expect(screen.getByRole('link', { name: 'List what takes it' })).toHaveAttribute(
    'href',
    '/settings?tab=files',
  )
  unmount()
  show(<TaskFiles id="t1" terminal deleted={false} own={false} />)
  await screen.findByRole('button', { name: 'Delete the files' })
  expect(screen.queryByRole('meter')).toBeNull()
})

it('deletes nothing of a task that is not over, and knows deleted from none', async () => {
  master({ used: kib })
  const { unmount } = show(<TaskFiles id="t1" terminal={false} deleted={false} own />)
  await screen.findByText('1 file, 1 KiB')
  expect(screen.queryByRole('button', { name: /Delete/ })).toBeNull()
  unmount()
  show(<TaskFiles id="t1" terminal deleted own />)
  expect(await screen.findByText('Its files were deleted')).toBeVisible()
})
