import { Alert, Button, Group, Modal, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { notifications } from '@mantine/notifications'
import { IconTrash } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { api, call } from '@/api/client'
import { fileUseQuery, filesQuery, taskQuery } from '@/api/queries'
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
      <Modal opened={asking} onClose={close} title={`Delete ${what}?`}>
        {remove.error && (
          <Alert color="red" variant="outline" role="alert" mb="md">
            {remove.error.message}
          </Alert>
        )}
        <Text size="sm" mb="md">
          They are gone for good; the task, its log and its result stay.
        </Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Keep them
          </Button>
          <Button color="red" loading={remove.isPending} onClick={() => remove.mutate()}>
            Delete them
          </Button>
        </Group>
      </Modal>
    </>
  )
}
