import { Button, PasswordInput, Stack, Text, Title } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { api, ApiError, call, type User } from '@/api/client'
import { versionQuery } from '@/api/queries'
import { FormError } from '@/components/FormError'
import { formatDateTime } from '@/lib/format'

export function Account({ user }: { user: User }) {
  const { data: version } = useQuery(versionQuery)
  return (
    <Stack maw={440} gap="lg">
      <div>
        <Text fw={600}>{user.name}</Text>
        <Text size="sm">
          {user.email}, {user.role === 'admin' ? 'administrator' : 'user'}
        </Text>
        <Text size="sm">
          Account since <time dateTime={user.created_at}>{formatDateTime(user.created_at)}</time>
        </Text>
        <Text size="sm" c="dimmed" className="mono">
          {user.id}
        </Text>
      </div>
      <PasswordForm />
      {version && (
        <Text size="xs" c="dimmed">
          Master {version.version}, {version.go}
        </Text>
      )}
    </Stack>
  )
}

function PasswordForm() {
  const [mismatch, setMismatch] = useState(false)
  const change = useMutation({
    mutationFn: (body: { old_password: string; new_password: string }) =>
      call(api.POST('/api/auth/password', { body })),
  })
  const error = change.error instanceof ApiError ? change.error : undefined
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = event.currentTarget
    const data = new FormData(form)
    const [old_password, new_password, again] = ['old', 'new', 'again'].map((name) => String(data.get(name)))
    setMismatch(new_password !== again)
    if (new_password !== again || old_password === undefined || new_password === undefined) return
    change.mutate(
      { old_password, new_password },
      {
        onSuccess: () => {
          form.reset()
          notifications.show({
            color: 'green',
            title: 'The password is changed',
            message: 'All other sign-ins have ended.',
          })
        },
      },
    )
  }
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Title order={2} size="h5">
          Change the password
        </Title>
        <FormError error={error} />
        <PasswordInput
          name="old"
          label="Present password"
          autoComplete="current-password"
          required
          error={error?.field('old_password')}
        />
        <PasswordInput
          name="new"
          label="New password"
          autoComplete="new-password"
          minLength={8}
          maxLength={128}
          required
          error={error?.field('new_password')}
        />
        <PasswordInput
          name="again"
          label="New password again"
          autoComplete="new-password"
          required
          error={mismatch && 'Is not the same as above.'}
        />
        <Button type="submit" variant="default" loading={change.isPending}>
          Change it
        </Button>
      </Stack>
    </form>
  )
}
