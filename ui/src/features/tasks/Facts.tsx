import type { ReactNode } from 'react'
import type { Task } from '@/api/client'
import { AnchorLink } from '@/components/links'
import { Time } from '@/components/Time'
import { secondsOf } from '@/lib/duration'
import { between, formatBytes, formatCores, formatCount, formatDuration, formatMiB } from '@/lib/format'
import { useNow } from '@/lib/now'
import { quote } from '@/lib/shell'
import { isTerminal } from './columns'
import classes from './Facts.module.css'

/** What was asked for, as a list of names and values. */
export function Facts({ task, owner }: Props) {
  return <List facts={[...what(task), ...limits(task), ...rest(task, owner)]} />
}

/** What it runs, and what came of it so far. */
export function FactsSummary({ task, owner }: Props) {
  return <List facts={[...what(task), ...known(task), ['Owner', owner]]} />
}

interface Props {
  task: Task
  /** Whose it is, for those who see tasks of others. */
  owner: string | undefined
}

/** Long ones take the whole width. */
type Fact = [name: string, value: ReactNode, long?: boolean]

function List({ facts }: { facts: Fact[] }) {
  return (
    <dl className={classes.facts}>
      {facts
        .filter(([, value]) => value !== undefined && value !== '' && value !== false)
        .map(([name, value, long]) => (
          <div key={name} data-long={long || undefined}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

/** So many characters fit beside other facts. */
const short = 40

function Code({ name, text }: { name: string; text: string }) {
  if (text.length <= short) return <span className="mono">{text}</span>
  return (
    <pre className={classes.code} tabIndex={0} role="region" aria-label={name}>
      {text.trim()}
    </pre>
  )
}

function what(task: Task): Fact[] {
  const code = (name: string, text: string | undefined): Fact => [
    name,
    text && <Code name={name} text={text} />,
    text !== undefined && text.length > short,
  ]
  return [
    code('Image', task.docker_image),
    code('Command', task.command),
    code('Arguments', task.args?.map(quote).join(' ')),
  ]
}

function known(task: Task): Fact[] {
  const { usage } = task
  return [
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
    // Before its end they say how much there was at some moment before.
    ['Log', usage && isTerminal(task) && formatBytes(usage.log_bytes)],
    ['Files', usage && isTerminal(task) && formatBytes(usage.output_bytes)],
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
    ['Timeout', span(task.timeout) ?? 'none'],
  ]
}

/** A length of time as the API writes it, in the person's way. */
function span(duration: string | undefined) {
  const seconds = secondsOf(duration ?? '')
  return seconds === undefined ? duration : formatDuration(seconds * 1000)
}

const pairs = (values: Record<string, string>) =>
  Object.entries(values)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')

function rest(task: Task, owner: string | undefined): Fact[] {
  return [
    ['Priority', formatCount(task.priority)],
    ['Network', task.network],
    [
      'Retries',
      `${formatCount(task.max_retries)} after failures, ${formatCount(task.max_reschedules)} after losses`,
    ],
    ['Grace period', span(task.grace_period)],
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
