import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it, vi } from 'vitest'
import { show } from '@/test/render'
import { InputFiles } from './InputFiles'

it('does not read what is too large to be brought along', async () => {
  const onChange = vi.fn()
  show(<InputFiles inputs={[]} error={undefined} onChange={onChange} />)
  await screen.findByRole('button', { name: 'From this computer' })
  const file = new File(['x'], 'disk.img')
  Object.defineProperty(file, 'size', { value: 5 * 2 ** 30 })
  const read = vi.fn()
  Object.defineProperty(file, 'arrayBuffer', { value: read })
  const input = document.querySelector<HTMLInputElement>('input[type=file]')
  if (!input) throw new Error('no field for files')
  await userEvent.upload(input, file)
  expect(await screen.findByRole('alert')).toHaveTextContent('5 GiB are more than a task can bring along')
  expect(read).not.toHaveBeenCalled()
  expect(onChange).not.toHaveBeenCalled()
})
