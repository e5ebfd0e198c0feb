import { Center, Group, Paper, Text, Title } from '@mantine/core'
import { useEffect, type ReactNode } from 'react'
import { Logo } from '@/components/Logo'

/** The frame of the pages for those who are not signed in. */
export function AuthFrame({ title, children }: { title: string; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · CloudAI`
  }, [title])
  return (
    <Center component="main" mih="100dvh" p="md">
      <Paper className="card" p="xl" w="100%" maw={420}>
        <Group gap="xs" mb="lg">
          <Logo size={32} />
          <Text fw={700} size="lg">
            CloudAI
          </Text>
        </Group>
        <Title order={1} size="h3" mb="md">
          {title}
        </Title>
        {children}
      </Paper>
    </Center>
  )
}
