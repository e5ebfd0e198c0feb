import { Button, CloseButton, Group, NativeSelect, Popover, Stack, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconFilter, IconSearch } from '@tabler/icons-react'
import { useState, type RefObject } from 'react'
import type { TaskStatus } from '@/api/client'
import type { TaskFilters } from '@/api/queries'
import { formatCount, formatDateTime } from '@/lib/format'
import { masterNow } from '@/lib/now'
import { taskStatuses } from '@/lib/statuses'
import { failureNames } from '@/lib/words'
import { newestFirst, orders, sortedBy } from './columns'
import classes from './FilterBar.module.css'
import type { Owners } from '@/api/owners'

const fields = [
  ['name', 'Name begins with', 'nightly-'],
  ['label', 'Label', 'team=blue'],
  ['worker_id', 'Worker', 'w1'],
] as const

interface Props {
  filters: TaskFilters
  onFilters: (filters: TaskFilters) => void
  counts: Partial<Record<TaskStatus, number>> | undefined
  owners: Owners | undefined
  searchRef: RefObject<HTMLInputElement | null>
}

export function FilterBar({ filters, onFilters, counts, owners, searchRef }: Props) {
  const chosen = filters.status ?? []
  const with_ = (change: Partial<Record<keyof TaskFilters, string | TaskStatus[] | undefined>>) => {
    const next = { ...filters, ...change }
    onFilters(
      Object.fromEntries(Object.entries(next).filter(([, v]) => v !== undefined && v !== '' && v.length > 0)),
    )
  }
  const toggle = (status: TaskStatus) =>
    with_({ status: chosen.includes(status) ? chosen.filter((s) => s !== status) : [...chosen, status] })
  const further = [
    filters.failure,
    filters.name,
    filters.label,
    filters.worker_id,
    filters.user_id,
    filters.since,
    filters.until,
  ].filter(Boolean)
  return (
    <Stack gap="xs" mb={4}>
      <div className={classes.statuses} role="group" aria-label="Status">
        {taskStatuses.map((status) => (
          <button
            key={status}
            type="button"
            className={classes.chip}
            aria-pressed={chosen.includes(status)}
            onClick={() => toggle(status)}
          >
            {status}
            {counts && <span className={classes.count}>{formatCount(counts[status] ?? 0)}</span>}
          </button>
        ))}
      </div>
      <Group gap="xs" wrap="nowrap">
        <DelayedInput
          ref={searchRef}
          label="Search in names, images and commands"
          value={filters.q ?? ''}
          onChange={(q) => with_({ q })}
        />
        <Popover position="bottom-end" width={300} withArrow trapFocus>
          <Popover.Target>
            <Button variant="default" leftSection={<IconFilter size={16} />}>
              Filters{further.length > 0 ? ` (${further.length})` : ''}
            </Button>
          </Popover.Target>
          <Popover.Dropdown>
            <Stack gap="xs">
              <NativeSelect
                label="Failure"
                value={filters.failure ?? ''}
                data={[
                  { value: '', label: 'any' },
                  ...Object.entries(failureNames).map(([value, label]) => ({ value, label })),
                ]}
                onChange={(event) => with_({ failure: event.currentTarget.value })}
              />
              {fields.map(([field, label, example]) => (
                <CommittedInput
                  key={field}
                  label={label}
                  placeholder={example}
                  value={filters[field] ?? ''}
                  onCommit={(value) => with_({ [field]: value })}
                />
              ))}
              {owners && (
                <NativeSelect
                  label="Owner"
                  value={filters.user_id ?? ''}
                  data={ownerChoices(owners, filters.user_id)}
                  onChange={(event) => with_({ user_id: event.currentTarget.value })}
                />
              )}
              <NativeSelect
                label="Created"
                value={filters.since ?? ''}
                data={sinceChoices(filters.since)}
                onChange={(event) => with_({ since: event.currentTarget.value })}
              />
              <NativeSelect
                label="Sorted"
                value={filters.sort ?? newestFirst}
                data={orders.map(([value, label]) => ({ value, label }))}
                onChange={(event) => onFilters(sortedBy(filters, event.currentTarget.value))}
              />
              <Button variant="default" onClick={() => onFilters({})}>
                Clear all
              </Button>
            </Stack>
          </Popover.Dropdown>
        </Popover>
      </Group>
    </Stack>
  )
}

const spans: [string, number][] = [
  ['in the last hour', 1],
  ['in the last day', 24],
  ['in the last week', 7 * 24],
]

/** The address holds a moment, so that it means the same tomorrow. */
function sinceChoices(present: string | undefined) {
  const choices = [{ value: '', label: 'at any time' }]
  const hour = Math.floor(masterNow() / 3_600_000)
  for (const [label, hours] of spans)
    choices.push({ value: new Date((hour - hours) * 3_600_000).toISOString(), label })
  if (present && !choices.some((c) => c.value === present)) {
    choices.push({ value: present, label: `since ${formatDateTime(present)}` })
  }
  return choices
}

function ownerChoices(owners: Owners, present: string | undefined) {
  const choices = [{ value: '', label: 'anybody' }, ...owners.all]
  if (present && !choices.some((c) => c.value === present)) choices.push({ value: present, label: present })
  return choices
}

interface DelayedProps {
  ref: RefObject<HTMLInputElement | null>
  label: string
  value: string
  onChange: (value: string) => void
}

/** A search that starts when the typing pauses. */
function DelayedInput({ ref, label, value, onChange }: DelayedProps) {
  const [text, setText] = useState(value)
  const [known, setKnown] = useState(value)
  const [told, setTold] = useState(value)
  if (known !== value) {
    setKnown(value)
    // Changed from elsewhere, such as the browser's way back; what was told here may have been typed on since.
    if (value !== told) setText(value)
    setTold(value)
  }
  const tell = useDebouncedCallback((next: string) => {
    setTold(next)
    onChange(next)
  }, 250)
  const change = (next: string) => {
    setText(next)
    tell(next)
  }
  return (
    <TextInput
      ref={ref}
      className={classes.search ?? ''}
      type="search"
      aria-label={label}
      placeholder={label}
      leftSection={<IconSearch size={16} />}
      value={text}
      onChange={(event) => change(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === 'Escape' && text !== '') change('')
      }}
      rightSection={
        text !== '' && <CloseButton size="sm" aria-label="Clear the search" onClick={() => change('')} />
      }
    />
  )
}

interface CommittedProps {
  label: string
  placeholder?: string
  value: string
  onCommit: (value: string) => void
}

/** A field that counts when it is left or confirmed. */
function CommittedInput({ label, placeholder, value, onCommit }: CommittedProps) {
  return (
    <TextInput
      key={value}
      label={label}
      placeholder={placeholder ?? ''}
      defaultValue={value}
      onBlur={(event) => event.currentTarget.value !== value && onCommit(event.currentTarget.value.trim())}
      onKeyDown={(event) => {
        if (event.key === 'Enter') onCommit(event.currentTarget.value.trim())
      }}
    />
  )
}
