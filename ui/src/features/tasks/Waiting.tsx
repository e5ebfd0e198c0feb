import { Alert, List, Text } from '@mantine/core'
import { IconClock } from '@tabler/icons-react'
import type { Task } from '@/api/client'
import { AnchorLink } from '@/components/links'
import { formatCount } from '@/lib/format'

/** Why a task is not placed yet, and what would help. */
export function Waiting({ waiting }: { waiting: NonNullable<Task['waiting']> }) {
  const { reason, queue_position, workers, suggestion } = waiting
  return (
    <Alert
      variant="outline"
      color="yellow"
      icon={<IconClock size={20} />}
      title={
        queue_position
          ? `Waiting, place ${formatCount(queue_position)} in the queue`
          : 'Waiting, being placed'
      }
    >
      <Text size="sm">{reason}</Text>
      {suggestion && (
        <Text size="sm" mt={4}>
          <b>What would help:</b> {suggestion}
        </Text>
      )}
      {workers.length > 0 && (
        <List size="sm" mt="xs">
          {workers.map(({ worker_id, reason: why }) => (
            <List.Item key={worker_id}>
              <AnchorLink
                to="/workers/$workerId"
                params={{ workerId: worker_id }}
                size="sm"
                underline="always"
              >
                {worker_id}
              </AnchorLink>
              : {why}
            </List.Item>
          ))}
        </List>
      )}
    </Alert>
  )
}
