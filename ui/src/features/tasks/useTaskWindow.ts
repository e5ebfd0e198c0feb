import { useInfiniteQuery, useQueryClient, type InfiniteData } from '@tanstack/react-query'
import { useMemo, useRef } from 'react'
import { firstPlace, tasksPage, tasksQuery, type Place, type TaskFilters } from '@/api/queries'

type TaskPage = Awaited<ReturnType<typeof tasksPage>>

/**
 * Whether a page does not end where the next one begins: what has come or gone
 * since, in a page that was read again alone, would be missing or there twice.
 */
function isTorn(data: InfiniteData<TaskPage, unknown> | undefined) {
  const next = (data?.pageParams as Place[] | undefined)?.[1]
  return next !== undefined && data?.pages[0]?.next_cursor !== next.cursor
}

/** The part of a list that is in memory, and how to come to the others. */
export function useTaskWindow(filters: TaskFilters) {
  const queries = useQueryClient()
  const query = tasksQuery(filters)
  const list = useInfiniteQuery(query)
  const { data } = list
  const rows = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data])
  const top = (data?.pageParams as Place[] | undefined)?.[0] ?? firstPlace
  const aim = useRef<Place>(undefined)

  /** Puts the page at a place where the others were. */
  const jump = async (place: Place) => {
    if (aim.current === place) return
    aim.current = place
    try {
      await queries.cancelQueries({ queryKey: query.queryKey, exact: true }, { revert: false })
      const page = await queries.fetchQuery({
        queryKey: ['page', filters, place.cursor],
        queryFn: ({ signal }) => tasksPage(filters, place, signal),
        staleTime: 0,
        gcTime: 0,
      })
      // Another jump may have begun since.
      if (aim.current === place) queries.setQueryData(query.queryKey, { pages: [page], pageParams: [place] })
    } catch {
      // What was there stays; the next turn of the wheel asks again.
    } finally {
      if (aim.current === place) aim.current = undefined
    }
  }

  /** Brings what stands before the rows: the page next to them, or the one that is looked at. */
  const before = (row: number) => {
    if (list.isPlaceholderData || list.isFetching || list.isError || aim.current || !top.before) return
    if (row >= top.before.skipped) {
      void list.fetchPreviousPage().then((now) => {
        if (isTorn(now.data)) void list.refetch()
      })
      return
    }
    let place = top.before
    while (place.before && place.skipped > row) place = place.before
    void jump(place)
  }

  return {
    list,
    rows,
    /** How many rows stand before those in memory. */
    skipped: top.skipped,
    before,
    toNewest: () => void jump(firstPlace),
  }
}
