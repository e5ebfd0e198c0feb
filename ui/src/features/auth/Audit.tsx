import { Button, Group, NativeSelect, Stack, Table, Text, TextInput } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { auditQuery, usersQuery, type AuditFilters } from '@/api/queries'
import { Empty } from '@/components/Empty'
import { PagedList } from '@/components/PagedList'
import { WideTable } from '@/components/WideTable'
import { formatDateTime } from '@/lib/format'
import classes from './Audit.module.css'

/** Who did what, the latest first; for administrators. */
export function Audit() {
  const [filters, setFilters] = useState<AuditFilters>({})
  const list = useInfiniteQuery(auditQuery(filters))
  const { data: users } = useQuery(usersQuery)
  const names = new Map(users?.map((user) => [user.id, user.name]))
  const who = (id: string | undefined) => (id === undefined ? 'nobody known' : (names.get(id) ?? id))
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        Every call that changes something, sign-ins and failed ones, and what administrators have looked at
        that is another&apos;s. Entries are never changed; those older than the master is told to keep go, and
        an entry says so.
      </Text>
      <Filters people={users ?? []} onFilters={setFilters} />
      <PagedList list={list} empty={<Empty title="No entry matches" />}>
        {(entries) => (
          <WideTable minWidth={720} verticalSpacing={6}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>When</Table.Th>
                <Table.Th>Who</Table.Th>
                <Table.Th>Did</Table.Th>
                <Table.Th>To</Table.Th>
                <Table.Th>Outcome</Table.Th>
                <Table.Th>From</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {entries.map((entry) => (
                <Table.Tr key={entry.seq} title={`Entry ${entry.seq}, request ${entry.request_id}`}>
                  <Table.Td className={classes.when}>{formatDateTime(entry.time)}</Table.Td>
                  <Table.Td>{who(entry.user_id)}</Table.Td>
                  <Table.Td>
                    {entry.action}
                    {entry.detail && <div className={classes.small}>{entry.detail}</div>}
                  </Table.Td>
                  <Table.Td>
                    <span className="mono">{entry.target ?? ''}</span>
                    {entry.owner && <div className={classes.small}>of {who(entry.owner)}</div>}
                  </Table.Td>
                  <Table.Td data-outcome={entry.outcome} className={classes.outcome}>
                    {entry.outcome} ({entry.status})
                  </Table.Td>
                  <Table.Td>
                    {entry.address ?? 'this machine'}
                    {entry.via && <div className={classes.small}>by {entry.via}</div>}
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

interface FiltersProps {
  people: { id: string; name: string }[]
  onFilters: (filters: AuditFilters) => void
}

function Filters({ people, onFilters }: FiltersProps) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    const given = [...data.entries()].map(([name, value]) => [name, String(value).trim()])
    onFilters(Object.fromEntries(given.filter(([, value]) => value !== '')) as AuditFilters)
  }
  return (
    <form
      onSubmit={submit}
      onChange={(event) => event.target instanceof HTMLSelectElement && event.currentTarget.requestSubmit()}
    >
      <Group gap="xs" align="flex-end">
        <NativeSelect
          name="user_id"
          label="Who"
          data={[
            { value: '', label: 'anybody' },
            ...people.map(({ id, name }) => ({ value: id, label: name })),
          ]}
        />
        <NativeSelect
          name="outcome"
          label="Outcome"
          data={[{ value: '', label: 'any' }, 'ok', 'denied', 'failed']}
        />
        <TextInput name="action" label="Did" placeholder="cancelTask" />
        <TextInput name="target" label="To" placeholder="id or email" />
        <Button type="submit" variant="default">
          Filter
        </Button>
      </Group>
    </form>
  )
}
