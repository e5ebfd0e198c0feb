import { Group, Text, Title } from '@mantine/core'
import { useEffect, type ReactNode } from 'react'

interface Props {
  title: string
  hint?: ReactNode
  children?: ReactNode
}

/** The head of a page, with what can be done there; also names the browser's tab. */
export function PageTitle({ title, hint, children }: Props) {
  useEffect(() => {
    document.title = `${title} · CloudAI`
  }, [title])
  return (
    <Group justify="space-between" align="flex-start" mb="md" gap="sm">
      <div>
        <Title order={1} size="h2">
          {title}
        </Title>
        {hint && (
          <Text c="dimmed" size="sm">
            {hint}
          </Text>
        )}
      </div>
      {children && <Group gap="xs">{children}</Group>}
    </Group>
  )
}
