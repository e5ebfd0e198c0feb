import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, expect, it, vi } from 'vitest'
import { show } from '@/test/render'
import { Command } from './Command'

afterEach(() => {
  vi.unstubAllGlobals()
  Reflect.deleteProperty(document, 'execCommand')
})

async function press(clipboard: unknown, allowed: boolean) {
  const user = userEvent.setup()
  const copied = vi.fn(() => allowed)
  document.execCommand = copied
  Object.defineProperty(navigator, 'clipboard', { value: clipboard, configurable: true })
  show(<Command label="the command" text="make demo" />)
  await user.click(await screen.findByRole('button', { name: 'Copy the command' }))
  return copied
}

it('copies by the clipboard where the page may use it', async () => {
  const writeText = vi.fn(() => Promise.resolve())
  const copied = await press({ writeText }, true)
  expect(await screen.findByRole('status')).toHaveTextContent('Copied')
  expect(writeText).toHaveBeenCalledWith('make demo')
  expect(copied).not.toHaveBeenCalled()
})

it('copies what it shows where there is no clipboard, as by plain HTTP', async () => {
  const copied = await press(undefined, true)
  expect(await screen.findByText('Copied', { selector: '[role=status]' })).toBeInTheDocument()
  expect(copied).toHaveBeenCalledWith('copy')
  expect(String(getSelection())).toBe('make demo')
})

it('selects it where nothing else is allowed, and says so', async () => {
  await press({ writeText: () => Promise.reject(new Error('denied')) }, false)
  expect(await screen.findByText(/^Selected/, { selector: '[role=status]' })).toBeInTheDocument()
  expect(String(getSelection())).toBe('make demo')
})
