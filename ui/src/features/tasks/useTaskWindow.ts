import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useRef } from 'react'
import { firstPlace, tasksPage, tasksQuery, type Place, type TaskFilters } from '@/api/queries'

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
    if (list.isPlaceholderData || list.isFetching || aim.current || !top.before) return
    if (row >= top.before.skipped) {
      void list.fetchPreviousPage()
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
