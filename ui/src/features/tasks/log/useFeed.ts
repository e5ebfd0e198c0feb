import { useEffect, useState, useSyncExternalStore } from 'react'
import { LogFeed, type Options } from './feed'

/** The feed of one log, another one when something else is to be looked at, and whether its end is followed. */
export function useFeed(options: Options) {
  const { id, attempt, stream, at } = options
  const key = `${id}/${attempt}/${stream}/${at}`
  const [open, setOpen] = useState(() => ({ key, feed: new LogFeed(options) }))
  const [follow, setFollow] = useState(at === undefined)
  if (open.key !== key) {
    setOpen({ key, feed: new LogFeed(options) })
    setFollow(at === undefined)
  }
  const { feed } = open
  useEffect(() => {
    feed.start()
    return () => feed.close()
  }, [feed])
  const state = useSyncExternalStore(feed.subscribe, feed.current)
  return { key: open.key, feed, state, follow, setFollow }
}
