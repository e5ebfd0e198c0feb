import { existsSync, rmSync } from 'node:fs'
import { cp, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { youngest } from './cost'
import { ann, launch, Program, Visitor } from '../journeys/rig'

/** On the disk, as a master's data are, and kept between runs: filling takes a while. */
const cache = process.env.BENCH_DIR ?? fileURLToPath(new URL('../../.cache/bench-ui/', import.meta.url))

/** The API, as the person to whom everything belongs. */
export class Caller {
  token = ''
  constructor(private readonly url: string) {}

  async send(method: string, path: string, body?: unknown): Promise<string> {
    const reply = await fetch(this.url + path, {
      method,
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${this.token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await reply.text()
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`)
    return text
  }

  text = (path: string) => this.send('GET', path)
  get = async <T>(path: string) => JSON.parse(await this.send('GET', path)) as T
  post = async <T>(path: string, body: unknown) => JSON.parse(await this.send('POST', path, body)) as T
}

/** A master on its store and a worker whose containers cost next to nothing. */
export class Stage {
  url = ''
  readonly master: Program
  readonly worker: Program
  readonly api: Caller

  private constructor(
    private readonly dir: string,
    url: string,
    master: Program,
    worker: Program,
  ) {
    this.url = url
    this.master = master
    this.worker = worker
    this.api = new Caller(url)
  }

  private static async start(dir: string): Promise<Stage> {
    await mkdir(dir, { recursive: true })
    const master = new Program('master', { MASTER_DATA_DIR: join(dir, 'master') })
    master.start('serve', '--no-prompt', '--grpc-addr', '127.0.0.1:0', '--http-addr', '127.0.0.1:0')
    const [grpc, http] = await serving(master)
    const worker = new Program('worker', {
      EXECUTOR: 'fake',
      WORKER_ID: 'w1',
      WORKER_DATA_DIR: join(dir, 'worker'),
      JOIN_TOKEN_FILE: join(dir, 'master', 'join-token'),
      WORKER_CPU: '64',
      WORKER_MEMORY: '1t',
      WORKER_STORAGE: '1t',
      WORKER_ADDR: '127.0.0.1:0',
      MASTER_ADDR: grpc,
    })
    const stage = new Stage(dir, `http://localhost:${http.split(':').at(-1)}`, master, worker)
    worker.start()
    process.once('exit', stage.abandon)
    return stage
  }

  /**
   * A stage of its own. With a name it begins with what fill made of an empty one,
   * which is done once and kept.
   */
  static async open(kept?: { name: string; fill: (stage: Stage) => Promise<void> }): Promise<Stage> {
    const dir = join(cache, `run-${process.pid}-${Date.now()}`)
    if (!kept) {
      const stage = await Stage.start(dir)
      await stage.register()
      return stage
    }
    const store = join(cache, kept.name)
    if (!existsSync(store)) {
      const stage = await Stage.open()
      try {
        await kept.fill(stage)
        await stage.stop()
        await rename(stage.dir, store)
      } finally {
        await stage.close()
      }
    }
    await cp(store, dir, { recursive: true })
    const stage = await Stage.start(dir)
    await stage.signIn()
    return stage
  }

  private async signIn() {
    const { email, password } = ann
    const reply = await this.api.post<{ token: string }>('/api/auth/login', { email, password })
    this.api.token = reply.token
  }

  private async register() {
    const reply = await this.api.post<{ token: string }>('/api/auth/register', ann)
    this.api.token = reply.token
  }

  /** What there is time for when this program is stopped. */
  private readonly abandon = () => {
    void this.worker.stop('SIGKILL')
    void this.master.stop('SIGKILL')
    rmSync(this.dir, { recursive: true, force: true })
  }

  private async stop() {
    await this.worker.stop()
    await this.master.stop()
  }

  async close() {
    process.off('exit', this.abandon)
    await this.worker.stop('SIGKILL')
    await this.master.stop()
    await rm(this.dir, { recursive: true, force: true })
  }
}

/** Where a master that has been started serves. */
async function serving(master: Program): Promise<[grpc: string, http: string]> {
  try {
    return [await master.says(/msg=serving grpc=(\S+)/), await master.says(/msg=serving .*http=(\S+)/)]
  } catch (error) {
    await master.stop('SIGKILL')
    throw error
  }
}

/** A browser, whose pages are signed in. */
export class Audience {
  private constructor(
    readonly browser: Browser,
    /** Of the browser's first process, from which all others come. */
    readonly pid: number,
    private readonly stage: Stage,
  ) {}

  static async seat(stage: Stage): Promise<Audience> {
    const browser = await launch()
    return new Audience(browser, youngest(), stage)
  }

  /** A window with nothing in its cache. */
  async visitor(): Promise<Visitor> {
    const context = await this.browser.newContext({
      locale: 'en-GB',
      baseURL: this.stage.url,
      viewport: { width: 1440, height: 900 },
    })
    context.setDefaultTimeout(60_000)
    const visitor = new Visitor(context, await context.newPage(), this.stage.url)
    await visitor.signIn(ann)
    return visitor
  }

  close() {
    return this.browser.close()
  }
}
