import { defaultRangeExtractor, useVirtualizer, type VirtualItem } from '@tanstack/react-virtual'
import {
  memo,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  type KeyboardEvent,
  type RefObject,
} from 'react'
import type { LogRecord } from '@/api/client'
import { ansiSpans, carriedOver } from '@/lib/ansi'
import { formatDateTime, formatLogTime } from '@/lib/format'
import { textScale } from '@/lib/textScale'
import type { LogState } from './feed'
import { textOf } from './text'
import { indexAt, useLineKeys } from './useLineKeys'
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
  /** A line was picked here last; the one that the address points to is where the keyboard goes on. */
  picked: RefObject<boolean>
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
  picked,
  empty,
}: Props) {
  const { records } = state
  const rowHeight = usualHeight * textScale()
  const scroller = useRef<HTMLDivElement>(null)
  const pinned = useRef(false)
  // By its offset: its number changes when more is read.
  const [line, setLine] = useState<number>()
  const index = line === undefined ? -1 : indexAt(records, line)
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer<HTMLDivElement, Element>({
    count: records.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 20,
    // The line with the keyboard stays in the page, or the keyboard would be nowhere.
    rangeExtractor: (range) => {
      const indexes = defaultRangeExtractor(range)
      if (index < 0 || indexes.includes(index)) return indexes
      return [...indexes, index].sort((a, b) => a - b)
    },
  })
  const keys = useLineKeys(records, scroller, virtual, rowHeight, line, setLine)

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
    if (picked.current) keys.focus(index)
    picked.current = false
  })

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
    keys.onKeyDown(event)
  }
  const stand = useCallback(
    (offset: number) => {
      setLine(offset)
      onLeaveEnd() // it would be led away from under the keyboard
    },
    [onLeaveEnd],
  )
  const pick = useCallback(
    (offset: number) => {
      picked.current = offset !== at
      onAt(offset)
    },
    [picked, onAt, at],
  )
  const shown = inSight(records, virtual.getVirtualItems())
  const first = Math.ceil((virtual.scrollOffset ?? 0) / rowHeight)
  const stop = records[index < 0 ? Math.min(first, records.length - 1) : index]?.offset
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
          {shown.map(({ record, carried, start }) => (
            <Line
              key={record.offset}
              record={record}
              carried={carried}
              top={start}
              times={times}
              marked={at !== undefined && record.offset <= at && at < record.next}
              stop={record.offset === stop}
              onStand={stand}
              onAt={pick}
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
  let carried = ''
  return items.flatMap(({ index, start }, i) => {
    const record = records[index]
    if (!record) return []
    if (items[i - 1]?.index !== index - 1) carried = carriedTo(records, index)
    const before = record.stream === 'marker' ? '' : carried
    carried = carriedOver(record.text, carried)
    return [{ record, carried: before, start }]
  })
}

function carriedTo(records: LogRecord[], index: number): string {
  let carried = ''
  for (let i = Math.max(0, index - lookBack); i < index; i++)
    carried = carriedOver(records[i]?.text ?? '', carried)
  return carried
}

interface LineProps {
  record: LogRecord
  carried: string
  top: number
  times: boolean
  marked: boolean
  /** Its link is in the order of Tab. */
  stop: boolean
  onStand: (offset: number) => void
  onAt: (at: number) => void
}

const Line = memo(function Line(props: LineProps) {
  const { record, carried, top, times, marked, stop, onStand, onAt } = props
  const id = `log-text-${record.offset}`
  return (
    <div
      className={classes.line}
      data-stream={record.stream}
      data-at={marked || undefined}
      style={{ transform: `translateY(${top}px)` }}
    >
      <button
        type="button"
        tabIndex={stop ? 0 : -1}
        data-line={record.offset}
        className={classes.gutter}
        title="Link to this line"
        aria-label={`Link to the line at byte ${record.offset}`}
        aria-describedby={id}
        onFocus={() => onStand(record.offset)}
        onClick={() => onAt(record.offset)}
      >
        #
      </button>
      {times && (
        <time className={classes.time} dateTime={record.time} title={formatDateTime(record.time)}>
          {formatLogTime(record.time)}
        </time>
      )}
      <span id={id}>
        {ansiSpans(textOf(record), carried).map((span, i) => (
          <span key={i} className={span.className} style={span.style}>
            {span.text}
          </span>
        ))}
      </span>
    </div>
  )
})
