import { ButtonLink } from '@/components/links'
import { Empty } from '@/components/Empty'

export function NotFound() {
  return (
    <Empty title="There is no such page">
      <ButtonLink to="/" variant="default">
        To the dashboard
      </ButtonLink>
    </Empty>
  )
}
