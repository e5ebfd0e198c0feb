import { queryOptions, useQuery } from '@tanstack/react-query'
import { useCallback, useMemo } from 'react'
import type { Task } from './client'
import { usersQuery } from './queries'

/** Who speaks at the master's own prompt; it is no account. */
const local = 'local'

export interface Owners {
  /** Whose a task is; an id when the account is no more. */
  nameOf: (task: Pick<Task, 'user_id'>) => string
  all: { value: string; label: string }[]
}

export const ownersQuery = queryOptions({ ...usersQuery, staleTime: 60_000 })

/** Who submits tasks, for administrators, who see those of everybody; undefined for others. */
export function useOwners(admin: boolean): Owners | undefined {
  const { data: users } = useQuery({ ...ownersQuery, enabled: admin })
  const names = useMemo(() => new Map(users?.map((user) => [user.id, user.name])), [users])
  const nameOf = useCallback(
    (task: Pick<Task, 'user_id'>) => names.get(task.user_id) ?? task.user_id,
    [names],
  )
  return useMemo(() => {
    if (!admin) return undefined
    const all = [...names].map(([value, label]) => ({ value, label }))
    all.sort((a, b) => a.label.localeCompare(b.label))
    return { nameOf, all: [...all, { value: local, label: "local (the master's prompt)" }] }
  }, [admin, names, nameOf])
}
