import { useVirtualizer, type VirtualItem } from '@tanstack/react-virtual'
import { memo, useEffect, useLayoutEffect, useRef, type KeyboardEvent } from 'react'
import type { LogRecord } from '@/api/client'
import { ansiSpans, carriedOver } from '@/lib/ansi'
import { formatDateTime, formatLogTime } from '@/lib/format'
import { textScale } from '@/lib/textScale'
import type { LogState } from './feed'
import { textOf } from './text'
import classes from './LogView.module.css'

interface Props {
  state: LogState
  follow: boolean
  onLeaveEnd: () => void
  onReachStart: () => void
  onReachEnd: () => void
  times: boolean
  at: number | undefined
  onAt: (at: number) => void
  empty: string
}

const usualHeight = 20
/** So near to an end, in pixels, more is read. */
const near = 400

/** The lines in sight. All are of one height, so that a million are no different from ten. */
export function LogLines({
  state,
  follow,
  onLeaveEnd,
  onReachStart,
  onReachEnd,
  times,
  at,
  onAt,
  empty,
}: Props) {
  const { records } = state
  const rowHeight = usualHeight * textScale()
  const scroller = useRef<HTMLDivElement>(null)
  const pinned = useRef(false)
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer({
    count: records.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 20,
  })

  // What was put before must not move what is being read.
  useLayoutEffect(() => {
    if (state.prepended !== 0 && scroller.current) scroller.current.scrollTop += state.prepended * rowHeight
  }, [state, rowHeight])
  // What does not fill the frame cannot be scrolled to its ends.
  useEffect(() => {
    const el = scroller.current
    if (!el || state.loading || state.error !== undefined || el.scrollHeight > el.clientHeight) return
    if (!state.atEnd) onReachEnd()
    else onReachStart()
  })
  useLayoutEffect(() => {
    if (!follow || !scroller.current) return
    pinned.current = true
    scroller.current.scrollTop = scroller.current.scrollHeight
  }, [follow, records])

  const aimed = useRef(false)
  useEffect(() => {
    if (at === undefined || aimed.current || records.length === 0) return
    const index = records.findIndex((record) => record.next > at)
    if (index < 0) return
    aimed.current = true
    virtual.scrollToIndex(index, { align: 'center' })
  }, [at, records, virtual])

  const onScroll = () => {
    const el = scroller.current
    if (!el) return
    const below = el.scrollHeight - el.clientHeight - el.scrollTop
    if (pinned.current) pinned.current = false
    else if (follow && below > rowHeight * 2) onLeaveEnd()
    if (el.scrollTop < near) onReachStart()
    if (below < near) onReachEnd()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Home' || event.key === 'PageUp' || event.key === 'ArrowUp') onLeaveEnd()
  }
  return (
    <div
      ref={scroller}
      className={classes.lines}
      role="log"
      aria-live="off"
      aria-label="Log"
      aria-busy={state.loading}
      tabIndex={0}
      data-empty={records.length === 0 || undefined}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
      data-testid="log"
    >
      {records.length === 0 ? (
        <div className={classes.empty}>{empty}</div>
      ) : (
        <div className={classes.canvas} style={{ height: virtual.getTotalSize() }}>
          {inSight(records, virtual.getVirtualItems()).map(({ record, carried, start }) => (
            <Line
              key={record.offset}
              record={record}
              carried={carried}
              top={start}
              times={times}
              marked={at !== undefined && record.offset <= at && at < record.next}
              onAt={onAt}
            />
          ))}
        </div>
      )}
    </div>
  )
}

/** So many lines before those in sight are looked at for colours that they leave switched on. */
const lookBack = 200

/** The lines in sight, each with what those before it have left switched on. */
function inSight(records: LogRecord[], items: VirtualItem[]) {
  const first = items[0]?.index ?? 0
  let carried = ''
  for (let i = Math.max(0, first - lookBack); i < first; i++)
    carried = carriedOver(records[i]?.text ?? '', carried)
  return items.flatMap(({ index, start }) => {
    const record = records[index]
    if (!record) return []
    const before = record.stream === 'marker' ? '' : carried
    carried = carriedOver(record.text, carried)
    return [{ record, carried: before, start }]
  })
}

interface LineProps {
  record: LogRecord
  carried: string
  top: number
  times: boolean
  marked: boolean
  onAt: (at: number) => void
}

const Line = memo(function Line({ record, carried, top, times, marked, onAt }: LineProps) {
  return (
    <div
      className={classes.line}
      data-stream={record.stream}
      data-at={marked || undefined}
      style={{ transform: `translateY(${top}px)` }}
    >
      <button
        type="button"
        tabIndex={-1}
        className={classes.gutter}
        title="Link to this line"
        aria-label={`Link to the line at byte ${record.offset}`}
        onClick={() => onAt(record.offset)}
      >
        #
      </button>
      {times && (
        <time className={classes.time} dateTime={record.time} title={formatDateTime(record.time)}>
          {formatLogTime(record.time)}
        </time>
      )}
      <span>
        {ansiSpans(textOf(record), carried).map((span, i) => (
          <span key={i} className={span.className} style={span.style}>
            {span.text}
          </span>
        ))}
      </span>
    </div>
  )
})
