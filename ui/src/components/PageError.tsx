import { Alert, Button, Group, Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { ApiError } from '@/api/client'

interface Props {
  error: unknown
  retry?: (() => void) | undefined
  /** Where else to go. */
  children?: ReactNode
}

/** What went wrong, in words, and a way to go on. */
export function PageError({ error, retry, children }: Props) {
  const known = error instanceof ApiError
  const text = error instanceof Error ? error.message : String(error)
  return (
    <Alert
      color="red"
      variant="outline"
      role="alert"
      title={known ? error.title : 'This page has failed'}
      m="md"
    >
      <Text size="sm">{text}</Text>
      {(retry ?? children) && (
        <Group mt="sm" gap="xs">
          {retry && (
            <Button variant="default" size="xs" onClick={retry}>
              Try again
            </Button>
          )}
          {children}
        </Group>
      )}
    </Alert>
  )
}
