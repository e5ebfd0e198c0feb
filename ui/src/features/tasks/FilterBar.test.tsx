import { act, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { useEffect, useState } from 'react'
import { expect, it, vi } from 'vitest'
import type { TaskFilters } from '@/api/queries'
import { show } from '@/test/render'
import { FilterBar } from './FilterBar'

interface Address {
  settle: () => void
  change: (filters: TaskFilters) => void
}

const nothing = () => undefined
const address: Address = { settle: nothing, change: nothing }

/** The address, which takes a moment to change. */
function Page() {
  const [filters, setFilters] = useState<TaskFilters>({})
  useEffect(() => {
    address.change = setFilters
  }, [])
  return (
    <FilterBar
      filters={filters}
      onFilters={(next) => (address.settle = () => setFilters(next))}
      counts={undefined}
      owners={undefined}
      searchRef={{ current: null }}
    />
  )
}

it('keeps what is typed on while the address takes over what was typed before', async () => {
  show(<Page />)
  const input = await screen.findByRole('searchbox')
  await userEvent.type(input, 'abc')
  await vi.waitFor(() => expect(address.settle).not.toBe(nothing))
  await userEvent.type(input, 'd')
  act(() => address.settle())
  expect(input).toHaveValue('abcd')
  act(() => address.change({})) // the way back
  expect(input).toHaveValue('')
})
