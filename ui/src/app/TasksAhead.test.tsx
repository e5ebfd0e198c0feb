import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { beforeEach, expect, it, vi } from 'vitest'
import { beforeEachApp, openApp } from '@/test/app'
import { makeTask } from '@/test/factories'
import { server } from '@/test/server'

const patience = { timeout: 20_000 }
vi.setConfig({ testTimeout: 60_000 })

let asked: string[]
/** What has been drawn into elements that are not in the document. */
let aside: HTMLElement[]

beforeEachApp()
beforeEach(() => {
  asked = []
  aside = []
  const create = document.createElement.bind(document)
  vi.spyOn(document, 'createElement').mockImplementation((name: string, options?: ElementCreationOptions) => {
    const element = create(name, options)
    if (name === 'div') aside.push(element)
    return element
  })
  server.use(
    http.get('*/api/tasks', ({ request }) => {
      asked.push(new URL(request.url).search)
      return HttpResponse.json({ items: [makeTask({ name: 'the only one' })] })
    }),
  )
})

/** Where the list is drawn ahead; what a drawing that was begun anew has left behind is none of it. */
const drawnAside = () =>
  aside.filter((e) => !e.isConnected && e.style.display === 'contents' && e.querySelector('[data-task]'))

it('draws the list before it is asked for, where nobody sees or hears it, and shows it then', async () => {
  openApp('/settings')
  await screen.findByRole('heading', { name: 'Settings' }, patience)
  await waitFor(() => expect(drawnAside()).toHaveLength(1), patience)
  expect(screen.queryByText('the only one')).toBeNull()
  expect(document.title).not.toMatch(/Tasks/)
  await userEvent.keyboard('/') // the list's own key
  expect(document.body).toHaveFocus()

  const [list] = drawnAside()
  const row = list?.querySelector('[data-task]')
  await userEvent.click(screen.getByRole('link', { name: 'Tasks' }))
  expect(screen.getByText('the only one').closest('[data-task]')).toBe(row)
  expect(row).toBeVisible()
  expect(document.title).toMatch(/Tasks/)
  expect(asked).toHaveLength(1)
  await userEvent.keyboard('/')
  expect(screen.getByRole('searchbox')).toHaveFocus()
})

it('begins anew after somebody has been elsewhere', async () => {
  openApp('/tasks?status=queued')
  await userEvent.click(await screen.findByRole('checkbox', { name: 'Select the only one' }, patience))
  expect(screen.getByText('1 chosen')).toBeVisible()
  await userEvent.click(screen.getByRole('link', { name: 'Settings' }))
  await screen.findByRole('heading', { name: 'Settings' }, patience)
  expect(screen.queryByText('the only one')).toBeNull()
  await waitFor(() => expect(drawnAside()).toHaveLength(1), patience)
  await userEvent.click(screen.getByRole('link', { name: 'Tasks' }))
  expect(screen.getByRole('checkbox', { name: 'Select the only one' })).not.toBeChecked()
  expect(screen.getByRole('button', { name: /queued/ })).toHaveAttribute('aria-pressed', 'false')
})
