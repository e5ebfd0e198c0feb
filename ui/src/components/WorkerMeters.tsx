import { Stack } from '@mantine/core'
import type { Resources } from '@/api/client'
import { formatCores, formatCount, formatMiB } from '@/lib/format'
import { Meter } from './Meter'

interface Props {
  total: Resources
  allocated: Resources
  used?: Resources | undefined
}

/** What is promised and used of each kind of capacity. */
export function WorkerMeters({ total, allocated, used }: Props) {
  const text = (value: string, whole: string, measured?: string) =>
    `${value} of ${whole} promised${measured === undefined ? '' : `, ${measured} in use`}`
  return (
    <Stack gap="xs">
      <Meter
        label="CPU"
        total={total.cpu}
        allocated={allocated.cpu}
        used={used?.cpu}
        text={text(
          formatCores(allocated.cpu),
          `${formatCores(total.cpu)} cores`,
          used && formatCores(used.cpu),
        )}
      />
      <Meter
        label="Memory"
        total={total.memory}
        allocated={allocated.memory}
        used={used?.memory}
        text={text(formatMiB(allocated.memory), formatMiB(total.memory), used && formatMiB(used.memory))}
      />
      <Meter
        label="Storage"
        total={total.storage}
        allocated={allocated.storage}
        used={used?.storage}
        text={text(formatMiB(allocated.storage), formatMiB(total.storage), used && formatMiB(used.storage))}
      />
      {total.gpu > 0 && (
        <Meter
          label="GPUs"
          total={total.gpu}
          allocated={allocated.gpu}
          used={used?.gpu}
          text={text(formatCount(allocated.gpu), formatCount(total.gpu), used && formatCount(used.gpu))}
        />
      )}
    </Stack>
  )
}
