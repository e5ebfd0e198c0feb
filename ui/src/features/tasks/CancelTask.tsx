import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconBan } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { Task } from '@/api/client'
import { taskQuery } from '@/api/queries'
import { Question } from '@/components/Question'
import { showRefusal } from '@/components/refusal'
import { cancelTask } from './actions'

/** Cancels a task; where work would be lost with it, it asks first. */
export function CancelTask({ task }: { task: Task }) {
  const queries = useQueryClient()
  const [asking, { open, close }] = useDisclosure()
  const cancel = useMutation({
    mutationFn: () => cancelTask(task.task_id),
    // What has come over the live connection may be newer than this answer.
    onSuccess: (now) =>
      queries.setQueryData(taskQuery(task.task_id).queryKey, (known) =>
        known && known.version > now.version ? known : now,
      ),
    onError: showRefusal,
    onSettled: close,
  })
  return (
    <>
      <Button
        color="red"
        variant="outline"
        leftSection={<IconBan size={16} />}
        loading={cancel.isPending}
        disabled={task.cancel_requested}
        onClick={() => (task.status === 'running' ? open() : cancel.mutate())}
      >
        {task.cancel_requested ? 'Cancelling' : 'Cancel'}
      </Button>
      <Question
        asked={asking}
        title="Cancel this task?"
        keep="Let it run"
        onKeep={close}
        deed="Cancel it"
        onDeed={() => cancel.mutate()}
        likely
        pending={cancel.isPending}
      >
        Its container is stopped. The log and the files so far are kept, and it can be retried, from its
        beginning.
      </Question>
    </>
  )
}
