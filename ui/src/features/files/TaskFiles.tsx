import { Anchor, Button, Group, Stack, Text } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { FileEntry } from '@/api/client'
import { fileUseQuery, taskFilesQuery } from '@/api/queries'
import { Empty } from '@/components/Empty'
import { FileUse } from '@/components/FileUse'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { formatBytes, formatCount } from '@/lib/format'
import { DeleteFiles } from './DeleteFiles'
import classes from './Files.module.css'
import { FileTree } from './FileTree'
import { contentPath } from './paths'
import { Preview } from './Preview'

interface Props {
  id: string
  terminal: boolean
  /** They were there and are gone, by somebody or by the rules of what is kept. */
  deleted: boolean
  /** The task is of whoever looks at it. */
  own: boolean
}

/** What a task has left in /output. */
export function TaskFiles(props: Props) {
  return (
    <Stack>
      {props.own && <OwnUse />}
      <Files {...props} />
    </Stack>
  )
}

function OwnUse() {
  const { data: use } = useQuery(fileUseQuery)
  return <FileUse use={use ?? undefined} linked />
}

function Files({ id, terminal, deleted }: Props) {
  const { data, error } = useQuery(taskFilesQuery(id, terminal))
  const [chosen, setChosen] = useState<FileEntry>()
  if (error) return <PageError error={error} />
  if (!data) return <PageLoading />
  if (deleted) {
    return (
      <Empty title="Its files were deleted">
        <Text c="dimmed" size="sm">
          By somebody who may, or by the rules of what is kept. A retry makes them anew.
        </Text>
      </Empty>
    )
  }
  if (data.files.length === 0 && data.skipped.length === 0) {
    return (
      <Empty title={terminal ? 'It has left no files' : 'No files yet'}>
        <Text c="dimmed" size="sm">
          What a task writes to <code>/output</code> is kept here when it ends, also when it fails.
        </Text>
      </Empty>
    )
  }
  return (
    <Stack>
      <Group justify="space-between">
        <Text size="sm">
          {formatCount(data.files.length)} {data.files.length === 1 ? 'file' : 'files'},{' '}
          {formatBytes(data.total_size)}
        </Text>
        <Group gap="xs">
          {(['tar.gz', 'zip'] as const).map((format) => (
            <Button
              key={format}
              size="compact-sm"
              variant="default"
              component="a"
              href={`/api/files/${encodeURIComponent(id)}/download?format=${format}`}
              download
              leftSection={<IconDownload size={16} />}
            >
              All as {format}
            </Button>
          ))}
          {terminal && data.files.length > 0 && (
            <DeleteFiles id={id} files={data.files.length} size={data.total_size} label="Delete the files" />
          )}
        </Group>
      </Group>
      {data.skipped.length > 0 && (
        <details className="card" style={{ padding: '0.5rem 0.75rem' }}>
          <summary>
            {formatCount(data.skipped.length)} {data.skipped.length === 1 ? 'entry was' : 'entries were'} not
            kept
          </summary>
          <ul>
            {data.skipped.map(({ path, reason }) => (
              <li key={path}>
                <span className="mono">{path}</span>: {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
      <div className={classes.panes}>
        <FileTree files={data.files} chosen={chosen?.path} onChoose={setChosen} />
        <div className={`card ${classes.preview}`}>
          {chosen ? (
            <>
              <Group justify="space-between" mb="xs" gap="xs">
                <Text size="sm" fw={600} className="mono">
                  {chosen.path}
                </Text>
                <Anchor href={contentPath(id, chosen.path)} download size="sm" underline="always">
                  Download ({formatBytes(chosen.size)})
                </Anchor>
              </Group>
              <Preview key={chosen.path} id={id} file={chosen} />
              <Text size="xs" c="dimmed" mt="xs" className="mono">
                SHA-256 {chosen.sha256}
              </Text>
            </>
          ) : (
            <Text c="dimmed" size="sm">
              Choose a file to look into it.
            </Text>
          )}
        </div>
      </div>
    </Stack>
  )
}
