import {
  IconAlertTriangle,
  IconBan,
  IconCircleCheck,
  IconCircleX,
  IconClock,
  IconLoader2,
  IconPlayerPause,
  IconPlugConnectedX,
  IconRocket,
} from '@tabler/icons-react'
import type { ComponentType } from 'react'
import type { TaskStatus, WorkerStatus } from '@/api/client'
import classes from './Status.module.css'

type Icon = ComponentType<{ size?: number; className?: string }>

const looks: Record<TaskStatus | WorkerStatus, [Icon, string]> = {
  queued: [IconClock, 'wait'],
  assigned: [IconRocket, 'busy'],
  running: [IconLoader2, 'busy'],
  succeeded: [IconCircleCheck, 'ok'],
  failed: [IconCircleX, 'bad'],
  cancelled: [IconBan, 'idle'],
  active: [IconCircleCheck, 'ok'],
  draining: [IconPlayerPause, 'wait'],
  unreachable: [IconPlugConnectedX, 'bad'],
  unhealthy: [IconAlertTriangle, 'bad'],
  lost: [IconPlugConnectedX, 'bad'],
}

interface Props {
  status: TaskStatus | WorkerStatus
  detail?: string | undefined
}

/** A state as a sign and a word; never by colour alone. */
export function Status({ status, detail }: Props) {
  // A page that is older than the master it talks to may not know one.
  const [Sign, tone] = looks[status] ?? [IconClock, 'idle']
  return (
    <span className={classes.status} data-tone={tone} data-spins={status === 'running' || undefined}>
      <Sign size={16} className={classes.sign ?? ''} />
      <span>
        {status}
        {detail && <span className={classes.detail}> ({detail})</span>}
      </span>
    </span>
  )
}
