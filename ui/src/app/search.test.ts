import { describe, expect, it } from 'vitest'
import { signInSearch, taskSearch, tasksSearch } from './search'

describe('addresses', () => {
  it('keeps filters that can be, and ignores the rest', () => {
    expect(tasksSearch({ status: ['failed', 'nonsense'], q: 'x', name: '', failure: 7 })).toEqual({
      status: ['failed'],
      q: 'x',
    })
    expect(tasksSearch({ status: 'queued,running' })).toEqual({ status: ['queued', 'running'] })
    expect(tasksSearch({ status: 5 })).toEqual({})
    expect(tasksSearch({ sort: '-name' })).toEqual({ sort: '-name' })
    expect(tasksSearch({ sort: 'state' })).toEqual({})
  })

  it.each(['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', 'tasks'])(
    'never leads to %s after a sign-in',
    (next) => expect(signInSearch({ next })).toEqual({}),
  )

  it('leads back to a page of this site', () => {
    expect(signInSearch({ next: '/tasks?q=a' })).toEqual({ next: '/tasks?q=a' })
  })

  it('takes only whole places in a log', () => {
    expect(taskSearch({ tab: 'files', at: 12, attempt: -1 })).toEqual({ tab: 'files', at: 12 })
    expect(taskSearch({ tab: 'x', at: 1.5 })).toEqual({})
  })
})
