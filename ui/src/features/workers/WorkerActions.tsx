import { Button, Checkbox, Group } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, call, type Worker } from '@/api/client'
import { Question } from '@/components/Question'
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
      <Question
        asked={asking}
        title={`Remove ${id}?`}
        keep="Keep it"
        onKeep={close}
        deed="Remove it"
        onDeed={() => remove.mutate()}
        pending={remove.isPending}
        disabled={worker.running_count > 0 && !force}
      >
        Its id is barred until it is registered again. To let it finish its work first, drain it.
        {worker.running_count > 0 && (
          <Checkbox
            mt="sm"
            label={`Stop its ${formatCount(worker.running_count)} running ${worker.running_count === 1 ? 'task' : 'tasks'} here and run them on other workers`}
            checked={force}
            onChange={(event) => setForce(event.currentTarget.checked)}
          />
        )}
      </Question>
    </Group>
  )
}
