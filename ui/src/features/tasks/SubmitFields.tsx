import {
  Autocomplete,
  Fieldset,
  NativeSelect,
  NumberInput,
  SegmentedControl,
  SimpleGrid,
  Stack,
  Textarea,
  TextInput,
} from '@mantine/core'
import { useState } from 'react'
import { decimalSeparator } from '@/lib/format'
import { InputFiles } from './InputFiles'
import type { Draft, Errors } from './submit'

interface Props {
  draft: Draft
  errors: Errors
  /** That were used before. */
  images: string[]
  onChange: (part: Partial<Draft>) => void
}

type TextField = 'name' | 'timeout' | 'grace_period' | 'workdir' | 'target_worker_id'
type NumberField =
  | 'cpu_required'
  | 'memory_required'
  | 'storage_required'
  | 'gpu_required'
  | 'priority'
  | 'max_retries'
  | 'max_reschedules'
  | 'shm_size'
type MapField = 'env' | 'labels' | 'constraints'

export function SubmitFields({ draft, errors, images, onChange }: Props) {
  // A clone shows all that it brings along.
  const [further] = useState(() =>
    Boolean(draft.env || draft.labels || draft.constraints || draft.timeout || draft.inputs.length),
  )
  const text = (
    field: TextField,
    label: string,
    more: { placeholder?: string; description?: string } = {},
  ) => (
    <TextInput
      label={label}
      {...more}
      value={draft[field]}
      error={errors[field]}
      onChange={(event) => onChange({ [field]: event.currentTarget.value })}
    />
  )
  const number = (field: NumberField, label: string, step = 1, suffix?: string) => (
    <NumberInput
      label={label}
      step={step}
      min={0}
      decimalSeparator={decimalSeparator}
      {...(suffix ? { suffix } : {})}
      value={draft[field]}
      error={errors[field]}
      onChange={(value) => onChange({ [field]: value })}
    />
  )
  const map = (field: MapField, label: string, placeholder: string, description?: string) => (
    <Textarea
      label={label}
      placeholder={placeholder}
      description={description ?? 'One NAME=value per line; a value with line ends in quotes, as "a\\nb"'}
      autosize
      minRows={2}
      maxRows={8}
      value={draft[field]}
      error={errors[field]}
      onChange={(event) => onChange({ [field]: event.currentTarget.value })}
    />
  )
  return (
    <Stack>
      <Fieldset legend="What to run">
        <Stack gap="sm">
          <Autocomplete
            label="Image"
            placeholder="busybox"
            description="As docker run takes it"
            withAsterisk
            data={images}
            openOnFocus={false} // it would lie over what is said against the field
            value={draft.docker_image}
            error={errors.docker_image}
            onChange={(docker_image) => onChange({ docker_image })}
          />
          <SegmentedControl
            aria-label="How it is run"
            value={draft.how}
            onChange={(how) => onChange({ how: how as Draft['how'] })}
            data={[
              { value: 'args', label: 'Arguments of the image' },
              { value: 'command', label: 'Shell command' },
            ]}
          />
          {draft.how === 'args' ? (
            <TextInput
              label="Arguments"
              description="After the image's entrypoint, with quotes as in a shell; empty: what the image does by itself"
              placeholder="echo hello"
              value={draft.args}
              error={errors.args}
              onChange={(event) => onChange({ args: event.currentTarget.value })}
            />
          ) : (
            <Textarea
              label="Command"
              description="Run by /bin/sh -c in place of the entrypoint; what it writes to /output is kept"
              placeholder={'date > /output/when.txt\nls -l /output'}
              autosize
              minRows={2}
              maxRows={16}
              value={draft.command}
              error={errors.command}
              onChange={(event) => onChange({ command: event.currentTarget.value })}
            />
          )}
          {text('name', 'Name', { placeholder: 'for people; need not be unique' })}
        </Stack>
      </Fieldset>
      <Fieldset legend="What it may use">
        <SimpleGrid cols={{ base: 2, sm: 4 }}>
          {number('cpu_required', 'CPU cores', 0.5)}
          {number('memory_required', 'Memory', 256, ' MiB')}
          {number('storage_required', 'Storage', 1024, ' MiB')}
          {number('gpu_required', 'GPUs')}
        </SimpleGrid>
      </Fieldset>
      <details open={further}>
        <summary style={{ cursor: 'pointer' }}>
          Environment, files, timeout, retries, placement and more
        </summary>
        <Stack mt="sm" gap="sm">
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            {map('env', 'Environment', 'LEVEL=debug')}
            {map('labels', 'Labels', 'team=blue', 'One NAME=value per line, for filters')}
            {map('constraints', 'Constraints', 'disk=ssd', 'Labels that the worker must have')}
            <Stack gap="sm">
              {text('target_worker_id', 'Only on worker')}
              <NativeSelect
                label="Network"
                value={draft.network}
                data={['bridge', 'none']}
                error={errors.network}
                onChange={(event) => onChange({ network: event.currentTarget.value as Draft['network'] })}
              />
            </Stack>
          </SimpleGrid>
          <SimpleGrid cols={{ base: 2, sm: 3 }}>
            {text('timeout', 'Timeout', { placeholder: '90s, 2h; empty: none' })}
            {text('grace_period', 'Grace period', { placeholder: '10s' })}
            {text('workdir', 'Working directory', { placeholder: "the image's" })}
            {number('priority', 'Priority (0 to 100)', 10)}
            {number('max_retries', 'Retries after failures')}
            {number('max_reschedules', 'Retries after losses')}
            {number('shm_size', '/dev/shm (0: default)', 64, ' MiB')}
          </SimpleGrid>
          <InputFiles
            inputs={draft.inputs}
            error={errors.inputs}
            onChange={(inputs) => onChange({ inputs })}
          />
        </Stack>
      </details>
    </Stack>
  )
}
