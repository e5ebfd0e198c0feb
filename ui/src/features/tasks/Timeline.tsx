import { Text } from '@mantine/core'
import type { ReactNode } from 'react'
import type { Task, TaskEvent } from '@/api/client'
import { formatBytes, formatDateTime, formatDuration, percent } from '@/lib/format'
import { useNow } from '@/lib/now'
import { outcomeName } from '@/lib/words'
import { stagesOf, type AttemptStages } from './stages'
import classes from './Timeline.module.css'

/** What the task went through, attempt by attempt, and how long each stage took. */
export function Timeline({ task, events }: { task: Task; events: TaskEvent[] }) {
  const attempts = stagesOf(events).reverse()
  return (
    <div className={classes.attempts}>
      {attempts.map((attempt, i) => (
        <details key={attempt.attempt} open={i === 0}>
          <summary className={classes.summary}>
            Attempt {attempt.attempt}
            {attempt.worker && ` on ${attempt.worker}`}
            {attempt.outcome && `: ${outcomeName(attempt.outcome)}`}
          </summary>
          <Bars
            attempt={attempt}
            progress={i === 0 ? task.progress : undefined}
            pulled={task.attempts.find((a) => a.attempt === attempt.attempt)?.pulled_bytes}
          />
          {attempt.message && i > 0 && (
            <Text size="sm" c="dimmed">
              {attempt.message}
            </Text>
          )}
        </details>
      ))}
    </div>
  )
}

interface BarsProps {
  attempt: AttemptStages
  /** Of the present stage. */
  progress: Task['progress'] | undefined
  /** Bytes that came for the image. */
  pulled: number | undefined
}

function Bars({ attempt, progress, pulled }: BarsProps) {
  const open = attempt.to === undefined
  const now = useNow()
  const end = Math.max(attempt.to ?? now, attempt.from + 1)
  const whole = end - attempt.from
  return (
    <ol className={classes.stages}>
      {attempt.stages.map((stage) => {
        const to = stage.to ?? (open ? Math.max(now, stage.from) : end)
        const width = Math.max(0.5, percent(to - stage.from, whole))
        const present = open && stage.to === undefined
        return (
          <li
            key={`${stage.state}${stage.from}`}
            className={classes.stage}
            title={formatDateTime(new Date(stage.from).toISOString())}
          >
            <span className={classes.label}>
              {stage.label}
              {present && progress ? (
                <Progress progress={progress} />
              ) : (
                stage.state === 'assigned' && pulled !== undefined && <Bytes>{formatBytes(pulled)}</Bytes>
              )}
            </span>
            <span className={classes.track} aria-hidden="true">
              <span
                className={classes.bar}
                data-tone={stage.tone}
                data-present={present || undefined}
                style={{
                  left: `${Math.min(99.5, percent(stage.from - attempt.from, whole))}%`,
                  width: `${width}%`,
                }}
              />
            </span>
            <span className={classes.time}>{formatDuration(to - stage.from)}</span>
          </li>
        )
      })}
    </ol>
  )
}

function Progress({
  progress: { done_bytes, total_bytes },
}: {
  progress: { done_bytes: number; total_bytes?: number }
}) {
  const whole = total_bytes === undefined ? '' : ` of ${formatBytes(total_bytes)}`
  return (
    <Bytes>
      {formatBytes(done_bytes)}
      {whole}
    </Bytes>
  )
}

const Bytes = ({ children }: { children: ReactNode }) => <span className={classes.progress}> {children}</span>
