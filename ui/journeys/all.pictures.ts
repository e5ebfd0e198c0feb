import { mkdir, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ann, Rig, until, type Visitor } from './rig'

const target = process.env.SCREENSHOTS ?? fileURLToPath(new URL('../../.cache/screenshots/', import.meta.url))

/** The pictures that README.md shows. */
const shown = process.env.PICTURES ?? fileURLToPath(new URL('../../docs/pictures/', import.meta.url))

let rig: Rig
let state: Awaited<ReturnType<Visitor['context']['storageState']>>
const pages: [name: string, path: string, ready: string][] = []

/** A cluster with something of everything. */
beforeAll(async () => {
  await Promise.all([mkdir(target, { recursive: true }), mkdir(shown, { recursive: true })])
  rig = await Rig.start()
  rig.startWorker()
  for (const id of ['w2', 'w3', 'w4']) rig.addWorker(id)
  const visitor = await rig.open()
  await visitor.account(ann)
  const good = await visitor.submit({
    docker_image: 'python:3.13-slim',
    args: ['python', 'report.py', '--day', 'yesterday'],
    name: 'nightly-report',
    labels: { team: 'blue' },
    env: { FAKE_LOG_LINES: '300', FAKE_OUTPUT_FILES: '3', FAKE_OUTPUT_BYTES: '2000' },
  })
  const failed = await visitor.submit({
    docker_image: 'registry.example.org/orders:2.4',
    args: ['import', '--since', 'monday'],
    name: 'import-orders',
    env: { FAKE_LOG_LINES: '40', FAKE_EXIT: '3' },
  })
  const oom = await visitor.submit({
    docker_image: 'pytorch/pytorch:2.9.0',
    args: ['python', 'train.py', '--epochs', '40'],
    name: 'train-model',
    memory_required: 2048,
    env: { FAKE_FAIL: 'oom', FAKE_SLEEP: '8s', FAKE_LOG_LINES: '40' },
  })
  const missing = await visitor.submit({ docker_image: 'busybocks', env: { FAKE_FAIL: 'pull' } })
  for (const id of [good, failed, oom, missing]) await visitor.ended(id)
  for (let i = 0; i < 30; i++)
    await visitor.submit({
      docker_image: 'registry.example.org/thumbnails:1.8',
      args: ['--album', String(i)],
      name: `thumbnails-${i}`,
      env: { FAKE_LOG_LINES: '5', FAKE_SLEEP: `${i}s` },
    })
  const running = await visitor.submit({
    docker_image: 'registry.example.org/simulation:0.9',
    name: 'long-simulation',
    cpu_required: 4,
    memory_required: 4096,
    env: { FAKE_SLEEP: '1h', FAKE_LOG_LINES: '20' },
  })
  const waiting = await visitor.submit({ name: 'too-large', cpu_required: 4096 })
  await until('the long one runs', async () => {
    const reply = await visitor.context.request.get(`/api/tasks/${running}`)
    return ((await reply.json()) as { status: string }).status === 'running'
  })
  await until('there is a while to look back at', async () => {
    const reply = await visitor.context.request.get('/api/cluster/metrics?step=10s')
    return ((await reply.json()) as { samples: unknown[] }).samples.length > 3
  })
  state = await visitor.context.storageState()
  await visitor.close()
  pages.push(
    ['dashboard', '/', 'Newest tasks'],
    ['tasks', '/tasks', 'too-large'],
    ['task-succeeded', `/tasks/${good}`, 'The log is complete'],
    ['task-files', `/tasks/${good}?tab=files`, 'All as zip'],
    ['task-oom', `/tasks/${oom}?tab=usage`, 'Memory'],
    ['task-failed', `/tasks/${failed}`, 'What to do'],
    ['task-running', `/tasks/${running}`, 'Cancel'],
    ['task-waiting', `/tasks/${waiting}`, 'Waiting, place'],
    ['submit', `/submit?from=${good}`, 'Begin from an earlier task'],
    ['workers', '/workers', 'w1'],
    ['worker', '/workers/w1', 'Running here'],
    ['settings', '/settings', 'Change the password'],
    ['files', '/settings?tab=files', 'nightly-report'],
    ['users', '/settings?tab=users', 'Add a user'],
    ['audit', '/settings?tab=audit', 'submitTask'],
  )
})

afterAll(() => rig.close())

const wide = { width: 1280, height: 860 }
const looks = [
  { name: 'light', colorScheme: 'light', viewport: wide },
  { name: 'dark', colorScheme: 'dark', viewport: wide },
  { name: 'phone', colorScheme: 'light', viewport: { width: 390, height: 844 } },
] as const

async function open(visitor: Visitor, path: string, ready: string) {
  await visitor.page.goto(path)
  await visitor.page.getByText(ready).first().waitFor()
  await visitor.page.getByText('Live', { exact: true }).first().waitFor()
  await visitor.page.waitForFunction(() => document.querySelector('[aria-label="Loading"]') === null)
}

it.each(looks)('$name', async ({ name, colorScheme, viewport }) => {
  const guest = await rig.open({ colorScheme, viewport })
  await guest.page.goto('/sign-in')
  await guest.page.getByRole('button', { name: 'Sign in' }).waitFor()
  await guest.page.screenshot({ path: `${target}/sign-in-${name}.png` })
  await guest.close()
  const visitor = await rig.open({ colorScheme, viewport, storageState: state })
  for (const [page, path, ready] of pages) {
    await open(visitor, path, ready)
    await visitor.page.screenshot({ path: `${target}/${page}-${name}.png`, fullPage: true })
  }
  await visitor.close()
})

it('README.md', async () => {
  for (const [page, colorScheme] of [
    ['dashboard', 'light'],
    ['tasks', 'light'],
    ['task-oom', 'dark'],
  ] as const) {
    const visitor = await rig.open({ colorScheme, viewport: wide, storageState: state })
    const [, path, ready] = pages.find(([name]) => name === page) ?? ['', '', '']
    await open(visitor, path, ready)
    const picture = `${shown}/${page}.png`
    await visitor.page.screenshot({ path: picture })
    expect((await stat(picture)).size, picture).toBeLessThan(150_000)
    await visitor.close()
  }
})
