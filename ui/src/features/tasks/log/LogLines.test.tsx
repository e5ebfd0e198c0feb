import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { beforeEach, expect, it, vi } from 'vitest'
import { makeRecords } from '@/test/factories'
import { show } from '@/test/render'
import type { LogState } from './feed'
import { LogLines } from './LogLines'

const records = makeRecords(Array.from({ length: 1000 }, (_, i) => `line ${i}`))
const state: LogState = {
  records,
  attempt: 1,
  atStart: true,
  atEnd: true,
  complete: true,
  loading: false,
  link: undefined,
  error: undefined,
  prepended: 0,
}
const offsetOf = (index: number) => records[index]?.offset ?? NaN

beforeEach(() => {
  // jsdom lays nothing out.
  vi.spyOn(HTMLElement.prototype, 'offsetHeight', 'get').mockReturnValue(400)
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(400)
  vi.spyOn(Element.prototype, 'scrollHeight', 'get').mockReturnValue(20_000)
  return () => vi.restoreAllMocks()
})

function open(at?: number, picked = false) {
  const [onAt, onLeaveEnd] = [vi.fn(), vi.fn()]
  const nothing = () => undefined
  show(
    <LogLines
      state={state}
      follow={false}
      onLeaveEnd={onLeaveEnd}
      onReachStart={nothing}
      onReachEnd={nothing}
      times={false}
      at={at}
      onAt={onAt}
      picked={{ current: picked }}
      empty=""
    />,
  )
  return { onAt, onLeaveEnd, user: userEvent.setup() }
}

const here = () => document.activeElement?.getAttribute('data-line')

it('has one line in the order of Tab, and the others by the arrow keys', async () => {
  const { onAt, onLeaveEnd, user } = open()
  const log = await screen.findByRole('log')
  expect(log.querySelectorAll('button[tabindex="0"]')).toHaveLength(1)
  log.focus()
  await user.tab()
  expect(here()).toBe(String(offsetOf(0)))
  expect(onLeaveEnd).toHaveBeenCalled() // what is written meanwhile does not lead away
  expect(document.activeElement).toHaveAccessibleDescription('line 0')
  await user.keyboard('{ArrowDown}{ArrowDown}{ArrowUp}')
  expect(here()).toBe(String(offsetOf(1)))
  await user.keyboard('{PageDown}')
  expect(here()).toBe(String(offsetOf(20)))
  await user.keyboard('{End}') // far from what is in sight
  expect(here()).toBe(String(offsetOf(999)))
  await user.keyboard('{ArrowDown}{Enter}')
  expect(onAt).toHaveBeenCalledExactlyOnceWith(offsetOf(999))
  expect(log.querySelectorAll('button[tabindex="0"]')).toHaveLength(1)
  await user.tab()
  expect(log).not.toContainElement(document.activeElement as HTMLElement)
})

it('goes on with the keyboard at the line that was picked, once its surroundings are read', async () => {
  open(offsetOf(500), true)
  await vi.waitFor(() => expect(here()).toBe(String(offsetOf(500))))
})

it('leaves the keyboard where it is when a link was followed', async () => {
  open(offsetOf(500))
  await screen.findByRole('log')
  expect(here()).toBeFalsy()
})
