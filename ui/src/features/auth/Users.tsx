import {
  Button,
  Group,
  Modal,
  NativeSelect,
  PasswordInput,
  Stack,
  Table,
  Text,
  TextInput,
} from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { FormEvent } from 'react'
import { api, ApiError, call, type User } from '@/api/client'
import { usersQuery } from '@/api/queries'
import { FormError } from '@/components/FormError'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { showRefusal } from '@/components/refusal'
import { Time } from '@/components/Time'
import { WideTable } from '@/components/WideTable'
import { formatCount } from '@/lib/format'
import { UserActions } from './UserActions'

/** All accounts, for administrators. */
export function Users({ me }: { me: User }) {
  const queries = useQueryClient()
  const { data: users, error } = useQuery(usersQuery)
  const [adding, { open, close }] = useDisclosure()
  const change = useMutation({
    mutationFn: ({ id, role }: { id: string; role: User['role'] }) =>
      call(api.PATCH('/api/users/{id}', { params: { path: { id } }, body: { role } })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: usersQuery.queryKey }),
    onError: showRefusal,
  })
  if (!users) return error ? <PageError error={error} /> : <PageLoading />
  return (
    <Stack>
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          {formatCount(users.length)} {users.length === 1 ? 'account' : 'accounts'}
        </Text>
        <Button onClick={open}>Add a user</Button>
      </Group>
      <WideTable minWidth={640}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th>Email</Table.Th>
            <Table.Th>Role</Table.Th>
            <Table.Th>Since</Table.Th>
            <Table.Td />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {users.map((user) => (
            <Table.Tr key={user.id}>
              <Table.Td>
                {user.name}
                {user.id === me.id && ' (you)'}
                {user.disabled && ' (disabled)'}
              </Table.Td>
              <Table.Td>{user.email}</Table.Td>
              <Table.Td>
                {user.id === me.id ? (
                  user.role
                ) : (
                  <NativeSelect
                    size="xs"
                    aria-label={`Role of ${user.name}`}
                    value={user.role}
                    data={['user', 'admin']}
                    disabled={change.isPending}
                    onChange={(event) =>
                      change.mutate({ id: user.id, role: event.currentTarget.value as User['role'] })
                    }
                  />
                )}
              </Table.Td>
              <Table.Td>
                <Time at={user.created_at} />
              </Table.Td>
              <Table.Td ta="right">{user.id !== me.id && <UserActions user={user} />}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </WideTable>
      <Modal opened={adding} onClose={close} title="Add a user">
        <NewUser onDone={close} />
      </Modal>
    </Stack>
  )
}

function NewUser({ onDone }: { onDone: () => void }) {
  const queries = useQueryClient()
  const add = useMutation({
    mutationFn: (body: { name: string; email: string; password: string; role: User['role'] }) =>
      call(api.POST('/api/users', { body })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: usersQuery.queryKey })
      onDone()
    },
  })
  const error = add.error instanceof ApiError ? add.error : undefined
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    const text = (name: string) => String(data.get(name)).trim()
    add.mutate({
      name: text('name'),
      email: text('email'),
      password: String(data.get('password')),
      role: text('role') === 'admin' ? 'admin' : 'user',
    })
  }
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <FormError error={error} />
        <TextInput name="name" label="Name" required data-autofocus error={error?.field('name')} />
        <TextInput name="email" type="email" label="Email" required error={error?.field('email')} />
        <PasswordInput
          name="password"
          label="First password"
          description="At least 8 characters; tell it to them, they can change it"
          minLength={8}
          required
          autoComplete="new-password"
          error={error?.field('password')}
        />
        <NativeSelect name="role" label="Role" data={['user', 'admin']} />
        <Button type="submit" loading={add.isPending}>
          Add
        </Button>
      </Stack>
    </form>
  )
}
