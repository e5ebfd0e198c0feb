import { formatDateTime, formatRelative } from '@/lib/format'
import { useNow } from '@/lib/now'

/** A moment as how long ago it was; the exact time shows on hovering. */
export function Time({ at }: { at: string | undefined | null }) {
  const now = useNow()
  if (!at) return <>–</>
  return (
    <time dateTime={at} title={formatDateTime(at)}>
      {formatRelative(at, now)}
    </time>
  )
}
