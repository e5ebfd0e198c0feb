import { ActionIcon, Button, FileButton, Group, Stack, Text, Textarea, TextInput } from '@mantine/core'
import { IconFilePlus, IconTrash, IconUpload } from '@tabler/icons-react'
import { useEffect, useRef, useState } from 'react'
import { formatBytes } from '@/lib/format'
import { inputOf, mostInput } from './inputs'
import type { InputFile } from './submit'

interface Props {
  inputs: InputFile[]
  error: string | undefined
  onChange: (inputs: InputFile[]) => void
}

/** Small files that are put into the container before it starts. */
export function InputFiles({ inputs, error, onChange }: Props) {
  const put = (at: number, part: Partial<InputFile>) =>
    onChange(inputs.map((input, i) => (i === at ? { ...input, ...part } : input)))
  const [refused, setRefused] = useState<string>()
  const latest = useRef(inputs)
  useEffect(() => {
    latest.current = inputs
  }, [inputs])
  const add = async (files: File[]) => {
    const size = files.reduce((sum, file) => sum + file.size, 0)
    setRefused(size > mostInput ? `${formatBytes(size)} are more than a task can bring along.` : undefined)
    if (size > mostInput) return
    try {
      const read = await Promise.all(files.map(inputOf))
      onChange([...latest.current, ...read])
    } catch (failed) {
      setRefused(failed instanceof Error ? failed.message : String(failed))
    }
  }
  return (
    <Stack gap="xs" role="group" aria-label="Input files">
      <Group justify="space-between" gap="xs">
        <div>
          <Text size="sm" fw={500}>
            Input files
          </Text>
          <Text size="xs" c="dimmed">
            Put into the container before it starts; 1 MiB together
          </Text>
        </div>
        <Group gap="xs">
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconFilePlus size={16} />}
            onClick={() => onChange([...inputs, { path: '', content: '' }])}
          >
            Write one
          </Button>
          <FileButton multiple onChange={(files) => void add(files)}>
            {(props) => (
              <Button {...props} size="compact-sm" variant="default" leftSection={<IconUpload size={16} />}>
                From this computer
              </Button>
            )}
          </FileButton>
        </Group>
      </Group>
      {(refused ?? error) && (
        <Text size="xs" c="var(--mantine-color-error)" role="alert">
          {refused ?? error}
        </Text>
      )}
      {inputs.map((input, i) => (
        <div key={i} className="card" style={{ padding: '0.5rem' }}>
          <Group gap="xs" wrap="nowrap" align="flex-start">
            <TextInput
              flex={1}
              aria-label={`Path of input file ${i + 1}`}
              placeholder="data/config.json, or an absolute path"
              value={input.path}
              onChange={(event) => put(i, { path: event.currentTarget.value })}
            />
            <ActionIcon
              variant="default"
              size="lg"
              aria-label={`Remove input file ${i + 1}`}
              onClick={() => onChange(inputs.filter((_, other) => other !== i))}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Group>
          {input.encoding === 'base64' ? (
            <Text size="xs" c="dimmed" mt={4}>
              {formatBytes(atob(input.content ?? '').length)} that are no text
            </Text>
          ) : (
            <Textarea
              mt={6}
              aria-label={`Content of input file ${i + 1}`}
              autosize
              minRows={2}
              maxRows={10}
              classNames={{ input: 'mono' }}
              value={input.content ?? ''}
              onChange={(event) => put(i, { content: event.currentTarget.value })}
            />
          )}
        </div>
      ))}
    </Stack>
  )
}
