import { Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { AnchorLink } from '@/components/links'
import { registrationQuery } from '@/api/queries'
import { SignIn } from '@/features/auth/SignIn'
import { signInSearch } from '../search'
import { useSignedIn } from './useSignedIn'

export default function SignInRoute() {
  const { next, expired } = useSearch({ from: '/sign-in' })
  const { data: registration } = useQuery(registrationQuery)
  const signedIn = useSignedIn(next)
  return (
    <SignIn expired={expired === true} onSignedIn={(user) => signedIn(user)}>
      {registration?.open && (
        <Text size="sm">
          No account yet?{' '}
          <AnchorLink to="/register" search={signInSearch({ next })} underline="always">
            Create one
          </AnchorLink>
        </Text>
      )}
    </SignIn>
  )
}
