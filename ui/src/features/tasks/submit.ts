import { Validator } from '@cfworker/json-schema'
import taskRequestSchema from '@/api/generated/taskRequest.json'
import type { TaskRequest } from '@/api/client'
import { commandLine, quote, splitWords } from '@/lib/shell'
import { linesOf, pairsOf } from './pairs'

/** What the form holds: texts as they were typed. */
export interface Draft {
  docker_image: string
  name: string
  how: 'args' | 'command'
  args: string
  command: string
  cpu_required: number | string
  memory_required: number | string
  storage_required: number | string
  gpu_required: number | string
  timeout: string
  priority: number | string
  max_retries: number | string
  max_reschedules: number | string
  grace_period: string
  network: 'bridge' | 'none'
  workdir: string
  target_worker_id: string
  env: string
  labels: string
  constraints: string
  shm_size: number | string
  inputs: InputFile[]
}

export type InputFile = NonNullable<TaskRequest['inputs']>[number]

const defaults = taskRequestSchema.properties

export const emptyDraft: Draft = {
  docker_image: '',
  name: '',
  how: 'args',
  args: '',
  command: '',
  cpu_required: defaults.cpu_required.default,
  memory_required: defaults.memory_required.default,
  storage_required: defaults.storage_required.default,
  gpu_required: defaults.gpu_required.default,
  timeout: '',
  priority: defaults.priority.default,
  max_retries: defaults.max_retries.default,
  max_reschedules: defaults.max_reschedules.default,
  grace_period: '',
  network: 'bridge',
  workdir: '',
  target_worker_id: '',
  env: '',
  labels: '',
  constraints: '',
  shm_size: 0,
  inputs: [],
}

export type Errors = Partial<Record<keyof Draft | 'form', string>>

const numbers = [
  'cpu_required',
  'memory_required',
  'storage_required',
  'gpu_required',
  'priority',
  'max_retries',
  'max_reschedules',
] as const
const texts = ['name', 'timeout', 'grace_period', 'workdir', 'target_worker_id'] as const
const maps = ['env', 'labels', 'constraints'] as const

/** What would be sent, without what is as the master has it anyway, and what is wrong with it. */
export function requestOf(draft: Draft): { body: TaskRequest; errors: Errors } {
  const errors: Errors = {}
  const body: TaskRequest = { docker_image: draft.docker_image.trim() }
  if (draft.how === 'command') {
    if (draft.command.trim() !== '') body.command = draft.command
  } else {
    const words = splitWords(draft.args)
    if (words === null) errors.args = 'A quote is not closed.'
    else if (words.length > 0) body.args = words
  }
  for (const field of numbers) {
    const value = Number(draft[field])
    if (draft[field] === '' || Number.isNaN(value)) errors[field] = 'Must be a number.'
    else if (value !== emptyDraft[field]) body[field] = value
  }
  if (Number(draft.shm_size) > 0) body.shm_size = Number(draft.shm_size)
  for (const field of texts) {
    const value = draft[field].trim()
    if (value !== '') body[field] = value
  }
  for (const field of maps) {
    const read = pairsOf(draft[field])
    if ('bad' in read) errors[field] = `Not of the form NAME=value: ${read.bad}`
    else if (Object.keys(read.values).length > 0) body[field] = read.values
  }
  if (draft.inputs.length > 0) body.inputs = draft.inputs
  if (draft.network !== 'bridge') body.network = draft.network
  for (const [field, message] of Object.entries(schemaErrors(body))) errors[field as keyof Errors] ??= message
  return { body, errors }
}

const validator = new Validator(taskRequestSchema as never, '2020-12', false)

const isField = (name: string): name is keyof Draft => name in emptyDraft

/** What the API's own schema says about a body, by field. */
function schemaErrors(body: TaskRequest): Errors {
  const errors: Errors = {}
  for (const { instanceLocation, keyword, error } of validator.validate(body).errors) {
    const field = instanceLocation.split('/')[1] ?? ''
    if (keyword === 'properties' || keyword === '$ref') continue // only says that something inside is wrong
    if (isField(field)) errors[field] ??= wording(field, keyword) ?? error
    else errors.form ??= error
  }
  return errors
}

function wording(field: keyof Draft, keyword: string): string | undefined {
  const schema = defaults[field as keyof typeof defaults] as {
    minimum?: number
    maximum?: number
    maxLength?: number
  }
  switch (keyword) {
    case 'minLength':
      return 'Is required.'
    case 'maxLength':
      return `At most ${schema.maxLength} characters.`
    case 'minimum':
      return `At least ${schema.minimum}.`
    case 'maximum':
      return `At most ${schema.maximum}.`
    case 'type':
      return 'Must be a whole number.'
    default:
      return undefined
  }
}

/** The draft of the same again, with its input files. */
export function draftOf(body: TaskRequest): Draft {
  const draft: Draft = {
    ...emptyDraft,
    docker_image: body.docker_image,
    how: body.command === undefined ? 'args' : 'command',
    args: (body.args ?? []).map(quote).join(' '),
    command: body.command ?? '',
    grace_period: body.grace_period === '10s' ? '' : (body.grace_period ?? ''),
    network: body.network === 'none' ? 'none' : 'bridge',
    shm_size: body.shm_size ?? 0,
    inputs: body.inputs ?? [],
  }
  for (const field of numbers) draft[field] = body[field] ?? emptyDraft[field]
  for (const field of ['name', 'timeout', 'workdir', 'target_worker_id'] as const)
    draft[field] = body[field] ?? ''
  for (const field of maps) draft[field] = linesOf(body[field] ?? {})
  return draft
}

/** The same call with curl; the token is the caller's to fill in. */
export function asCurl(body: TaskRequest, origin: string): string {
  return commandLine([
    ['curl', '-sS', `${origin}/api/tasks`],
    ['-H', 'Content-Type: application/json'],
    ['-d', JSON.stringify(body)],
  ]).replace(' -d ', ' -H "Authorization: Bearer $TOKEN" -d ')
}

/** The same at the prompt, and which fields it has no flag for. */
export function asPrompt(body: TaskRequest): { line: string; missing: string[] } {
  const groups: string[][] = [['task', body.docker_image || 'IMAGE']]
  const flag = (name: string, value: string | number | undefined) => {
    if (value !== undefined) groups.push([name, String(value)])
  }
  flag('--name', body.name)
  flag('--cpu', body.cpu_required)
  flag('--mem', body.memory_required === undefined ? undefined : `${body.memory_required}m`)
  flag('--storage', body.storage_required === undefined ? undefined : `${body.storage_required}m`)
  flag('--gpu', body.gpu_required)
  for (const [name, values] of [
    ['--env', body.env],
    ['--label', body.labels],
    ['--constraint', body.constraints],
  ] as const) {
    for (const [key, value] of Object.entries(values ?? {})) flag(name, `${key}=${value}`)
  }
  flag('--timeout', body.timeout)
  flag('--priority', body.priority)
  flag('--retries', body.max_retries)
  flag('--network', body.network)
  flag('--command', body.command)
  if (body.args?.length) groups.push(['--', ...body.args])
  const missing = (
    ['workdir', 'grace_period', 'max_reschedules', 'target_worker_id', 'shm_size', 'inputs'] as const
  ).filter((field) => body[field] !== undefined)
  return { line: groups.map((group) => group.map(quote).join(' ')).join(' '), missing }
}
