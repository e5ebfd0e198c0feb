import { Alert, Button, Group, Loader, Modal, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { notifications } from '@mantine/notifications'
import { IconBan } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, call } from '@/api/client'
import type { TaskFilters } from '@/api/queries'
import { formatCount } from '@/lib/format'
import { newKey } from '@/lib/key'
import { cancelFilter } from './actions'

/** Cancels all that the filters take, also those that are not loaded; first it counts them. */
export function CancelMatching({ filters }: { filters: TaskFilters }) {
  const [asking, { open, close }] = useDisclosure()
  const filter = cancelFilter(filters)
  if (!filter) return null
  return (
    <>
      <Button
        size="compact-sm"
        variant="subtle"
        color="red"
        leftSection={<IconBan size={16} />}
        onClick={open}
      >
        Cancel all that match
      </Button>
      <Modal opened={asking} onClose={close} title="Cancel all tasks that match the filters?">
        <Ask filter={filter} onClose={close} />
      </Modal>
    </>
  )
}

type Filter = NonNullable<ReturnType<typeof cancelFilter>>

function Ask({ filter, onClose }: { filter: Filter; onClose: () => void }) {
  const queries = useQueryClient()
  // One key for as long as it is asked: a second click cancels nothing that came later.
  const [key] = useState(() => newKey())
  const count = useQuery({
    queryKey: ['cancel', filter],
    queryFn: () => call(api.POST('/api/tasks/cancel', { body: { filter, dry_run: true } })),
    staleTime: 0,
    gcTime: 0,
  })
  const cancel = useMutation({
    mutationFn: () =>
      call(
        api.POST('/api/tasks/cancel', { body: { filter }, params: { header: { 'Idempotency-Key': key } } }),
      ),
    onSuccess: ({ cancelled, requested }) => {
      const sum = cancelled + requested
      notifications.show({
        color: 'green',
        title: `${formatCount(sum)} ${sum === 1 ? 'task' : 'tasks'} cancelled or being cancelled`,
        message: requested > 0 ? `${formatCount(requested)} of them run and are being stopped.` : undefined,
      })
      for (const name of ['tasks', 'recent', 'cluster']) void queries.invalidateQueries({ queryKey: [name] })
      onClose()
    },
  })
  const matched = count.data?.matched
  const error = cancel.error ?? count.error
  return (
    <>
      {error ? (
        <Alert color="red" variant="outline" role="alert" mb="md">
          {error.message}
        </Alert>
      ) : matched === undefined ? (
        <Group mb="md" role="status" aria-label="Loading">
          <Loader size="sm" type="dots" />
        </Group>
      ) : (
        <Text size="sm" mb="md" role="status">
          {matched === 0
            ? 'None of them is still waiting or running.'
            : `${formatCount(matched)} ${matched === 1 ? 'task waits or runs' : 'tasks wait or run'} and match. Running containers are stopped; logs and files so far are kept. A cancelled task can be retried.`}
        </Text>
      )}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>
          Keep them
        </Button>
        <Button color="red" loading={cancel.isPending} disabled={!matched} onClick={() => cancel.mutate()}>
          {matched ? `Cancel ${formatCount(matched)}` : 'Cancel'}
        </Button>
      </Group>
    </>
  )
}
