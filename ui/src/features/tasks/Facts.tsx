import type { ReactNode } from 'react'
import type { Task } from '@/api/client'
import { Time } from '@/components/Time'
import { formatBytes, formatCores, formatMiB } from '@/lib/format'
import classes from './Facts.module.css'

/** What was asked for, and what is known of it, as a list of names and values. */
export function Facts({ task }: { task: Task }) {
  return <List facts={[...summary(task), ...limits(task), ...rest(task)]} />
}

export function FactsSummary({ task }: { task: Task }) {
  return <List facts={summary(task)} />
}

type Fact = [string, ReactNode]

function List({ facts }: { facts: Fact[] }) {
  return (
    <dl className={classes.facts}>
      {facts
        .filter(([, value]) => value !== undefined && value !== '')
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

function summary(task: Task): Fact[] {
  const { usage } = task
  return [
    [
      'Image',
      <span className="mono" key="image">
        {task.docker_image}
      </span>,
    ],
    ['Command', task.command && <span className="mono">{task.command}</span>],
    ['Arguments', task.args?.length ? <span className="mono">{task.args.join(' ')}</span> : undefined],
    ['Worker', task.worker_id],
    ['Created', <Time key="created" at={task.created_at} />],
    ['Exit code', task.exit_code === undefined ? undefined : String(task.exit_code)],
    ['CPU time', usage?.cpu_seconds === undefined ? undefined : `${formatCores(usage.cpu_seconds)} s`],
    ['Most memory', usage?.memory_peak === undefined ? undefined : formatMiB(usage.memory_peak)],
    ['Log', usage && formatBytes(usage.log_bytes)],
    ['Files', usage && formatBytes(usage.output_bytes)],
  ]
}

function limits(task: Task): Fact[] {
  return [
    ['CPU limit', `${formatCores(task.cpu_required)} cores`],
    ['Memory limit', formatMiB(task.memory_required)],
    ['Storage limit', formatMiB(task.storage_required)],
    ['GPUs', task.gpu_required > 0 ? String(task.gpu_required) : undefined],
    ['Timeout', task.timeout ?? 'none'],
  ]
}

const pairs = (values: Record<string, string>) =>
  Object.entries(values)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')

function rest(task: Task): Fact[] {
  return [
    ['Priority', String(task.priority)],
    ['Network', task.network],
    ['Retries', `${task.max_retries} after failures, ${task.max_reschedules} after losses`],
    ['Grace period', task.grace_period],
    ['Working directory', task.workdir],
    ['Only on worker', task.target_worker_id],
    ['Environment', pairs(task.env)],
    ['Labels', pairs(task.labels)],
    ['Constraints', pairs(task.constraints)],
    ['Input files', task.inputs?.map((input) => `${input.path} (${formatBytes(input.size)})`).join('\n')],
    ['User', task.user_id],
    ['Version', String(task.version)],
  ]
}
