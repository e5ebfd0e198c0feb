import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { notifications } from '@mantine/notifications'
import { IconTrash } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { api, call } from '@/api/client'
import { fileUseQuery, filesQuery, taskQuery } from '@/api/queries'
import { Question } from '@/components/Question'
import { formatBytes, formatCount } from '@/lib/format'

interface Props {
  id: string
  files: number
  size: number
  /** What the button is called where there are several. */
  label?: string
}

/** Deletes the files of a task that is over, after a question. */
export function DeleteFiles({ id, files, size, label }: Props) {
  const queries = useQueryClient()
  const [asking, { open, close }] = useDisclosure()
  const what = `${formatCount(files)} ${files === 1 ? 'file' : 'files'}, ${formatBytes(size)}`
  const remove = useMutation({
    mutationFn: () => call(api.DELETE('/api/files/{id}', { params: { path: { id } } })),
    onSuccess: () => {
      close()
      notifications.show({ color: 'green', title: 'Deleted', message: what })
      for (const { queryKey } of [fileUseQuery, filesQuery, taskQuery(id)])
        void queries.invalidateQueries({ queryKey })
    },
  })
  return (
    <>
      <Button
        size="compact-sm"
        variant="default"
        leftSection={<IconTrash size={16} />}
        aria-label={label}
        onClick={open}
      >
        Delete
      </Button>
      <Question
        asked={asking}
        title={`Delete ${what}?`}
        keep="Keep them"
        onKeep={close}
        deed="Delete them"
        onDeed={() => remove.mutate()}
        pending={remove.isPending}
        error={remove.error}
      >
        They are gone for good; the task, its log and its result stay.
      </Question>
    </>
  )
}
