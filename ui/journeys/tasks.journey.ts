import { afterAll, beforeAll, expect, it } from 'vitest'
import { ann, Rig, until, type Visitor } from './rig'

let rig: Rig
let visitor: Visitor

beforeAll(async () => {
  rig = await Rig.start()
  rig.startWorker()
  visitor = await rig.open({ colorScheme: 'dark' })
  await visitor.account(ann)
})

afterAll(() => rig.close())

it('submits a task, shows its log live, its end, and its files', async () => {
  const { page } = visitor
  await page.goto('/submit')
  await page.getByRole('button', { name: 'Submit', exact: true }).click()
  await page.getByText('Is required.').waitFor()
  await page.getByPlaceholder('busybox').fill('busybox')
  await page.keyboard.press('Escape') // the list of images
  await page.getByRole('textbox', { name: 'Arguments' }).fill(`sh -c 'echo "hi"'`)
  await page.getByRole('textbox', { name: 'Name' }).fill('first one')
  await page.getByText('Environment, files, timeout').click()
  await page
    .getByRole('textbox', { name: 'Environment' })
    .fill('FAKE_SLEEP=3s\nFAKE_LOG_LINES=40\nFAKE_OUTPUT_FILES=2\nFAKE_OUTPUT_BYTES=64')
  await page.getByText(`-- sh -c 'echo "hi"'`).waitFor()
  await visitor.isFine('submit')
  await page.getByRole('button', { name: 'Submit', exact: true }).click()
  await page.getByRole('heading', { name: 'first one' }).waitFor()
  await page.locator('h1 ~ *').getByText('running').first().waitFor()
  await page.getByText('The log is complete.').waitFor()
  await page.locator('h1 ~ *').getByText('succeeded').first().waitFor()
  expect(await page.getByRole('log').innerText()).not.toBe('')
  await visitor.isFine('task')
  await page.getByRole('tab', { name: 'Files' }).click()
  await page.getByRole('navigation', { name: 'Files' }).getByRole('button').first().click()
  await page.getByText('SHA-256').waitFor()
  await visitor.isFine('files')
  const download = page.waitForEvent('download')
  await page.getByRole('link', { name: /^Download \(/ }).click()
  expect(await (await download).failure()).toBeNull()
  await page.getByRole('meter', { name: 'Your output files' }).waitFor()
  await page.getByRole('tab', { name: 'Usage' }).click()
  await visitor.isFine('usage')
  await page.getByRole('tab', { name: 'Everything asked' }).click()
  await page.getByText('FAKE_LOG_LINES=40').waitFor()
  await visitor.isFine('everything asked')
})

it('lists what takes the room of files, and makes some', async () => {
  const { page } = visitor
  await page.goto('/settings?tab=files')
  await page.getByRole('button', { name: 'Delete the files of first one' }).click()
  await visitor.isFine('asking before files are deleted')
  await page.getByRole('button', { name: 'Delete them' }).click()
  await page.getByRole('heading', { name: 'No task has left files' }).waitFor()
  await page.getByText('0 B of 1 MiB').waitFor()
})

it('does the same where browsers allow a page less, as by plain HTTP from another machine', async () => {
  const afar = await rig.open()
  await afar.signIn(ann)
  await afar.page.addInitScript(() => {
    Reflect.deleteProperty(Crypto.prototype, 'randomUUID')
    Reflect.deleteProperty(Navigator.prototype, 'clipboard')
  })
  const { page } = afar
  await page.goto('/submit')
  await page.getByPlaceholder('busybox').fill('busybox')
  await page.keyboard.press('Escape') // the list of images
  await page.getByRole('button', { name: "Copy the prompt's command" }).click()
  await page.getByText('Copied').first().waitFor()
  await page.getByRole('button', { name: 'Submit', exact: true }).click()
  await page.getByText('The log is complete.').waitFor()
  await page.getByRole('button', { name: 'Retry' }).click()
  await page.getByText('a retry of').waitFor()
  expect(afar.complaints).toEqual([])
  await afar.close()
})

it('explains a failure, and clones with what was asked', async () => {
  const { page } = visitor
  const id = await visitor.submit({
    name: 'ends badly',
    memory_required: 64,
    env: { FAKE_FAIL: 'oom' },
    inputs: [{ path: 'words.txt', content: 'one two' }],
  })
  await page.goto(`/tasks/${id}`)
  await page.getByText('It ran out of memory').waitFor()
  await page.getByText('It was allowed 64 MiB').waitFor()
  await visitor.isFine('failed task')
  await page.getByRole('link', { name: 'Clone and edit' }).click()
  await page.getByText('Begun as a clone of ends badly').waitFor()
  expect(await page.getByRole('textbox', { name: 'Memory' }).inputValue()).toBe('64 MiB')
  expect(await page.getByRole('textbox', { name: 'Content of input file 1' }).inputValue()).toBe('one two')
  await visitor.isFine('clone')
  await page.goBack()
  await page.getByRole('button', { name: 'Retry' }).click()
  await page.getByText(`a retry of ${id}`).waitFor()
})

it('says why a task waits, edits it in its place, and cancels it', async () => {
  const { page } = visitor
  const id = await visitor.submit({ name: 'too large', cpu_required: 4096 })
  await page.goto(`/tasks/${id}`)
  await page
    .getByText(/unschedulable.*asked 4096/)
    .first()
    .waitFor()
  await visitor.isFine('waiting task')
  await page.getByRole('button', { name: 'Edit' }).focus()
  await page.keyboard.press('Enter')
  const name = page.getByRole('textbox', { name: 'Name' })
  await name.fill('large')
  const elsewhere = await visitor.context.request.patch(`/api/tasks/${id}`, { data: { priority: 70 } })
  expect(elsewhere.status()).toBe(200)
  await name.press('Enter')
  await page.getByText('Somebody has changed it meanwhile').waitFor()
  await visitor.isFine('edit that was overtaken')
  await name.press('Enter')
  await page.getByRole('heading', { name: 'large', exact: true }).waitFor()
  const edited = (await (await visitor.context.request.get(`/api/tasks/${id}`)).json()) as object
  expect(edited).toMatchObject({ name: 'large', priority: 70 })
  expect(await page.getByText('What would help:').count()).toBe(1) // what has been pushed by now does not say it
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.locator('h1 ~ *').getByText('cancelled').first().waitFor()
  await page.getByText('Attempt 1: cancelled').waitFor() // in the timeline
  await page.getByRole('button', { name: 'Retry' }).waitFor()
})

it('goes on with a log at its last byte when the connection is cut', async () => {
  const { page, context } = visitor
  const id = await visitor.submit({ name: 'talks', env: { FAKE_SLEEP: '10m', FAKE_LOG_LINES: '10000' } })
  await page.goto(`/tasks/${id}`)
  await page.getByText('Live', { exact: true }).nth(1).waitFor()
  await page.getByRole('log').locator('[data-stream]').first().waitFor()
  await context.setOffline(true)
  await page.getByRole('button', { name: 'Connection: Offline' }).waitFor()
  await context.setOffline(false)
  await page.getByText('Live', { exact: true }).nth(1).waitFor()
  await context.request.delete(`/api/tasks/${id}`) // it talks for as long as all this takes
  await page.getByText('The log is complete.').waitFor()
  const shown = await page.getByRole('log').innerText()
  const log = await (await context.request.get(`/api/tasks/${id}/logs`)).text()
  const last = log.trimEnd().split('\n').at(-1) ?? 'nothing'
  expect(shown).toContain(last)
})

it('finds, chooses and cancels tasks by keyboard, with the filters in the address', async () => {
  const { page } = visitor
  for (let i = 0; i < 3; i++) await visitor.submit({ name: `sleeper-${i}`, env: { FAKE_SLEEP: '10m' } })
  await page.goto('/tasks')
  await page.getByText('sleeper-2').waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('sleeper')
  await page.waitForURL(/q=sleeper/)
  await page.getByRole('status').getByText('3 tasks').waitFor()
  await page.getByRole('button', { name: /^running/ }).click()
  await page.waitForURL(/status=/)
  await page.reload()
  await page.getByRole('status').getByText('3 tasks').waitFor() // the address says it all
  await visitor.isFine('tasks') // not before, when the rows may still be pale ones of another answer
  await page.getByRole('grid').focus()
  await page.keyboard.press('Space')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Space')
  await page.getByText('2 chosen').waitFor()
  await page.getByRole('button', { name: 'Cancel 2' }).click()
  await visitor.isFine('asking before the cancel')
  await page.getByRole('button', { name: 'Cancel them' }).click()
  await until('two are cancelled', async () => {
    const reply = await visitor.context.request.get('/api/tasks?status=cancelled&name=sleeper')
    return ((await reply.json()) as { items: unknown[] }).items.length === 2 || undefined
  })
  await page.getByRole('button', { name: 'Cancel all that match' }).click()
  await page.getByText('1 task waits or runs and match').waitFor()
  await visitor.isFine('asking before the cancel of all that match')
  await page.getByRole('button', { name: 'Cancel 1', exact: true }).click()
  await page.getByText('No task matches').waitFor() // none of them runs any more
  await page.goto('/tasks?q=sleeper')
  await page.getByRole('button', { name: 'Task', exact: true }).click()
  await page.waitForURL(/sort=name/)
  await page.getByRole('columnheader', { name: 'Task' }).and(page.locator('[aria-sort=ascending]')).waitFor()
  await page.getByRole('row').nth(1).getByText('sleeper-0').waitFor()
  await page.getByRole('grid').focus()
  await page.keyboard.press('Home')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: /sleeper/ }).waitFor()
})

