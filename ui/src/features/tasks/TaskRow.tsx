import { memo } from 'react'
import type { Task } from '@/api/client'
import { Status } from '@/components/Status'
import { Time } from '@/components/Time'
import { between, formatDuration } from '@/lib/format'
import { shortImage } from '@/lib/images'
import { useNow } from '@/lib/now'
import { isTerminal, stateDetail, taskTitle } from './columns'
import classes from './TaskTable.module.css'

interface Props {
  id: string
  index: number
  top: number
  height: number
  task: Task
  /** Whose it is, where somebody sees those of others. */
  owner: string | undefined
  active: boolean
  selected: boolean
  /** Both must stay the same functions, so that a row is drawn again only when it differs. */
  onToggle: (task: Task) => void
  onActive: (index: number) => void
}

/**
 * One row. Its link is a plain one that the table follows: the router's own would
 * look at the address again for every row, with each filter that is pressed.
 */
export const TaskRow = memo(function TaskRow(props: Props) {
  const { id, index, top, height, task, owner, active, selected, onToggle, onActive } = props
  const title = taskTitle(task)
  return (
    <div
      id={id}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      className={classes.row}
      data-active={active || undefined}
      data-selected={selected || undefined}
      data-task={task.task_id}
      style={{ transform: `translateY(${top}px)`, height }}
      onMouseDown={() => onActive(index)}
    >
      <div role="gridcell" data-choose className={classes.choose}>
        <input
          type="checkbox"
          className={classes.box}
          tabIndex={-1}
          aria-label={`Select ${title}`}
          checked={selected}
          onChange={() => onToggle(task)}
        />
      </div>
      <div role="gridcell" className={classes.status}>
        <Status status={task.status} detail={stateDetail(task)} />
      </div>
      <div role="gridcell" className={classes.title}>
        <a
          href={`/tasks/${encodeURIComponent(task.task_id)}`}
          tabIndex={-1}
          className={classes.link}
          title={title}
        >
          {title}
        </a>
        <span className={classes.id}>{task.task_id}</span>
      </div>
      <div role="gridcell" className={`${classes.wide} ${classes.cut}`} title={task.docker_image}>
        {shortImage(task.docker_image)}
      </div>
      {owner !== undefined && (
        <div role="gridcell" className={`${classes.wide} ${classes.cut}`} title={owner}>
          {owner}
        </div>
      )}
      <div role="gridcell" className={`${classes.wide} ${classes.cut}`} title={task.worker_id}>
        {task.worker_id ?? '–'}
      </div>
      <div role="gridcell" className={`${classes.wide} ${classes.cut}`}>
        <Time at={task.created_at} />
      </div>
      <div role="gridcell" className={`${classes.wide} ${classes.cut}`}>
        <Took task={task} />
      </div>
    </div>
  )
})

function Took({ task }: { task: Task }) {
  return isTerminal(task) ? <>{spent(task, 0)}</> : <TookSoFar task={task} />
}

function TookSoFar({ task }: { task: Task }) {
  return <>{spent(task, useNow())}</>
}

function spent(task: Task, now: number) {
  const ms = between(task.started_at, task.finished_at, now)
  return ms === undefined ? '–' : formatDuration(ms)
}
