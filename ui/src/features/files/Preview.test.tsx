import { screen } from '@testing-library/react'
import { http, HttpResponse } from 'msw'
import { expect, it } from 'vitest'
import { show } from '@/test/render'
import { server } from '@/test/server'
import { Preview } from './Preview'

function preview(path: string, content: string) {
  server.use(http.get('*/api/files/t1/content/*', () => HttpResponse.text(content)))
  show(
    <Preview
      id="t1"
      file={{ path, size: content.length, sha256: path, content_type: 'application/octet-stream' }}
    />,
  )
}

it('says when a table has more rows or columns than are shown', async () => {
  const row = Array.from({ length: 150 }, (_, i) => `c${i}`).join(',')
  preview('a.csv', `${row}\n${'1\n'.repeat(500)}`)
  await screen.findByText('Shown are the first 500 rows and the first 100 of 150 columns.')
  expect(document.querySelectorAll('tr')).toHaveLength(500)
  expect(document.querySelectorAll('th')).toHaveLength(100)
})

it('says nothing of the kind when all is shown', async () => {
  preview('b.csv', 'a,b\n1,2\n')
  await screen.findByRole('cell', { name: '2' })
  expect(screen.queryByText(/Shown are/)).toBeNull()
})

it('shows markup as what it is', async () => {
  preview('c.html', '<img src=x onerror="alert(1)">')
  expect(await screen.findByText('<img src=x onerror="alert(1)">')).toBeVisible()
  expect(document.querySelector('img')).toBeNull()
})

it('says that a file is empty', async () => {
  preview('d.txt', '')
  await screen.findByText('It is empty.')
})
