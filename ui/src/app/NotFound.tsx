import { ButtonLink } from '@/components/links'
import { PageTitle } from '@/components/PageTitle'

export function NotFound() {
  return (
    <>
      <PageTitle title="There is no such page" hint="The address may be mistyped, or from another version." />
      <ButtonLink to="/" variant="default">
        To the dashboard
      </ButtonLink>
    </>
  )
}
