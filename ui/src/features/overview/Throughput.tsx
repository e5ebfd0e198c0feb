import { Text } from '@mantine/core'
import type { ClusterSample } from '@/api/client'
import { formatClock, formatCount } from '@/lib/format'
import { useNow } from '@/lib/now'
import classes from './Overview.module.css'
import { endedPer } from './throughput'

const minutes = 5
const columns = 12

/** How many tasks ended in each five minutes of the last hour. */
export function Throughput({ samples }: { samples: ClusterSample[] }) {
  const now = Math.ceil(useNow() / 60_000) * 60_000
  const bins = endedPer(samples, now, minutes * 60_000, columns)
  const most = Math.max(1, ...bins.map((bin) => bin.good + bin.bad))
  const total = bins.reduce((sum, bin) => sum + bin.good + bin.bad, 0)
  const bad = bins.reduce((sum, bin) => sum + bin.bad, 0)
  // A master that was started meanwhile remembers nothing from before.
  const whole =
    samples[0] !== undefined && now - new Date(samples[0].time).getTime() > (columns - 1) * minutes * 60_000
  const words =
    total === 0
      ? `None ended ${whole ? 'in the last hour' : 'since the master started'}`
      : `${formatCount(total)} ended, ${formatCount(bad)} of them failed or cancelled`
  return (
    <div>
      <div className={classes.columns} role="img" aria-label={words}>
        {bins.map((bin) => (
          <div
            key={bin.from}
            className={classes.column}
            title={`From ${formatClock(new Date(bin.from))}: ${formatCount(bin.good + bin.bad)}, ${formatCount(bin.bad)} failed or cancelled`}
          >
            <div className={classes.bad} style={{ height: `${(bin.bad / most) * 100}%` }} />
            <div className={classes.good} style={{ height: `${(bin.good / most) * 100}%` }} />
          </div>
        ))}
      </div>
      <div className={classes.axis} aria-hidden="true">
        <span>an hour ago</span>
        <span>now</span>
      </div>
      <Text size="sm" c="dimmed" mt={4}>
        {words}
      </Text>
    </div>
  )
}
