import { render } from '@testing-library/react'
import { http, HttpResponse } from 'msw'
import { beforeEach, vi } from 'vitest'
import { App } from '@/app/App'
import { makeCluster, makeTask, makeUser } from './factories'
import { FakeSocket } from './fakeSocket'
import { server } from './server'

/** Before each test of the whole dashboard: a master with one user and one task, and rows that have a height. */
export function beforeEachApp() {
  beforeEach(() => {
    vi.stubGlobal('WebSocket', FakeSocket)
    FakeSocket.all = []
    // jsdom lays nothing out.
    vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(660)
    vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(1200)
    const task = makeTask({ name: 'the only one' })
    server.use(
      http.get('*/api/auth/me', () => HttpResponse.json(makeUser())),
      http.get('*/api/tasks', () => HttpResponse.json({ items: [task] })),
      http.get(`*/api/tasks/${task.task_id}`, () => HttpResponse.json(task)),
      http.get(`*/api/tasks/${task.task_id}/events`, () => HttpResponse.json({ items: [] })),
      http.get(`*/api/tasks/${task.task_id}/logs`, () => HttpResponse.text('')),
      http.get('*/api/cluster', () => HttpResponse.json(makeCluster())),
      http.get('*/api/users', () => HttpResponse.json({ items: [] })),
      http.get('*/version', () => HttpResponse.json({ version: '1', go: 'go' })),
    )
    return () => {
      vi.unstubAllGlobals()
      vi.restoreAllMocks()
    }
  })
}

/** Opens the dashboard at path, as a browser would. */
export function openApp(path: string) {
  window.history.replaceState(null, '', path)
  render(<App />)
}
