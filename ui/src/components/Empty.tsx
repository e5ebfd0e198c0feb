import { Stack, Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'

interface Props {
  title: string
  icon?: ReactNode
  children?: ReactNode
}

/** Nothing is here yet, and what to do about it. */
export function Empty({ title, icon, children }: Props) {
  return (
    <Stack align="center" gap="xs" py="xl" px="md" ta="center">
      {icon && <Text c="dimmed">{icon}</Text>}
      <Title order={2} size="h4">
        {title}
      </Title>
      {children}
    </Stack>
  )
}
