import { Button, Checkbox, Group, Modal, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, call, type Worker } from '@/api/client'
import { showRefusal } from '@/components/refusal'
import { formatCount } from '@/lib/format'

/** What an administrator can do with a worker. */
export function WorkerActions({ worker, onRemoved }: { worker: Worker; onRemoved?: () => void }) {
  const queries = useQueryClient()
  const [asking, { open, close }] = useDisclosure()
  const [force, setForce] = useState(false)
  const id = worker.worker_id
  const path = { params: { path: { id } } }
  const refresh = () => {
    for (const key of ['workers', 'worker', 'cluster']) void queries.invalidateQueries({ queryKey: [key] })
  }
  const draining = worker.status === 'draining'
  const drain = useMutation({
    mutationFn: () =>
      call(
        draining ? api.POST('/api/workers/{id}/undrain', path) : api.POST('/api/workers/{id}/drain', path),
      ),
    onSuccess: refresh,
    onError: showRefusal,
  })
  const remove = useMutation({
    mutationFn: () => call(api.DELETE('/api/workers/{id}', { params: { path: { id }, query: { force } } })),
    onSuccess: () => {
      close()
      refresh()
      onRemoved?.()
    },
    onError: showRefusal,
  })
  return (
    <Group gap="xs">
      <Button size="compact-sm" variant="default" loading={drain.isPending} onClick={() => drain.mutate()}>
        {draining ? 'Undrain' : 'Drain'}
      </Button>
      <Button size="compact-sm" variant="default" onClick={open}>
        Remove
      </Button>
      <Modal opened={asking} onClose={close} title={`Remove ${id}?`}>
        <Text size="sm" mb="sm">
          Its id is barred until it is registered again. To let it finish its work first, drain it.
        </Text>
        {worker.running_count > 0 && (
          <Checkbox
            mb="md"
            label={`Stop its ${formatCount(worker.running_count)} running ${worker.running_count === 1 ? 'task' : 'tasks'} here and run them on other workers`}
            checked={force}
            onChange={(event) => setForce(event.currentTarget.checked)}
          />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Keep it
          </Button>
          <Button
            color="red"
            loading={remove.isPending}
            disabled={worker.running_count > 0 && !force}
            onClick={() => remove.mutate()}
          >
            Remove it
          </Button>
        </Group>
      </Modal>
    </Group>
  )
}
