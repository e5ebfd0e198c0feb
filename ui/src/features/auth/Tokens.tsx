import { Button, Checkbox, Group, Modal, NativeSelect, Stack, Table, Text, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { api, ApiError, call, type APIToken } from '@/api/client'
import { tokensQuery } from '@/api/queries'
import { Command } from '@/components/Command'
import { Empty } from '@/components/Empty'
import { FormError } from '@/components/FormError'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { Question } from '@/components/Question'
import { showRefusal } from '@/components/refusal'
import { Time } from '@/components/Time'
import { WideTable } from '@/components/WideTable'

type Scope = APIToken['scopes'][number]

const scopeWords: Record<Scope, [label: string, description: string]> = {
  read: ['read', 'See your tasks, their logs and files, and the workers'],
  submit: ['submit', 'Submit, change, cancel and retry tasks, and delete files'],
  admin: ['admin', 'All this for everybody, and manage workers and users'],
  agent: ['agent', 'Place tasks on workers, as a scheduler of your own does'],
}
const everybody: Scope[] = ['read', 'submit']
const administrators: Scope[] = [...everybody, 'admin', 'agent']

/** Tokens for programs that call the API as this person. */
export function Tokens({ admin }: { admin: boolean }) {
  const queries = useQueryClient()
  const { data: tokens, error } = useQuery(tokensQuery)
  const [making, { open, close }] = useDisclosure()
  const [ending, setEnding] = useState<APIToken>()
  const end = useMutation({
    mutationFn: (id: string) => call(api.DELETE('/api/auth/tokens/{id}', { params: { path: { id } } })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: tokensQuery.queryKey }),
    onError: showRefusal,
    onSettled: () => setEnding(undefined),
  })
  if (!tokens) return error ? <PageError error={error} /> : <PageLoading />
  return (
    <Stack>
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          For scripts, CI and <code>bin/master cli</code> on other machines.
        </Text>
        <Button onClick={open}>Make a token</Button>
      </Group>
      {tokens.length === 0 ? (
        <Empty title="No token yet" />
      ) : (
        <WideTable minWidth={560}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Name</Table.Th>
              <Table.Th>May</Table.Th>
              <Table.Th>Last used</Table.Th>
              <Table.Th>Ends</Table.Th>
              <Table.Td />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {tokens.map((token) => (
              <Table.Tr key={token.id}>
                <Table.Td>{token.name}</Table.Td>
                <Table.Td>{token.scopes.join(', ')}</Table.Td>
                <Table.Td>{token.last_used_at ? <Time at={token.last_used_at} /> : 'not yet'}</Table.Td>
                <Table.Td>{token.expires_at ? <Time at={token.expires_at} /> : 'never'}</Table.Td>
                <Table.Td ta="right">
                  <Button
                    size="compact-sm"
                    variant="default"
                    onClick={() => setEnding(token)}
                    aria-label={`End the token ${token.name}`}
                  >
                    End
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </WideTable>
      )}
      <Question
        asked={ending !== undefined}
        title={`End the token ${ending?.name}?`}
        keep="Keep it"
        onKeep={() => setEnding(undefined)}
        deed="End it"
        onDeed={() => ending && end.mutate(ending.id)}
        pending={end.isPending}
      >
        Whatever uses it is refused from then on.
      </Question>
      {/* What is shown once is not lost to a click beside it. */}
      <Modal opened={making} onClose={close} title="Make a token" closeOnClickOutside={false}>
        <NewToken admin={admin} onClose={close} />
      </Modal>
    </Stack>
  )
}

function NewToken({ admin, onClose }: { admin: boolean; onClose: () => void }) {
  const queries = useQueryClient()
  const [scopes, setScopes] = useState<Scope[]>(['read', 'submit'])
  const make = useMutation({
    mutationFn: (body: { name: string; scopes: Scope[]; expires_in?: string }) =>
      call(api.POST('/api/auth/tokens', { body })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: tokensQuery.queryKey }),
  })
  const error = make.error instanceof ApiError ? make.error : undefined
  if (make.data) {
    return (
      <Stack gap="sm">
        <Text size="sm">This is shown only now:</Text>
        <Command label="the token" text={make.data.secret} />
        <Button onClick={onClose}>I have it</Button>
      </Stack>
    )
  }
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    const lasts = String(data.get('lasts'))
    make.mutate({ name: String(data.get('name')).trim(), scopes, ...(lasts ? { expires_in: lasts } : {}) })
  }
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <FormError error={error} />
        <TextInput
          name="name"
          label="Name"
          placeholder="ci"
          required
          data-autofocus
          error={error?.field('name')}
        />
        <Checkbox.Group
          label="It may"
          value={scopes}
          onChange={(value) => setScopes(value as Scope[])}
          error={error?.field('scopes')}
        >
          <Stack gap="xs" mt={4}>
            {(admin ? administrators : everybody).map((scope) => (
              <Checkbox
                key={scope}
                value={scope}
                label={scopeWords[scope][0]}
                description={scopeWords[scope][1]}
              />
            ))}
          </Stack>
        </Checkbox.Group>
        <NativeSelect
          name="lasts"
          label="It lasts"
          defaultValue="720h"
          data={[
            { value: '168h', label: '7 days' },
            { value: '720h', label: '30 days' },
            { value: '8760h', label: 'a year' },
            { value: '', label: 'for ever' },
          ]}
        />
        <Button type="submit" loading={make.isPending} disabled={scopes.length === 0}>
          Make it
        </Button>
      </Stack>
    </form>
  )
}
