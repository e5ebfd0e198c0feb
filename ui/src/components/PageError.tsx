import { Alert, Button, Group, Text } from '@mantine/core'
import { ApiError } from '@/api/client'

/** What went wrong, in words, and a way to go on. */
export function PageError({ error, retry }: { error: unknown; retry?: () => void }) {
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
      {retry && (
        <Group mt="sm">
          <Button variant="default" size="xs" onClick={retry}>
            Try again
          </Button>
        </Group>
      )}
    </Alert>
  )
}
