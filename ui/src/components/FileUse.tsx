import { Alert, Text } from '@mantine/core'
import { formatBytes, percent } from '@/lib/format'
import { AnchorLink } from './links'
import { Meter } from './Meter'

interface Props {
  use: { used: number; quota?: number } | undefined
  /** Not where the list is that it leads to. */
  linked?: boolean
}

/** What somebody's output files take of what they may; nothing where there is no bound. */
export function FileUse({ use, linked = false }: Props) {
  if (use?.quota === undefined) return null
  const { used, quota } = use
  const full = used >= quota
  const list = linked ? (
    <AnchorLink to="/settings" search={{ tab: 'files' }} underline="always">
      List what takes it
    </AnchorLink>
  ) : undefined
  return (
    <div>
      <Meter
        label="Your output files"
        text={`${formatBytes(used)} of ${formatBytes(quota)}`}
        total={quota}
        allocated={used}
      />
      {full ? (
        <Alert
          color="red"
          variant="outline"
          role="alert"
          mt="xs"
          title="Your files take all the room that they may"
        >
          <Text size="sm">
            Until there is room, your new tasks are refused and what your tasks leave in /output is not kept.
          </Text>
          <Text size="sm" mt={4}>
            <b>What to do:</b> download what you need, then delete files of tasks that are over. {list}
          </Text>
        </Alert>
      ) : percent(used, quota) > 90 ? (
        <Text size="sm" mt={4}>
          Little room is left: files that do not fit are not kept. Delete those that you no longer need.{' '}
          {list}
        </Text>
      ) : null}
    </div>
  )
}
