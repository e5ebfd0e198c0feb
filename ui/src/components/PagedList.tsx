import { Button, Group } from '@mantine/core'
import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { PageError } from './PageError'
import { PageLoading } from './PageLoading'

interface Props<Item> {
  list: UseInfiniteQueryResult<InfiniteData<{ items: Item[] }>>
  /** What is shown when there is nothing. */
  empty: ReactNode
  children: (items: Item[]) => ReactNode
}

/** A list that comes page by page, the newest first, and a button for what is older. */
export function PagedList<Item>({ list, empty, children }: Props<Item>) {
  const items = list.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <>
      {list.isPending ? (
        <PageLoading />
      ) : list.isError && items.length === 0 ? (
        <PageError error={list.error} retry={() => void list.refetch()} />
      ) : items.length === 0 ? (
        empty
      ) : (
        children(items)
      )}
      {list.hasNextPage && (
        <Group justify="center">
          <Button
            variant="default"
            loading={list.isFetchingNextPage}
            onClick={() => void list.fetchNextPage()}
          >
            Show older ones
          </Button>
        </Group>
      )}
    </>
  )
}
