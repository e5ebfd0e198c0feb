import { IconArrowDown, IconArrowUp } from '@tabler/icons-react'
import classes from './TaskTable.module.css'

interface Props {
  label: string
  /** The orders of its column, the first one to be taken first. */
  orders: readonly [string, string]
  /** The list's order. */
  sort: string
  onSort: (sort: string) => void
  className?: string | undefined
}

/** The head of a column that the list can be sorted by. */
export function SortHeader({ label, orders, sort, onSort, className }: Props) {
  const on = orders.includes(sort)
  const down = sort.startsWith('-')
  const Arrow = down ? IconArrowDown : IconArrowUp
  return (
    <div
      role="columnheader"
      aria-sort={on ? (down ? 'descending' : 'ascending') : undefined}
      className={className}
    >
      <button
        type="button"
        className={classes.sort}
        onClick={() => onSort(sort === orders[0] ? orders[1] : orders[0])}
      >
        {label}
        {on && <Arrow size={14} aria-hidden="true" />}
      </button>
    </div>
  )
}
