import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useRef, useState, type KeyboardEvent } from 'react'
import type { Task } from '@/api/client'
import { SortHeader } from './SortHeader'
import { TaskRow } from './TaskRow'
import classes from './TaskTable.module.css'
import { useMediaQuery } from '@mantine/hooks'

interface Props {
  rows: Task[]
  selected: ReadonlySet<string>
  onSelected: (selected: ReadonlySet<string>) => void
  onOpen: (id: string) => void
  hasMore: boolean
  loadingMore: boolean
  loadMore: () => void
  dim: boolean
  sort: string
  onSort: (sort: string) => void
  /** When it changes the list begins at its top again. */
  resetKey: string
}

const wideRow = 44
const narrowRow = 68
/** So many rows before the end of what is there, more is asked for. */
const ahead = 30

const rowID = (index: number) => `task-row-${index}`

/** The rows of the list; only those in sight are in the page. */
export function TaskTable(props: Props) {
  const { rows, selected, onSelected, onOpen, hasMore, loadingMore, loadMore, resetKey } = props
  const scroller = useRef<HTMLDivElement>(null)
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false })
  const [active, setActive] = useState(0)
  // The compiler's rule does not know that the virtualizer's functions change.
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => (narrow ? narrowRow : wideRow),
    overscan: 8,
    getItemKey: (index) => rows[index]?.task_id ?? index,
  })
  const items = virtual.getVirtualItems()
  const last = items.at(-1)?.index ?? 0

  useEffect(() => virtual.measure(), [narrow, virtual])
  useEffect(() => {
    if (hasMore && !loadingMore && last > rows.length - ahead) loadMore()
  }, [hasMore, loadingMore, last, rows.length, loadMore])
  const [shown, setShown] = useState(resetKey)
  if (shown !== resetKey) {
    setShown(resetKey)
    setActive(0)
  }
  useEffect(() => {
    scroller.current?.scrollTo({ top: 0 })
  }, [resetKey])

  const toggle = (id: string) => {
    const next = new Set(selected)
    if (!next.delete(id)) next.add(id)
    onSelected(next)
  }
  const move = (to: number) => {
    const index = Math.max(0, Math.min(rows.length - 1, to))
    setActive(index)
    virtual.scrollToIndex(index)
  }
  const page = Math.max(
    1,
    Math.floor((scroller.current?.clientHeight ?? 0) / (narrow ? narrowRow : wideRow)) - 1,
  )
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== scroller.current || event.ctrlKey || event.metaKey || event.altKey) return
    const task = rows[active]
    const keys: Record<string, () => void> = {
      ArrowDown: () => move(active + 1),
      j: () => move(active + 1),
      ArrowUp: () => move(active - 1),
      k: () => move(active - 1),
      PageDown: () => move(active + page),
      PageUp: () => move(active - page),
      Home: () => move(0),
      End: () => move(rows.length - 1),
      Enter: () => task && onOpen(task.task_id),
      ' ': () => task && toggle(task.task_id),
      x: () => task && toggle(task.task_id),
      a: () => onSelected(new Set(selected.size === rows.length ? [] : rows.map((row) => row.task_id))),
      Escape: () => onSelected(new Set()),
    }
    const act = keys[event.key]
    if (!act) return
    event.preventDefault()
    act()
  }

  const all = rows.length > 0 && rows.every((row) => selected.has(row.task_id))
  return (
    <div
      ref={scroller}
      className={`card ${classes.scroller}`}
      role="grid"
      aria-label="Tasks"
      aria-multiselectable="true"
      aria-rowcount={hasMore ? -1 : rows.length + 1}
      aria-activedescendant={
        rows[active] && items.some((i) => i.index === active) ? rowID(active) : undefined
      }
      tabIndex={0}
      onKeyDown={onKeyDown}
      data-dim={props.dim || undefined}
      data-testid="task-table"
    >
      <div className={`${classes.row} ${classes.head}`} role="row" aria-rowindex={1}>
        <div role="gridcell">
          <input
            type="checkbox"
            className={classes.box}
            tabIndex={-1}
            aria-label="Select all that are loaded"
            checked={all}
            onChange={() => onSelected(new Set(all ? [] : rows.map((row) => row.task_id)))}
          />
        </div>
        <div role="columnheader">Status</div>
        <SortHeader label="Task" orders={['name', '-name']} sort={props.sort} onSort={props.onSort} />
        <div role="columnheader" className={classes.wide}>
          Image
        </div>
        <div role="columnheader" className={classes.wide}>
          Worker
        </div>
        <SortHeader
          label="Created"
          orders={['-created_at', 'created_at']}
          sort={props.sort}
          onSort={props.onSort}
          className={classes.wide}
        />
        <div role="columnheader" className={classes.wide}>
          Took
        </div>
      </div>
      <div role="presentation" className={classes.body} style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const task = rows[item.index]
          return (
            task && (
              <TaskRow
                key={item.key}
                id={rowID(item.index)}
                index={item.index}
                top={item.start}
                height={item.size}
                task={task}
                active={item.index === active}
                selected={selected.has(task.task_id)}
                onToggle={() => toggle(task.task_id)}
                onActive={() => setActive(item.index)}
              />
            )
          )
        })}
      </div>
    </div>
  )
}
