import { ActionIcon, Button, Group, Menu, Modal, PasswordInput, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { IconDots, IconKey, IconLock, IconLockOpen, IconTrash } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { api, ApiError, call, type User } from '@/api/client'
import { usersQuery } from '@/api/queries'
import { FormError } from '@/components/FormError'
import { Question } from '@/components/Question'
import { showRefusal } from '@/components/refusal'

type Deed = 'password' | 'disable' | 'remove'

/** What an administrator can do with the account of somebody else. */
export function UserActions({ user }: { user: User }) {
  const [asking, setAsking] = useState<Deed>()
  const close = () => setAsking(undefined)
  const path = { params: { path: { id: user.id } } }
  const enable = useDeed(
    () => call(api.PATCH('/api/users/{id}', { ...path, body: { disabled: false } })),
    close,
  )
  const disable = useDeed(
    () => call(api.PATCH('/api/users/{id}', { ...path, body: { disabled: true } })),
    close,
  )
  const remove = useDeed(() => call(api.DELETE('/api/users/{id}', path)), close)
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
      <Question
        asked={asking === 'disable'}
        title={`Disable ${user.name}?`}
        keep="Leave it"
        onKeep={close}
        deed="Disable"
        onDeed={() => disable.mutate()}
        pending={disable.isPending}
      >
        {user.name} is signed out, cannot sign in, and their API tokens end. Their tasks run on; logs and
        files are kept.
      </Question>
      <Question
        asked={asking === 'remove'}
        title={`Remove ${user.name}?`}
        keep="Keep it"
        onKeep={close}
        deed="Remove it"
        onDeed={() => remove.mutate()}
        pending={remove.isPending}
      >
        The account of {user.email} ends, with its sign-ins and API tokens. This cannot be taken back. Its
        tasks and files stay, for administrators to see; to keep the account for later, disable it.
      </Question>
    </>
  )
}

/** Something that changes the list of users. */
function useDeed(mutationFn: () => Promise<unknown>, onDone: () => void) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn,
    onSuccess: () => void queries.invalidateQueries({ queryKey: usersQuery.queryKey }),
    onError: showRefusal,
    onSettled: onDone,
  })
}

function NewPassword({ user, onDone }: { user: User; onDone: () => void }) {
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
        <FormError error={set.error} />
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
