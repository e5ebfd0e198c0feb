import { afterAll, beforeAll, expect, it } from 'vitest'
import { ann, Rig, until, type Visitor } from './rig'

let rig: Rig
let visitor: Visitor

beforeAll(async () => {
  rig = await Rig.start('4s')
  visitor = await rig.open()
})

afterAll(() => rig.close())

const { email, password } = ann

it('leads whoever opens a new master to the first account, and says whose it is', async () => {
  const { page } = visitor
  await page.goto('/tasks')
  await page.getByRole('heading', { name: 'Set up CloudAI' }).waitFor()
  await visitor.isFine('register')
  expect(await page.getByLabel('Setup code').count()).toBe(0)
  const stranger = await rig.open({ extraHTTPHeaders: { 'X-Forwarded-For': '192.0.2.7' } })
  await stranger.page.goto('/')
  await stranger.page.getByLabel('Setup code').waitFor() // since it comes from elsewhere
  await stranger.close()
  await page.getByLabel('Name').fill('Ann')
  await page.getByLabel('Email').fill(email)
  await page.locator('input[name=password]').fill('short')
  await page.getByRole('button', { name: 'Create the account' }).click()
  expect(page.url()).toContain('/register') // eight characters are the least
  await page.locator('input[name=password]').fill(password)
  await page.getByRole('button', { name: 'Create the account' }).click()
  await page.getByText('You are the administrator').waitFor()
  await page.getByRole('heading', { name: 'Tasks' }).waitFor() // where the person wanted to go
})

it('tells somebody without anything what to do first', async () => {
  const { page } = visitor
  await page.getByRole('heading', { name: 'No task yet' }).waitFor()
  await visitor.isFine('empty tasks')
  await page.getByRole('link', { name: 'Workers' }).click()
  await page.getByRole('heading', { name: 'No worker yet' }).waitFor()
  await page.getByRole('button', { name: 'Add a worker' }).click()
  await page.getByText(/JOIN_TOKEN=\S+ \.\/runWorker\.sh/).waitFor()
  await visitor.isFine('add a worker')
  await page.keyboard.press('Escape')
  rig.startWorker()
  await page.getByRole('link', { name: 'w1' }).waitFor() // by itself
  await page.getByRole('link', { name: 'Dashboard' }).click()
  await page.getByText('task busybox --follow -- echo hello').waitFor()
  await visitor.isFine('empty dashboard')
})

it('does not show people to each other', async () => {
  const id = await visitor.submit({ name: 'a secret of Ann' })
  await visitor.page.goto('/tasks')
  await visitor.page.getByText('a secret of Ann').waitFor()
  const bob = await rig.open()
  await bob.account({ name: 'Bob', email: 'bob@example.org', password: 'staple battery' })
  await bob.page.goto('/tasks')
  await bob.page.getByRole('heading', { name: 'No task yet' }).waitFor()
  await bob.page.goto(`/tasks/${id}`)
  await bob.page.getByRole('alert').waitFor()
  expect(await bob.page.locator('main').innerText()).not.toContain('secret')
  await bob.page.goto('/settings')
  await bob.page.getByRole('tab', { name: 'API tokens' }).waitFor()
  expect(await bob.page.getByRole('tab', { name: 'Users' }).count()).toBe(0)
  expect(bob.complaints).toEqual([])
  await bob.close()
})

it('brings somebody whose sign-in has ended back to where it was', async () => {
  const { page } = visitor
  await page.goto('/tasks?status=succeeded')
  await page.getByText('a secret of Ann').waitFor()
  await visitor.context.request.post('/api/auth/logout') // elsewhere
  await page.getByText('Your sign-in is over').waitFor() // the live connection says so at once
  await visitor.isFine('expired')
  await page.getByLabel('Email').fill(email)
  await page.locator('input[name=password]').fill('wrong horse')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').waitFor()
  await page.locator('input[name=password]').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('a secret of Ann').waitFor()
  expect(page.url()).toContain('status=')
})

it('makes tokens that work, and ends them', async () => {
  const { page, context } = visitor
  await page.goto('/settings')
  await page.getByRole('tab', { name: 'API tokens' }).click()
  await page.getByRole('button', { name: 'Make a token' }).click()
  await page.getByRole('textbox', { name: 'Name' }).fill('ci')
  await visitor.isFine('new token')
  await page.getByRole('button', { name: 'Make it' }).click()
  const secret = await page.getByRole('region', { name: 'the token' }).innerText()
  await page.getByRole('button', { name: 'I have it' }).click()
  const stranger = await rig.open()
  const ask = () =>
    stranger.context.request.get('/api/tasks', { headers: { Authorization: `Bearer ${secret.trim()}` } })
  expect((await ask()).status()).toBe(200)
  await visitor.isFine('tokens')
  await page.getByRole('button', { name: 'End the token ci' }).click()
  await page.getByRole('button', { name: 'End it' }).click()
  await page.getByRole('heading', { name: 'No token yet' }).waitFor()
  expect((await ask()).status()).toBe(401)
  await stranger.close()
  await page.getByRole('tab', { name: 'Users' }).click()
  await page.getByRole('cell', { name: 'bob@example.org' }).waitFor()
  await visitor.isFine('users')
  await page.getByRole('tab', { name: 'Audit' }).click()
  await page.getByRole('cell', { name: 'createToken' }).first().waitFor()
  await visitor.isFine('audit')
  await page.getByLabel('Outcome').selectOption('denied')
  await page.getByRole('cell', { name: 'createToken' }).waitFor({ state: 'hidden' })
  await page
    .getByRole('cell', { name: /^login/ })
    .first()
    .waitFor() // with the wrong password
  await page.getByRole('tab', { name: 'Account' }).click()
  await visitor.isFine('account')
  expect(await context.cookies()).toHaveLength(1)
})

it('says when the master is away, and catches up when it is back', async () => {
  const { page } = visitor
  await page.goto('/tasks')
  await page.getByRole('button', { name: 'Connection: Live' }).waitFor()
  await rig.master.stop('SIGKILL')
  await page.getByRole('button', { name: 'Connection: Offline' }).waitFor()
  await visitor.isFine('offline')
  await rig.startMaster()
  await page.getByRole('button', { name: 'Connection: Live' }).waitFor()
  await visitor.submit({ name: 'after the storm' })
  await page.getByText('after the storm').waitFor() // over the new connection
})

it('shows a worker that was killed as lost, with what to do', async () => {
  const { page } = visitor
  await page.goto('/workers')
  await page.locator('[data-worker="w1"]').getByText('active').waitFor()
  await rig.worker.stop('SIGKILL')
  await page
    .locator('[data-worker="w1"]')
    .getByText(/lost|unreachable/)
    .waitFor()
  await page.getByRole('link', { name: 'w1' }).click()
  await page.getByText(/It is (lost|unreachable)/).waitFor()
  await visitor.isFine('lost worker')
  await page.getByRole('link', { name: 'Dashboard' }).click()
  await page.getByText('One worker is not at work').waitFor()
  await visitor.isFine('dashboard with troubles')
  await until(
    'the page has drawn it',
    async () => (await page.getByText('to look after').count()) > 0 || undefined,
  )
})
