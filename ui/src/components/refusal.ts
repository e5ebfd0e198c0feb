import { notifications } from '@mantine/notifications'
import { ApiError, isOffline } from '@/api/client'

/** Says that something was not done, and why. */
export function showRefusal(error: unknown) {
  notifications.show({
    color: 'red',
    title: isOffline(error) || !(error instanceof ApiError) ? 'It was not done' : 'Refused',
    message: error instanceof Error ? error.message : String(error),
    autoClose: 10_000,
  })
}
