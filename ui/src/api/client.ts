import createClient from 'openapi-fetch'
import { hearTime } from '@/lib/now'
import type { components, paths } from './generated/schema'

type Schemas = components['schemas']
export type Task = Schemas['Task']
export type TaskStatus = Task['status']
export type TaskRequest = Schemas['TaskRequest']
export type TaskChange = Schemas['TaskChange']
export type TaskEvent = Schemas['Event']
export type Attempt = Schemas['Attempt']
export type Worker = Schemas['Worker']
export type WorkerStatus = Worker['status']
export type Cluster = Schemas['Cluster']
export type ClusterSample = Schemas['ClusterSample']
export type Health = Schemas['Health']
export type WorkerMetrics = Schemas['WorkerMetrics']
export type Resources = Schemas['Resources']
export type Telemetry = Schemas['Telemetry']
export type LogRecord = Schemas['LogRecord']
export type FileList = Schemas['Files']
export type FileEntry = Schemas['File']
export type User = Schemas['User']
export type APIToken = Schemas['APIToken']
export type Problem = Schemas['Problem']
export type FieldError = Schemas['FieldError']

/** What the master has to say when it refuses, or what kept it from being asked. */
export class ApiError extends Error {
  readonly status: number
  readonly title: string
  readonly fields: FieldError[]

  constructor(problem: Partial<Problem>, status: number) {
    super(problem.detail ?? problem.title ?? `The master answered ${status}.`)
    this.name = 'ApiError'
    this.status = status
    this.title = problem.title ?? 'Error'
    this.fields = problem.errors ?? []
  }

  /** The message for one field of what was sent, if there is one. */
  field(location: string): string | undefined {
    return this.fields.find((f) => f.location === location)?.message
  }
}

/** Nothing came back: no network, or no master. */
export const isOffline = (error: unknown) => error instanceof ApiError && error.status === 0

/** It was there, or never was. */
export const isGone = (error: unknown) => error instanceof ApiError && error.status === 404

type Listener = () => void
const signedOut = new Set<Listener>()

/** Tells when a call was refused because the sign-in is over. */
export function onSignedOut(listener: Listener): () => void {
  signedOut.add(listener)
  return () => signedOut.delete(listener)
}

/** For those that hear of it by another way than a call, such as a socket. */
export function reportSignedOut() {
  signedOut.forEach((listener) => listener())
}

/** The browser's cookie says who calls; no script ever sees the token. */
export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? '',
  credentials: 'same-origin',
  // The API takes several values of one name with commas between them.
  querySerializer: { array: { style: 'form', explode: false } },
  // Looked up at each call, so that tests can put a server in its place.
  fetch: async (request) => {
    const response = await globalThis.fetch(request)
    hearTime(response.headers.get('Date'))
    return response
  },
})

interface Reply<T> {
  data?: T
  error?: unknown
  response: Response
}

/** Waits for a call and gives its data; throws an ApiError otherwise. */
export async function call<T>(reply: Promise<Reply<T>>): Promise<T> {
  let result: Reply<T>
  try {
    result = await reply
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError(
      { title: 'Offline', detail: 'The master does not answer. Is it running, and is this machine online?' },
      0,
    )
  }
  const { data, error, response } = result
  if (response.ok) return data as T
  throw refused(response, error)
}

const answering = /\/api\/auth\/(me|login|logout|register|password)$/

/** The error of a reply that is not ok, which everybody hears of who must. */
export function refused(response: Response, problem: unknown): ApiError {
  const known = typeof problem === 'object' && problem !== null ? (problem as Partial<Problem>) : {}
  // For some calls 401 is an answer, such as that a password is wrong.
  if (response.status === 401 && !answering.test(response.url)) reportSignedOut()
  return new ApiError(known, response.status)
}
