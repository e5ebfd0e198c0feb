import type { Virtualizer } from '@tanstack/react-virtual'
import { useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent, type RefObject } from 'react'
import type { LogRecord } from '@/api/client'

type Scroller = HTMLDivElement

/** Where the last record stands that begins at a byte or before it. */
export function indexAt(records: LogRecord[], offset: number): number {
  let [low, high] = [0, records.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((records[middle]?.offset ?? Infinity) <= offset) low = middle + 1
    else high = middle
  }
  return low - 1
}

/**
 * The links of lines by keyboard. One of them is in the order of Tab, that of the line
 * where somebody is; the arrow keys, Page, Home and End go on from there.
 */
export function useLineKeys(
  records: LogRecord[],
  scroller: RefObject<Scroller | null>,
  virtual: Virtualizer<Scroller, Element>,
  rowHeight: number,
  line: number | undefined,
  setLine: (offset: number) => void,
) {
  const [wanted, setWanted] = useState(0)
  const here = useRef(line)
  useEffect(() => {
    here.current = line
  }, [line])
  // Once its row is drawn.
  useLayoutEffect(() => {
    if (wanted > 0)
      scroller.current
        ?.querySelector<HTMLElement>(`[data-line="${here.current}"]`)
        ?.focus({ preventScroll: true })
  }, [wanted, scroller])

  const focus = (index: number) => {
    const record = records[index]
    if (!record) return
    here.current = record.offset
    setLine(record.offset)
    virtual.scrollToIndex(index)
    setWanted((n) => n + 1)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target === scroller.current || event.ctrlKey || event.metaKey || event.altKey) return
    const index = indexAt(records, here.current ?? 0)
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 1)
    const last = records.length - 1
    const to: Record<string, number> = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: last,
    }
    const next = to[event.key]
    if (next === undefined) return
    event.preventDefault()
    focus(Math.max(0, Math.min(last, next)))
  }
  return { focus, onKeyDown }
}
