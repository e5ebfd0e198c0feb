import type { ReactNode } from 'react'
import type { Task } from '@/api/client'
import { AnchorLink } from '@/components/links'
import { Time } from '@/components/Time'
import { between, formatBytes, formatCores, formatCount, formatDuration, formatMiB } from '@/lib/format'
import { useNow } from '@/lib/now'
import { isTerminal } from './columns'
import classes from './Facts.module.css'

/** What was asked for, and what is known of it, as a list of names and values. */
export function Facts({ task, owner }: Props) {
  return <List facts={[...summary(task), ...limits(task), ...rest(task, owner)]} />
}

export function FactsSummary({ task, owner }: Props) {
  return <List facts={[...summary(task), ['Owner', owner]]} />
}

interface Props {
  task: Task
  /** Whose it is, for those who see tasks of others. */
  owner: string | undefined
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
    [
      'Worker',
      task.worker_id && (
        <AnchorLink
          to="/workers/$workerId"
          params={{ workerId: task.worker_id }}
          size="sm"
          underline="always"
        >
          {task.worker_id}
        </AnchorLink>
      ),
    ],
    ['Created', <Time key="created" at={task.created_at} exact />],
    ['Started', task.started_at && <Time at={task.started_at} exact />],
    ['Ended', task.finished_at && <Time at={task.finished_at} exact />],
    ['Took', task.started_at && <Took task={task} />],
    ['Exit code', task.exit_code === undefined ? undefined : String(task.exit_code)],
    ['CPU time', usage?.cpu_seconds === undefined ? undefined : formatDuration(usage.cpu_seconds * 1000)],
    ['Peak memory', usage?.memory_peak === undefined ? undefined : formatMiB(usage.memory_peak)],
    ['Log', usage && formatBytes(usage.log_bytes)],
    ['Files', usage && formatBytes(usage.output_bytes)],
  ]
}

/** From the last start, as in the list. */
function Took({ task }: { task: Task }) {
  const now = useNow()
  const ms = between(task.started_at, isTerminal(task) ? task.finished_at : undefined, now)
  return <>{ms === undefined ? '–' : `${formatDuration(ms)}${isTerminal(task) ? '' : ' so far'}`}</>
}

function limits(task: Task): Fact[] {
  return [
    ['CPU limit', `${formatCores(task.cpu_required)} ${task.cpu_required === 1 ? 'core' : 'cores'}`],
    ['Memory limit', formatMiB(task.memory_required)],
    ['Storage limit', formatMiB(task.storage_required)],
    ['GPUs', task.gpu_required > 0 ? formatCount(task.gpu_required) : undefined],
    ['Timeout', task.timeout ?? 'none'],
  ]
}

const pairs = (values: Record<string, string>) =>
  Object.entries(values)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')

function rest(task: Task, owner: string | undefined): Fact[] {
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
    ['Owner', owner ?? task.user_id],
    ['Version', formatCount(task.version)],
  ]
}
