import { Button, Group, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconBan, IconPencil, IconRefresh, IconX } from '@tabler/icons-react'
import type { Task } from '@/api/client'
import { Question } from '@/components/Question'
import { useBulk } from './actions'
import { isTerminal } from './columns'
import { isEditable } from './edit'
import { EditTask } from './EditTask'

/** What can be done with the tasks that are chosen. */
export function BulkBar({ tasks, onClear }: { tasks: Task[]; onClear: () => void }) {
  const active = tasks.filter((task) => !isTerminal(task)).map((task) => task.task_id)
  const over = tasks.filter(isTerminal).map((task) => task.task_id)
  const [asking, { open, close }] = useDisclosure()
  const [editing, edit] = useDisclosure()
  const one = tasks.length === 1 ? tasks[0] : undefined
  const cancel = useBulk('cancel', onClear)
  const retry = useBulk('retry', onClear)
  return (
    <Group justify="space-between" mih={36} gap="xs" role="toolbar" aria-label="Chosen tasks">
      <Text size="sm" fw={600} role="status">
        {tasks.length} chosen
      </Text>
      <Group gap="xs">
        {one && isEditable(one) && (
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconPencil size={16} />}
            onClick={edit.open}
          >
            Edit
          </Button>
        )}
        <Button
          size="compact-sm"
          color="red"
          variant="outline"
          leftSection={<IconBan size={16} />}
          disabled={active.length === 0}
          loading={cancel.isPending}
          onClick={open}
        >
          Cancel {active.length}
        </Button>
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<IconRefresh size={16} />}
          disabled={over.length === 0}
          loading={retry.isPending}
          onClick={() => retry.mutate(over)}
        >
          Retry {over.length}
        </Button>
        <Button size="compact-sm" variant="subtle" leftSection={<IconX size={16} />} onClick={onClear}>
          Clear
        </Button>
      </Group>
      {one && <EditTask task={one} opened={editing} onClose={edit.close} />}
      <Question
        asked={asking}
        title={`Cancel ${active.length} ${active.length === 1 ? 'task' : 'tasks'}?`}
        keep="Keep them"
        onKeep={close}
        deed="Cancel them"
        onDeed={() => {
          close()
          cancel.mutate(active)
        }}
        likely
      >
        Running containers are stopped; logs and files so far are kept. This cannot be taken back, but a
        cancelled task can be retried.
      </Question>
    </Group>
  )
}
