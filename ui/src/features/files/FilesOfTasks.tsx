import { Stack, Table, Text } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useOwners } from '@/api/owners'
import { fileUseQuery, filesQuery } from '@/api/queries'
import { Empty } from '@/components/Empty'
import { FileUse } from '@/components/FileUse'
import { AnchorLink } from '@/components/links'
import { PagedList } from '@/components/PagedList'
import { Time } from '@/components/Time'
import { WideTable } from '@/components/WideTable'
import { formatBytes, formatCount } from '@/lib/format'
import { DeleteFiles } from './DeleteFiles'

/** The tasks that have left files, what these take, and how to make room. */
export function FilesOfTasks({ admin }: { admin: boolean }) {
  const list = useInfiniteQuery(filesQuery)
  const { data: use } = useQuery(fileUseQuery)
  const owners = useOwners(admin)
  return (
    <Stack>
      <FileUse use={use ?? undefined} />
      {use && use.quota === undefined && (
        <Text size="sm" c="dimmed">
          Your output files take {formatBytes(use.used)}.
        </Text>
      )}
      <PagedList list={list} empty={<NoFiles />}>
        {(items) => (
          <WideTable minWidth={560} verticalSpacing={6}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Task</Table.Th>
                {owners && <Table.Th>User</Table.Th>}
                <Table.Th>Created</Table.Th>
                <Table.Th ta="right">Files</Table.Th>
                <Table.Th ta="right">Size</Table.Th>
                <Table.Td />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {items.map((item) => (
                <Table.Tr key={item.task_id}>
                  <Table.Td>
                    <AnchorLink
                      to="/tasks/$taskId"
                      params={{ taskId: item.task_id }}
                      search={{ tab: 'files' }}
                      underline="always"
                      size="sm"
                    >
                      {item.task_name || item.task_id}
                    </AnchorLink>
                  </Table.Td>
                  {owners && <Table.Td>{owners.nameOf(item)}</Table.Td>}
                  <Table.Td>
                    <Time at={item.created_at} />
                  </Table.Td>
                  <Table.Td ta="right">{formatCount(item.files)}</Table.Td>
                  <Table.Td ta="right">{formatBytes(item.total_size)}</Table.Td>
                  <Table.Td ta="right">
                    <DeleteFiles
                      id={item.task_id}
                      files={item.files}
                      size={item.total_size}
                      label={`Delete the files of ${item.task_name || item.task_id}`}
                    />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </WideTable>
        )}
      </PagedList>
    </Stack>
  )
}

function NoFiles() {
  return (
    <Empty title="No task has left files">
      <Text c="dimmed" size="sm">
        What a task writes to <code>/output</code> is kept when it ends.
      </Text>
    </Empty>
  )
}