it('fits a phone', async () => {
  const phone = await rig.open({ viewport: { width: 390, height: 844 }, hasTouch: true })
  await phone.signIn(ann)
  const long = 'a-name-without-a-space-'.repeat(4)
  await phone.submit({
    name: long,
    docker_image: `registry.example.org:5000/${long}@sha256:${'0f'.repeat(32)}`,
  })
  await phone.page.goto('/')
  await phone.page.getByText('Newest tasks').waitFor()
  await phone.page.getByRole('img', { name: 'Tasks waiting over the last hour' }).waitFor() // of before it was opened
  await phone.isFine('dashboard on a phone')
  for (const [link, heading] of [
    ['Tasks', 'Tasks'],
    ['Submit a task', 'Submit a task'],
    ['Workers', 'Workers'],
    ['Settings', 'Settings'],
  ] as const) {
    await phone.page.getByRole('button', { name: 'Navigation' }).click()
    await phone.page.getByRole('navigation').getByRole('link', { name: link }).click()
    await phone.page.getByRole('heading', { name: heading, level: 1 }).waitFor()
    await phone.isFine(`${link} on a phone`)
  }
  const id = await phone.submit({ name: 'seen on a phone', env: { FAKE_LOG_LINES: '30' } })
  await phone.ended(id)
  await phone.page.goto('/tasks?q=phone')
  await phone.page.getByRole('link', { name: 'seen on a phone' }).click()
  await phone.page.getByText('The log is complete.').waitFor()
  await phone.isFine('task on a phone')
  await phone.close()
})
