import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core'
import { useMutation, useSuspenseQuery } from '@tanstack/react-query'
import type { FormEvent, ReactNode } from 'react'
import { api, ApiError, call, type User } from '@/api/client'
import { registrationQuery } from '@/api/queries'
import { FormError } from '@/components/FormError'
import { AuthFrame } from './AuthFrame'

interface Props {
  onSignedIn: (user: User) => void
  children?: ReactNode
}

interface Form {
  name: string
  email: string
  password: string
  setup_code?: string
}

export function Register({ onSignedIn, children }: Props) {
  const { data: state, refetch } = useSuspenseQuery(registrationQuery)
  const register = useMutation({
    mutationFn: (body: Form) => call(api.POST('/api/auth/register', { body })),
    onSuccess: (session) => onSignedIn(session.user),
    onError: () => void refetch(), // somebody else may have been first
  })
  const error = register.error instanceof ApiError ? register.error : undefined
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    const text = (name: string) => String(data.get(name) ?? '').trim()
    register.mutate({
      name: text('name'),
      email: text('email'),
      password: String(data.get('password')),
      ...(state.setup_code ? { setup_code: text('setup_code') } : {}),
    })
  }
  if (!state.open) {
    return (
      <AuthFrame title="Create an account">
        <Text mb="md">
          Registration is closed on this master. An administrator can add an account for you.
        </Text>
        {children}
      </AuthFrame>
    )
  }
  return (
    <AuthFrame title={state.first ? 'Set up CloudAI' : 'Create an account'}>
      <form onSubmit={submit}>
        <Stack>
          {state.first && (
            <Text size="sm">Nobody has an account yet. This first one becomes the administrator&apos;s.</Text>
          )}
          <FormError error={register.error} />
          <TextInput
            name="name"
            label="Name"
            autoComplete="name"
            required
            autoFocus
            error={error?.field('name')}
          />
          <TextInput
            name="email"
            type="email"
            label="Email"
            autoComplete="username"
            required
            error={error?.field('email')}
          />
          <PasswordInput
            name="password"
            label="Password"
            description="At least 8 characters"
            autoComplete="new-password"
            minLength={8}
            maxLength={128}
            required
            error={error?.field('password')}
          />
          {state.setup_code && (
            <TextInput
              name="setup_code"
              label="Setup code"
              description="You are not on the master's own machine. The master has printed this code at its start: look at its terminal or its log."
              autoComplete="off"
              required
              error={error?.field('setup_code')}
            />
          )}
          <Button type="submit" loading={register.isPending} fullWidth>
            Create the account
          </Button>
          {children}
        </Stack>
      </form>
    </AuthFrame>
  )
}
