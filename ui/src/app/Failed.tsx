import { useRouter, type ErrorComponentProps } from '@tanstack/react-router'
import { ApiError } from '@/api/client'
import { PageError } from '@/components/PageError'

/**
 * What has failed may be what comes before a page, which only the router can do again;
 * a part of the dashboard that could not be loaded, or was not made for this, begins anew.
 */
export function Failed({ error, reset }: ErrorComponentProps) {
  const router = useRouter()
  const again = () => {
    if (!(error instanceof ApiError)) {
      location.reload()
      return
    }
    reset()
    void router.invalidate()
  }
  return <PageError error={error} retry={again} />
}
