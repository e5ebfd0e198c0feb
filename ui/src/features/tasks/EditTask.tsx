import { Alert, Button, Group, Modal, NumberInput, Stack, Text, TextInput } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { ApiError, type Task, type TaskChange } from '@/api/client'
import { taskQuery } from '@/api/queries'
import { FormError } from '@/components/FormError'
import { taskTitle } from './columns'
import { changeOf, editDraftOf, editTask, isEditable, rebase, type EditDraft } from './edit'

interface Props {
  /** As it is known to be now; it may be placed while somebody types. */
  task: Task
  opened: boolean
  onClose: () => void
}

/** Changes name, priority and timeout of a task that waits. */
export function EditTask({ task, opened, onClose }: Props) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={`Edit ${taskTitle(task)}`}
      closeOnClickOutside={false} // what was typed would be lost by a slip
    >
      <EditForm task={task} onClose={onClose} />
    </Modal>
  )
}

function EditForm({ task, onClose }: Omit<Props, 'opened'>) {
  const queries = useQueryClient()
  const [seen, setSeen] = useState(task)
  const [draft, setDraft] = useState(() => editDraftOf(task))
  const [tried, setTried] = useState(false)
  const [overtaken, setOvertaken] = useState(false)
  const now = task.version > seen.version ? task : seen
  const open = isEditable(now)
  const { change, errors } = changeOf(seen, draft)
  const same = Object.keys(change).length === 0 && Object.keys(errors).length === 0
  const save = useMutation({
    mutationFn: (body: TaskChange) => editTask(seen, body),
    onSuccess: ({ kind, task: newest }) => {
      const { queryKey } = taskQuery(newest.task_id)
      queries.setQueryData(queryKey, (known) => (known && known.version > newest.version ? known : newest))
      for (const key of [queryKey, ['tasks'], ['recent']]) void queries.invalidateQueries({ queryKey: key })
      if (kind === 'saved') {
        notifications.show({ color: 'green', title: 'Changed', message: taskTitle(newest) })
        onClose()
        return
      }
      setOvertaken(kind === 'overtaken')
      setDraft((typed) => rebase(typed, seen, newest))
      setSeen(newest)
    },
  })
  const refusal = save.error instanceof ApiError ? save.error : undefined
  const error = (field: keyof EditDraft) => (tried ? (errors[field] ?? refusal?.field(field)) : undefined)
  const edit = (part: Partial<EditDraft>) => {
    setDraft((old) => ({ ...old, ...part }))
    if (save.isError) save.reset()
  }
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    setTried(true)
    if (!open || same || save.isPending) return
    if (Object.keys(errors).length > 0) {
      const form = event.currentTarget
      requestAnimationFrame(() => form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus())
      return
    }
    save.mutate(change)
  }
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm">
        {!open ? <NoLonger task={now} /> : overtaken && <Overtaken task={now} />}
        <FormError error={save.error} />
        <TextInput
          label="Name"
          data-autofocus
          readOnly={!open}
          value={draft.name}
          error={error('name')}
          onChange={(event) => edit({ name: event.currentTarget.value })}
        />
        <NumberInput
          label="Priority (0 to 100)"
          description="Higher first"
          min={0}
          step={10}
          readOnly={!open}
          value={draft.priority}
          error={error('priority')}
          onChange={(priority) => edit({ priority })}
        />
        <TextInput
          label="Timeout"
          description="From the container's start; empty for none"
          placeholder="90s, 2h"
          readOnly={!open}
          value={draft.timeout}
          error={error('timeout')}
          onChange={(event) => edit({ timeout: event.currentTarget.value })}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {open ? 'Leave it' : 'Close'}
          </Button>
          {open && (
            <Button type="submit" loading={save.isPending} disabled={same}>
              Save
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  )
}

/** Why it cannot be changed any more. */
function NoLonger({ task }: { task: Task }) {
  const over = task.state === 'stored'
  return (
    <Alert
      color="yellow"
      variant="outline"
      role="alert"
      title={over ? 'It is over meanwhile' : 'It has started meanwhile'}
    >
      <Text size="sm">
        It is {task.status} now{!over && task.worker_id ? ` on ${task.worker_id}` : ''}. What was asked for
        can only be changed while a task waits. <b>Clone and edit</b> on its page makes another one.
      </Text>
    </Alert>
  )
}

/** What somebody else has made of it. */
function Overtaken({ task }: { task: Task }) {
  return (
    <Alert color="yellow" variant="outline" role="alert" title="Somebody has changed it meanwhile">
      <Text size="sm">
        Now its name is {task.name ? <b>{task.name}</b> : 'empty'}, its priority <b>{task.priority}</b> and
        its timeout <b>{task.timeout ?? 'none'}</b>. What you typed is kept: save once more to put it in place
        of that.
      </Text>
    </Alert>
  )
}
