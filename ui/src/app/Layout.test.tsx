import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it, vi } from 'vitest'
import { beforeEachApp, openApp } from '@/test/app'

const patience = { timeout: 20_000 }
vi.setConfig({ testTimeout: 60_000 })
beforeEachApp()

it('keeps its frame around an address that leads nowhere', async () => {
  openApp('/nowhere/at/all')
  await screen.findByRole('heading', { name: 'There is no such page' }, patience)
  expect(document.title).toMatch(/no such page/)
  expect(screen.getByRole('link', { name: 'Tasks' })).toBeVisible()
})

it('takes the keyboard along when what had it is gone with the last page, and only then', async () => {
  openApp('/tasks')
  await screen.findByText('the only one', {}, patience)
  expect(document.body).toHaveFocus()
  screen.getByRole('grid').focus()
  await userEvent.keyboard('{Enter}')
  await screen.findByRole('heading', { name: 'the only one' }, patience)
  await waitFor(() => expect(screen.getByRole('main')).toHaveFocus(), patience)

  const link = screen.getByRole('link', { name: 'Tasks' })
  link.focus()
  await userEvent.keyboard('{Enter}')
  await screen.findByRole('grid', {}, patience)
  expect(link).toHaveFocus()
})
