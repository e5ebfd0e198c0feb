import { expect, it } from 'vitest'
import { makeTask } from '@/test/factories'
import { messageOf } from './failure'

it('says who cancelled a task by name, or as what', () => {
  const task = makeTask({ user_id: 'bob7', message: 'cancelled by bob7' })
  expect(messageOf(task)).toBe('You cancelled it.')
  expect(messageOf({ ...task, message: 'cancelled by ann3' })).toBe('An administrator cancelled it.')
  expect(messageOf(task, ({ user_id }) => ({ bob7: 'Bob' })[user_id] ?? user_id)).toBe('Cancelled by Bob.')
})

it('leaves out what its explanation says already, and nothing else', () => {
  expect(messageOf(makeTask({ exit_code: 3, message: 'exited with code 3' }))).toBeUndefined()
  expect(messageOf(makeTask({ exit_code: 3, message: 'no such host' }))).toBe('no such host')
})
