import { Alert } from '@mantine/core'

/** Why what a form asks for was not done; nothing while there is no reason. */
export function FormError({ error }: { error: Error | null | undefined }) {
  return (
    error && (
      <Alert color="red" variant="outline" role="alert" p="xs">
        {error.message}
      </Alert>
    )
  )
}
