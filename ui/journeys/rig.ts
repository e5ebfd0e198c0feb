import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import AxeBuilder from '@axe-core/playwright'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { expect } from 'vitest'

const bin = process.env.CLOUDAI_BIN ?? fileURLToPath(new URL('../../bin/', import.meta.url))

/** How long anything may take that a person waits for; a busy machine may need more. */
export const patience = Number(process.env.JOURNEY_PATIENCE ?? 30_000)

export const ann = { name: 'Ann', email: 'ann@example.org', password: 'correct horse' }

/** One of the two programs, with what it has printed. */
export class Program {
  output = ''
  private child: ChildProcess | undefined

  /** Of the process that runs. */
  get pid() {
    return this.child?.pid
  }

  constructor(
    private readonly name: string,
    private readonly env: Record<string, string>,
  ) {}

  start(...args: string[]) {
    const child = spawn(join(bin, this.name), args, {
      env: { PATH: process.env.PATH ?? '', ...this.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child = child
    const take = (chunk: Buffer) => (this.output += chunk.toString())
    child.stdout.on('data', take)
    child.stderr.on('data', take)
  }

  /** Waits until it has printed something, and gives the first group of the pattern. */
  async says(pattern: RegExp): Promise<string> {
    return await until(`${this.name} says ${pattern}`, () => {
      const found = this.output.match(pattern)
      if (!found && this.child?.exitCode !== null) throw new Error(`${this.name} has ended:\n${this.output}`)
      return found ? (found[1] ?? found[0]) : undefined
    })
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM') {
    const child = this.child
    this.child = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }
}

/** Asks again and again until there is an answer. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  within = patience,
): Promise<T> {
  const end = Date.now() + within
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Starts the browser that is here, without a window. */
export const launch = () =>
  chromium.launch({
    executablePath: process.env.PLAYWRIGHT_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  })

/** A master with a worker whose containers are only played, and a browser. */
export class Rig {
  url = ''
  readonly master: Program
  readonly worker: Program
  private readonly workers: Program[] = []
  private grpc = ''
  private http = '127.0.0.1:0'

  private constructor(
    private readonly dir: string,
    readonly browser: Browser,
    heartbeatTimeout: string,
  ) {
    this.master = new Program('master', {
      MASTER_DATA_DIR: join(dir, 'master'),
      HEARTBEAT_INTERVAL: '300ms',
      HEARTBEAT_TIMEOUT: heartbeatTimeout,
      FILES_QUOTA: '1m',
    })
    this.worker = this.anotherWorker('w1')
  }

  private anotherWorker(id: string) {
    const worker = new Program('worker', {
      EXECUTOR: 'fake',
      WORKER_ID: id,
      WORKER_DATA_DIR: join(this.dir, id),
      JOIN_TOKEN_FILE: join(this.dir, 'master', 'join-token'),
      WORKER_CPU: '8',
      WORKER_MEMORY: '16g',
      WORKER_STORAGE: '64g',
      WORKER_ADDR: '127.0.0.1:0',
    })
    this.workers.push(worker)
    return worker
  }

  /** A short timeout is for those who want to see a worker lost; on a busy machine it loses others too. */
  static async start(heartbeatTimeout = '15s'): Promise<Rig> {
    const [dir, browser] = await Promise.all([mkdtemp(join(tmpdir(), 'cloudai-ui-')), launch()])
    const rig = new Rig(dir, browser, heartbeatTimeout)
    await rig.startMaster()
    return rig
  }

  /** Starts it, or starts it again at the addresses that it had. */
  async startMaster() {
    this.master.output = ''
    this.master.start(
      'serve',
      '--no-prompt',
      '--grpc-addr',
      this.grpc || '127.0.0.1:0',
      '--http-addr',
      this.http,
    )
    this.grpc = await this.master.says(/msg=serving grpc=(\S+)/)
    this.http = await this.master.says(/msg=serving .*http=(\S+)/)
    this.url = `http://localhost:${this.http.split(':').at(-1)}`
  }

  startWorker() {
    this.worker.start('--master-addr', this.grpc)
  }

  /** One more, beside the first. */
  addWorker(id: string) {
    this.anotherWorker(id).start('--master-addr', this.grpc)
  }

  /** A browser's window of its own; whatever the page complains of fails the test that looks. */
  async open(options: Parameters<Browser['newContext']>[0] = {}): Promise<Visitor> {
    const context = await this.browser.newContext({
      locale: 'en-GB',
      baseURL: this.url,
      reducedMotion: 'reduce', // what is half faded in would be judged by its colours of that moment
      ...options,
    })
    context.setDefaultTimeout(patience)
    return new Visitor(context, await context.newPage(), this.url)
  }

  async close() {
    await this.browser.close()
    await Promise.all(this.workers.map((worker) => worker.stop('SIGKILL')))
    await this.master.stop()
    await rm(this.dir, { recursive: true, force: true })
  }
}

/** One person at one browser. */
export class Visitor {
  /** What went wrong in the page, such as a breach of its policy. */
  readonly complaints: string[] = []

  constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    private readonly url: string,
  ) {
    page.on('pageerror', (error) => this.complaints.push(String(error)))
    page.on('console', (message) => {
      // A refused call is logged by the browser itself and shown by the page.
      if (
        message.type() === 'error' &&
        !/Failed to load resource|WebSocket connection/.test(message.text())
      ) {
        this.complaints.push(message.text())
      }
    })
    page.on('request', (request) => {
      if (
        !/^(data|blob):/.test(request.url()) &&
        !request.url().replace(/^ws/, 'http').startsWith(this.url)
      ) {
        this.complaints.push(`it asked another site: ${request.url()}`)
      }
    })
  }

  /** Makes an account by the API and signs this browser in. */
  async account(person: { name: string; email: string; password: string }) {
    const reply = await this.context.request.post('/api/auth/register', { data: person })
    expect(reply.status(), await reply.text()).toBe(201)
  }

  async signIn(person: { email: string; password: string }) {
    const { email, password } = person
    const reply = await this.context.request.post('/api/auth/login', { data: { email, password } })
    expect(reply.status(), await reply.text()).toBe(200)
  }

  /** Submits a task by the API, which is not what the journey is about. */
  async submit(task: Record<string, unknown>): Promise<string> {
    const reply = await this.context.request.post('/api/tasks', {
      data: { docker_image: 'busybox', ...task },
    })
    expect(reply.status(), await reply.text()).toBe(201)
    return ((await reply.json()) as { task_id: string }).task_id
  }

  async ended(id: string) {
    await until(`task ${id} ends`, async () => {
      const reply = await this.context.request.get(`/api/tasks/${id}?wait=10s`)
      return ((await reply.json()) as { state: string }).state === 'stored'
    })
  }

  /**
   * No violation of accessibility, nothing that does not fit the width, and
   * nothing that the page complains of. In the other theme only colours differ.
   */
  async isFine(where: string) {
    await this.page.waitForFunction(() => document.querySelector('[aria-label="Loading"]') === null)
    await this.passes(where, this.axe())
    const dark = await this.page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches)
    await this.page.emulateMedia({ colorScheme: dark ? 'light' : 'dark' })
    await this.page.locator(`html[data-mantine-color-scheme="${dark ? 'light' : 'dark'}"]`).waitFor()
    await this.passes(`${where}, ${dark ? 'light' : 'dark'}`, this.axe().withRules(['color-contrast']))
    await this.page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' })
    const spills = await this.page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    )
    expect(spills, `pixels beyond the width at ${where}`).toBeLessThanOrEqual(0)
    expect(this.complaints, `complaints at ${where}`).toEqual([])
  }

  /** Without frames of other sites the short way, which opens no page of its own, finds as much. */
  private axe() {
    return new AxeBuilder({ page: this.page }).setLegacyMode()
  }

  private async passes(where: string, axe: AxeBuilder) {
    const { violations } = await axe.analyze()
    const found = violations.map(
      (v) =>
        `${v.id}: ${v.help}\n${v.nodes.map((n) => `  ${n.html.slice(0, 300)}\n  ${n.failureSummary}`).join('\n')}`,
    )
    expect(found.join('\n'), `axe at ${where}`).toBe('')
  }

  close() {
    return this.context.close()
  }
}
