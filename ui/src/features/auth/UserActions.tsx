import { ActionIcon, Alert, Button, Group, Menu, Modal, PasswordInput, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { IconDots, IconKey, IconLock, IconLockOpen, IconTrash } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { api, ApiError, call, type User } from '@/api/client'
import { usersQuery } from '@/api/queries'
import { showRefusal } from '@/components/refusal'

type Deed = 'password' | 'disable' | 'remove'

/** What an administrator can do with the account of somebody else. */
export function UserActions({ user }: { user: User }) {
  const [asking, setAsking] = useState<Deed>()
  const close = () => setAsking(undefined)
  const enable = useChange(user, { disabled: false }, close)
  return (
    <>
      <Menu position="bottom-end" withArrow>
        <Menu.Target>
          <ActionIcon
            variant="default"
            aria-label={`What to do with ${user.name}`}
            loading={enable.isPending}
          >
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconKey size={16} />} onClick={() => setAsking('password')}>
            Set a new password
          </Menu.Item>
          {user.disabled ? (
            <Menu.Item leftSection={<IconLockOpen size={16} />} onClick={() => enable.mutate()}>
              Enable
            </Menu.Item>
          ) : (
            <Menu.Item leftSection={<IconLock size={16} />} onClick={() => setAsking('disable')}>
              Disable
            </Menu.Item>
          )}
          <Menu.Item leftSection={<IconTrash size={16} />} onClick={() => setAsking('remove')}>
            Remove
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={asking === 'password'} onClose={close} title={`A new password for ${user.name}`}>
        <NewPassword user={user} onDone={close} />
      </Modal>
      <Modal opened={asking === 'disable'} onClose={close} title={`Disable ${user.name}?`}>
        <Disable user={user} onDone={close} />
      </Modal>
      <Modal opened={asking === 'remove'} onClose={close} title={`Remove ${user.name}?`}>
        <Remove user={user} onDone={close} />
      </Modal>
    </>
  )
}

interface DeedProps {
  user: User
  onDone: () => void
}

function useChange(user: User, body: { disabled: boolean }, onDone: () => void) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => call(api.PATCH('/api/users/{id}', { params: { path: { id: user.id } }, body })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: usersQuery.queryKey }),
    onError: showRefusal,
    onSettled: onDone,
  })
}

function NewPassword({ user, onDone }: DeedProps) {
  const set = useMutation({
    mutationFn: (password: string) =>
      call(api.PATCH('/api/users/{id}', { params: { path: { id: user.id } }, body: { password } })),
    onSuccess: () => {
      notifications.show({
        color: 'green',
        title: `${user.name} has a new password`,
        message: 'Tell it to them; they can change it in their settings.',
      })
      onDone()
    },
  })
  const error = set.error instanceof ApiError ? set.error : undefined
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    set.mutate(String(new FormData(event.currentTarget).get('password')))
  }
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Text size="sm">For somebody who has forgotten theirs. Their sign-ins and API tokens end.</Text>
        {set.isError && (
          <Alert color="red" variant="outline" role="alert" p="xs">
            {set.error.message}
          </Alert>
        )}
        <PasswordInput
          name="password"
          label="New password"
          description="At least 8 characters"
          minLength={8}
          maxLength={128}
          required
          data-autofocus
          autoComplete="new-password"
          error={error?.field('password')}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Leave it
          </Button>
          <Button type="submit" loading={set.isPending}>
            Set it
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

function Disable({ user, onDone }: DeedProps) {
  const disable = useChange(user, { disabled: true }, onDone)
  return (
    <>
      <Text size="sm" mb="md">
        {user.name} is signed out, cannot sign in, and their API tokens end. Their tasks run on; logs and
        files are kept.
      </Text>
      <Group justify="flex-end">
        <Button variant="default" onClick={onDone}>
          Leave it
        </Button>
        <Button color="red" loading={disable.isPending} onClick={() => disable.mutate()}>
          Disable
        </Button>
      </Group>
    </>
  )
}

function Remove({ user, onDone }: DeedProps) {
  const queries = useQueryClient()
  const remove = useMutation({
    mutationFn: () => call(api.DELETE('/api/users/{id}', { params: { path: { id: user.id } } })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: usersQuery.queryKey }),
    onError: showRefusal,
    onSettled: onDone,
  })
  return (
    <>
      <Text size="sm" mb="md">
        The account of {user.email} ends, with its sign-ins and API tokens. This cannot be taken back. Its
        tasks and files stay, for administrators to see; to keep the account for later, disable it.
      </Text>
      <Group justify="flex-end">
        <Button variant="default" onClick={onDone}>
          Keep it
        </Button>
        <Button color="red" loading={remove.isPending} onClick={() => remove.mutate()}>
          Remove it
        </Button>
      </Group>
    </>
  )
}
