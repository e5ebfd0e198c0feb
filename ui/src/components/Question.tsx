import { Alert, Button, Group, Modal, Text } from '@mantine/core'
import type { ReactNode } from 'react'

interface Props {
  asked: boolean
  title: string
  /** What the deed brings with it. */
  children: ReactNode
  /** The button that leaves everything as it is. */
  keep: string
  onKeep: () => void
  /** The button that does it. */
  deed: string
  onDeed: () => void
  /** The deed has the focus: Enter does it. */
  likely?: boolean
  pending?: boolean
  disabled?: boolean
  /** Why it was not done. */
  error?: Error | null
}

/** Asks before something is done that cannot be taken back. */
export function Question({ asked, title, children, keep, onKeep, deed, onDeed, ...state }: Props) {
  return (
    <Modal opened={asked} onClose={onKeep} title={title}>
      {state.error && (
        <Alert color="red" variant="outline" role="alert" mb="md">
          {state.error.message}
        </Alert>
      )}
      <Text component="div" size="sm" mb="md">
        {children}
      </Text>
      <Group justify="flex-end">
        <Button variant="default" onClick={onKeep}>
          {keep}
        </Button>
        <Button
          color="red"
          data-autofocus={state.likely || undefined}
          loading={state.pending ?? false}
          disabled={state.disabled ?? false}
          onClick={onDeed}
        >
          {deed}
        </Button>
      </Group>
    </Modal>
  )
}
