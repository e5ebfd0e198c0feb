import { useVirtualizer } from '@tanstack/react-virtual'
import {
  useCallback,
  useEffect,
  useRef,
  useState,
  type Dispatch,
  type KeyboardEvent,
  type MouseEvent,
  type SetStateAction,
} from 'react'
import type { Task } from '@/api/client'
import type { Owners } from '@/api/owners'
import { whenIdle } from '@/lib/idle'
import { textScale } from '@/lib/textScale'
import { SortHeader } from './SortHeader'
import { TaskRow } from './TaskRow'
import classes from './TaskTable.module.css'
import { useMediaQuery } from '@mantine/hooks'

type Selection = ReadonlyMap<string, Task>

interface Props {
  rows: Task[]
  /** For those who see tasks of others. */
  owners: Owners | undefined
  /** How many stand before them that are not in memory. */
  skipped: number
  /** Asks for those before, where the row of this number is in sight. */
  loadBefore: (row: number) => void
  selected: Selection
  onSelected: Dispatch<SetStateAction<Selection>>
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
/** So many rows before either end of what is there, more is asked for. */
const ahead = 20

const rowID = (index: number) => `task-row-${index}`

/** The rows of the list; only those in sight are in the page. */
export function TaskTable(props: Props) {
  const { rows, owners, skipped, selected, onSelected, onOpen, hasMore, loadingMore, loadMore, resetKey } =
    props
  const { loadBefore, dim } = props
  const count = skipped + rows.length
  const scroller = useRef<HTMLDivElement>(null)
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false })
  const [active, setActive] = useState(0)
  const [settled, setSettled] = useState<string>()
  const rowHeight = (narrow ? narrowRow : wideRow) * textScale()
  // The compiler's rule does not know that the virtualizer's functions change.
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer({
    count: rows.length,
    // Rows that are not in memory are height alone.
    paddingStart: skipped * rowHeight,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    // So that rows are there before the table has been measured.
    initialRect: { width: 0, height: globalThis.innerHeight * 0.75 },
    // What is in sight comes first, what a turn of the wheel brings into sight when there is time.
    overscan: settled === resetKey ? 8 : 0,
  })
  const items = virtual.getVirtualItems()
  const last = skipped + (items.at(-1)?.index ?? 0)
  const first = Math.floor((virtual.scrollOffset ?? 0) / rowHeight)

  useEffect(() => {
    if (!dim) return whenIdle(() => setSettled(resetKey))
  }, [dim, resetKey])
  const measured = useRef(rowHeight)
  useEffect(() => {
    if (measured.current === rowHeight) return
    measured.current = rowHeight
    virtual.measure()
  }, [rowHeight, virtual])
  useEffect(() => {
    if (hasMore && !loadingMore && last > count - ahead) loadMore()
  }, [hasMore, loadingMore, last, count, loadMore])
  useEffect(() => {
    if (skipped > 0 && first < skipped + ahead) loadBefore(first)
  })
  const [shown, setShown] = useState(resetKey)
  if (shown !== resetKey) {
    setShown(resetKey)
    setActive(0)
  }
  useEffect(() => {
    // Where it stands there already, asking for it would only have the page laid out once more.
    if (virtual.scrollOffset) scroller.current?.scrollTo({ top: 0 })
  }, [resetKey, virtual])

  const all = rows.length > 0 && rows.every((row) => selected.has(row.task_id))
  const toggle = useCallback(
    (task: Task) =>
      onSelected((selected) => {
        const next = new Map(selected)
        if (!next.delete(task.task_id)) next.set(task.task_id, task)
        return next
      }),
    [onSelected],
  )
  const chooseAll = (chosen: boolean) =>
    onSelected(new Map(chosen ? rows.map((row) => [row.task_id, row]) : []))
  const scrollToRow = (row: number) => {
    if (row >= skipped) virtual.scrollToIndex(row - skipped)
    else virtual.scrollToOffset(row * rowHeight)
  }
  const move = (to: number) => {
    const index = Math.max(0, Math.min(count - 1, to))
    setActive(index)
    scrollToRow(index)
  }
  const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 1)
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== scroller.current || event.ctrlKey || event.metaKey || event.altKey) return
    const task = rows[active - skipped]
    const keys: Record<string, () => void> = {
      ArrowDown: () => move(active + 1),
      j: () => move(active + 1),
      ArrowUp: () => move(active - 1),
      k: () => move(active - 1),
      PageDown: () => move(active + page),
      PageUp: () => move(active - page),
      Home: () => move(0),
      End: () => move(count - 1),
      Enter: () => task && onOpen(task.task_id),
      ' ': () => task && toggle(task),
      x: () => task && toggle(task),
      a: () => chooseAll(!all),
      Escape: () => chooseAll(false),
    }
    const act = keys[event.key]
    if (!act) return
    event.preventDefault()
    act()
  }
  const onClick = (event: MouseEvent) => {
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey
    const target = event.target as Element
    const id = target.closest('[data-task]')?.getAttribute('data-task')
    if (!plain || !id || target instanceof HTMLInputElement) return // the browser's own: another tab, a tick
    event.preventDefault()
    const task = rows.find((row) => row.task_id === id)
    if (target.closest('[data-choose]')) return task && toggle(task) // beside the box, but meant for it
    if (getSelection()?.isCollapsed !== false) onOpen(id) // somebody who marks an id wants to copy it
  }

  return (
    <div
      ref={scroller}
      className={`card ${classes.scroller}`}
      data-owners={owners !== undefined || undefined}
      role="grid"
      aria-label="Tasks"
      aria-multiselectable="true"
      aria-rowcount={hasMore ? -1 : count + 1}
      aria-activedescendant={
        rows[active - skipped] && items.some((i) => i.index + skipped === active) ? rowID(active) : undefined
      }
      tabIndex={0}
      onClick={onClick}
      onKeyDown={onKeyDown}
      data-dim={dim || undefined}
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
            onChange={() => chooseAll(!all)}
          />
        </div>
        <div role="columnheader">Status</div>
        <SortHeader label="Task" orders={['name', '-name']} sort={props.sort} onSort={props.onSort} />
        <div role="columnheader" className={classes.wide}>
          Image
        </div>
        {owners && (
          <div role="columnheader" className={classes.wide}>
            Owner
          </div>
        )}
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
          const row = skipped + item.index
          return (
            task && (
              <TaskRow
                // By its place: another task there is other words in the same elements.
                key={row}
                id={rowID(row)}
                index={row}
                top={item.start}
                height={item.size}
                task={task}
                owner={owners?.nameOf(task)}
                active={row === active}
                selected={selected.has(task.task_id)}
                onToggle={toggle}
                onActive={setActive}
              />
            )
          )
        })}
      </div>
    </div>
  )
}
