import { formatDateTime, formatRelative } from '@/lib/format'
import { useNow } from '@/lib/now'

interface Props {
  at: string | undefined | null
  /** Say the exact time too, which otherwise shows on hovering only. */
  exact?: boolean
}

/** A moment as how long ago it was. */
export function Time({ at, exact = false }: Props) {
  const now = useNow()
  if (!at) return <>–</>
  return (
    <time dateTime={at} title={formatDateTime(at)}>
      {formatRelative(at, now)}
      {exact && <span className="exact">{formatDateTime(at)}</span>}
    </time>
  )
}
