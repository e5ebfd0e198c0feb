import { Alert, Button, Group, Stack, Tabs, Text } from '@mantine/core'
import { IconRocket } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo, useRef, useState, type FormEvent } from 'react'
import { api, ApiError, call, type Task, type TaskRequest } from '@/api/client'
import { meQuery, recentTasksQuery } from '@/api/queries'
import { Command } from '@/components/Command'
import { PageTitle } from '@/components/PageTitle'
import { shortImage } from '@/lib/images'
import { newKey } from '@/lib/key'
import { taskTitle } from './columns'
import { forgetDraft, keepDraft, keptDraft } from './kept'
import { SubmitFields } from './SubmitFields'
import { asCurl, asPrompt, draftOf, emptyDraft, requestOf, type Draft, type Errors } from './submit'
import classes from './SubmitPage.module.css'

interface Props {
  /** Whose form it is. */
  owner: string
  /** The task that is cloned. */
  template: string | undefined
  /** What that was made from. */
  from: TaskRequest | undefined
  onSubmitted: (task: Task) => void
  onTemplate: (id: string) => void
}

export function SubmitPage({ owner, template, from, onSubmitted, onTemplate }: Props) {
  const [draft, setDraft] = useDraft(owner, template, from)
  const [tried, setTried] = useState(false)
  const { body, errors } = useMemo(() => requestOf(draft), [draft])
  const { data: earlier = [] } = useQuery(recentTasksQuery(100))
  const form = useRef<HTMLFormElement>(null)
  // The key stays while the body does: a submit whose answer was lost and that
  // is sent again is still one task.
  const key = useRef<{ key: string; body: string }>(undefined)
  const submit = useMutation({
    mutationFn: (request: TaskRequest) => {
      const text = JSON.stringify(request)
      if (key.current?.body !== text) key.current = { key: newKey(), body: text }
      return call(
        api.POST('/api/tasks', { body: request, params: { header: { 'Idempotency-Key': key.current.key } } }),
      )
    },
    onSuccess: onSubmitted,
    onError: () => toFirstError(form.current),
  })
  const refusal = submit.error instanceof ApiError ? submit.error : undefined
  const shown: Errors = tried ? { ...fieldErrors(refusal), ...errors } : {}
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    setTried(true)
    if (Object.keys(errors).length > 0) {
      toFirstError(form.current)
      return
    }
    submit.mutate(body)
  }
  const change = (part: Partial<Draft>) => {
    setDraft((old) => ({ ...old, ...part }))
    if (submit.isError) submit.reset()
  }
  return (
    <>
      <PageTitle title="Submit a task" hint={from && `Begun as a clone of ${taskTitle(from)}`} />
      <div className={classes.panes}>
        <form ref={form} onSubmit={onSubmit} noValidate>
          <Stack>
            <SubmitFields
              draft={draft}
              errors={shown}
              images={[...new Set(earlier.map((task) => task.docker_image))].slice(0, 20)}
              onChange={change}
            />
            {tried && (refusal ?? shown.form) && (
              <Alert color="red" variant="outline" role="alert">
                {refusal?.message ?? shown.form}
              </Alert>
            )}
            <Group>
              <Button type="submit" loading={submit.isPending} leftSection={<IconRocket size={16} />}>
                Submit
              </Button>
            </Group>
          </Stack>
        </form>
        <aside className={classes.aside} aria-label="The same elsewhere, and templates">
          <Elsewhere body={body} />
          <Templates tasks={earlier} onPick={onTemplate} />
        </aside>
      </div>
    </>
  )
}

/** Goes to the first field that is wrong, once it is drawn as such, also where it is folded away. */
function toFirstError(form: HTMLFormElement | null) {
  requestAnimationFrame(() => {
    const field = form?.querySelector<HTMLElement>('[aria-invalid="true"]')
    const folded = field?.closest('details')
    if (folded) folded.open = true
    field?.focus()
  })
}

/** What is typed; when the sign-in ends in the middle of it, it is there again after the next one. */
function useDraft(owner: string, template: string | undefined, from: TaskRequest | undefined) {
  const queries = useQueryClient()
  const [draft, setDraft] = useState<Draft>(
    () => keptDraft(owner, template) ?? (from ? draftOf(from) : emptyDraft),
  )
  const typed = useRef(draft)
  useEffect(() => {
    typed.current = draft
  }, [draft])
  useEffect(() => {
    forgetDraft()
    return () => {
      if (queries.getQueryData(meQuery.queryKey) === null)
        keepDraft({ owner, from: template, draft: typed.current })
    }
  }, [queries, owner, template])
  return [draft, setDraft] as const
}

/** The master's own words for the fields; it may know better than the schema. */
function fieldErrors(refusal: ApiError | undefined): Errors {
  const errors: Errors = {}
  for (const { location, message } of refusal?.fields ?? []) {
    const field = location.split(/[.[]/)[0] ?? ''
    if (field in emptyDraft) errors[field as keyof Draft] ??= message
  }
  return errors
}

function Elsewhere({ body }: { body: TaskRequest }) {
  const prompt = asPrompt(body)
  return (
    <Tabs defaultValue="prompt" keepMounted={false}>
      <Text size="sm" fw={600} mb={4}>
        The same without this form
      </Text>
      <Tabs.List mb="xs">
        <Tabs.Tab value="prompt">Prompt</Tabs.Tab>
        <Tabs.Tab value="curl">curl</Tabs.Tab>
        <Tabs.Tab value="json">JSON</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="prompt">
        <Command label="the prompt's command" text={prompt.line} />
        {prompt.missing.length > 0 && (
          <Text size="xs" c="dimmed" mt={4}>
            The prompt has no flag for {prompt.missing.join(', ').replaceAll('_', ' ')}.
          </Text>
        )}
      </Tabs.Panel>
      <Tabs.Panel value="curl">
        <Command label="the curl command" text={asCurl(body, location.origin)} />
        <Text size="xs" c="dimmed" mt={4}>
          TOKEN is an API token, which Settings makes.
        </Text>
      </Tabs.Panel>
      <Tabs.Panel value="json">
        <Command label="the body as JSON" text={JSON.stringify(body, null, 2)} />
      </Tabs.Panel>
    </Tabs>
  )
}

/** Earlier tasks, each kind once. */
function Templates({ tasks, onPick }: { tasks: Task[]; onPick: (id: string) => void }) {
  const kinds = new Map<string, Task>()
  for (const task of tasks) {
    // Names such as page-1 and page-2 are of one kind.
    const kind = JSON.stringify([task.docker_image, task.command, task.name.replace(/[\d_.-]+$/, '')])
    if (!kinds.has(kind)) kinds.set(kind, task)
  }
  const picks = [...kinds.values()].slice(0, 6)
  if (picks.length === 0) return null
  return (
    <div>
      <Text size="sm" fw={600} mb={4}>
        Begin from an earlier task
      </Text>
      {picks.map((task) => (
        <button
          key={task.task_id}
          type="button"
          className={classes.template}
          onClick={() => onPick(task.task_id)}
        >
          <span className={classes.title}>{taskTitle(task)}</span>
          <span className={classes.image} title={task.docker_image}>
            {shortImage(task.docker_image)}
          </span>
        </button>
      ))}
    </div>
  )
}
