import { Alert, Button, Modal, Stack, Tabs, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { FormEvent } from 'react'
import { api, ApiError, call } from '@/api/client'
import { joinQuery } from '@/api/queries'
import { Command } from '@/components/Command'
import { PageError } from '@/components/PageError'

/** How another machine becomes a worker. */
export function AddWorker({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Add a worker" size="lg">
      <Tabs defaultValue="join" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="join">It calls this master</Tabs.Tab>
          <Tabs.Tab value="address">This master calls it</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="join">
          <Join />
        </Tabs.Panel>
        <Tabs.Panel value="address">
          <ByAddress onDone={onClose} />
        </Tabs.Panel>
      </Tabs>
    </Modal>
  )
}

function Join() {
  const { data, error } = useQuery(joinQuery)
  if (error) return <PageError error={error} />
  return (
    <Stack gap="sm">
      <Text size="sm">
        On the other machine, with this repository and Docker, run the command below. It holds the join token,
        a secret: who has it can take tasks.
      </Text>
      {data && <Command label="the join command" text={data.command} />}
      {data?.note && (
        <Alert color="yellow" variant="outline" p="xs">
          {data.note}
        </Alert>
      )}
      <Text size="sm" c="dimmed">
        The worker appears on this page as soon as it has joined and the master has called it back.
      </Text>
    </Stack>
  )
}

function ByAddress({ onDone }: { onDone: () => void }) {
  const queries = useQueryClient()
  const register = useMutation({
    mutationFn: (body: { worker_id: string; address: string }) => call(api.POST('/api/workers', { body })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ['workers'] })
      onDone()
    },
  })
  const error = register.error instanceof ApiError ? register.error : undefined
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    register.mutate({
      worker_id: String(data.get('worker_id')).trim(),
      address: String(data.get('address')).trim(),
    })
  }
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Text size="sm">
          For a worker that runs but does not find this master. It proves that it knows the join token; the
          token itself is not sent.
        </Text>
        {register.isError && (
          <Alert color="red" variant="outline" role="alert" p="xs">
            {register.error.message}
          </Alert>
        )}
        <TextInput name="worker_id" label="Worker id" required error={error?.field('worker_id')} />
        <TextInput
          name="address"
          label="Address"
          placeholder="10.0.0.7:50052"
          required
          error={error?.field('address')}
        />
        <Button type="submit" loading={register.isPending}>
          Call it
        </Button>
      </Stack>
    </form>
  )
}
