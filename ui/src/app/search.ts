import type { TaskFilters } from '@/api/queries'
import { taskStatuses } from '@/lib/statuses'

/** The orders of the list but the usual one. */
const sorts = ['created_at', 'name', '-name']

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)

/** Leaves out what is undefined, so that addresses stay short. */
function tidy<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, v]) => v !== undefined)) as never
}

/** The filters of the list as its address has them; what it cannot be is ignored. */
export function tasksSearch(raw: Record<string, unknown>): TaskFilters {
  const given =
    typeof raw.status === 'string' ? raw.status.split(',') : Array.isArray(raw.status) ? raw.status : []
  const status = taskStatuses.filter((s) => given.includes(s))
  return tidy({
    status: status.length > 0 ? status : undefined,
    q: text(raw.q),
    name: text(raw.name),
    label: text(raw.label),
    failure: text(raw.failure),
    worker_id: text(raw.worker_id),
    user_id: text(raw.user_id),
    since: text(raw.since),
    until: text(raw.until),
    sort: sorts.find((sort) => sort === raw.sort),
  })
}

export interface SignInSearch {
  next?: string
  expired?: boolean
}

/** Where to go after signing in: only within this site. */
export function signInSearch(raw: Record<string, unknown>): SignInSearch {
  const next = text(raw.next)
  const local = next !== undefined && /^\/(?![/\\])/.test(next)
  return tidy({ next: local ? next : undefined, expired: raw.expired === true ? true : undefined })
}

const taskTabs = ['log', 'files', 'usage', 'spec'] as const
export type TaskTab = (typeof taskTabs)[number]

export interface TaskSearch {
  tab?: TaskTab
  attempt?: number
  at?: number
}

const count = (value: unknown) =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined

export const taskSearch = (raw: Record<string, unknown>): TaskSearch =>
  tidy({
    tab: taskTabs.find((tab) => tab === raw.tab),
    attempt: count(raw.attempt) || undefined, // they count from 1
    at: count(raw.at),
  })

export interface SubmitSearch {
  from?: string
}

export const submitSearch = (raw: Record<string, unknown>): SubmitSearch => tidy({ from: text(raw.from) })

const settingsTabs = ['account', 'files', 'tokens', 'users', 'audit'] as const
export type SettingsTab = (typeof settingsTabs)[number]

export interface SettingsSearch {
  tab?: SettingsTab
}

export const settingsSearch = (raw: Record<string, unknown>): SettingsSearch =>
  tidy({ tab: settingsTabs.find((tab) => tab === raw.tab) })
