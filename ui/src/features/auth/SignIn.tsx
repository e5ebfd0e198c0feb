import { Alert, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import type { FormEvent, ReactNode } from 'react'
import { api, call, type User } from '@/api/client'
import { FormError } from '@/components/FormError'
import { AuthFrame } from './AuthFrame'

interface Props {
  expired: boolean
  onSignedIn: (user: User) => void
  children?: ReactNode
}

export function SignIn({ expired, onSignedIn, children }: Props) {
  const login = useMutation({
    mutationFn: (body: { email: string; password: string }) => call(api.POST('/api/auth/login', { body })),
    onSuccess: (session) => onSignedIn(session.user),
  })
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    login.mutate({ email: String(data.get('email')), password: String(data.get('password')) })
  }
  return (
    <AuthFrame title="Sign in">
      <form onSubmit={submit}>
        <Stack>
          {expired && !login.isError && (
            <Alert color="yellow" variant="outline" role="status">
              Your sign-in is over. Sign in again to go on where you were.
            </Alert>
          )}
          <FormError error={login.error} />
          <TextInput
            name="email"
            type="email"
            label="Email"
            autoComplete="username"
            required
            autoFocus
            data-autofocus
          />
          <PasswordInput name="password" label="Password" autoComplete="current-password" required />
          <Button type="submit" loading={login.isPending} fullWidth>
            Sign in
          </Button>
          {children}
          <Text size="xs" c="dimmed">
            Who has forgotten the password asks an administrator for a new one.
          </Text>
        </Stack>
      </form>
    </AuthFrame>
  )
}
