import { Text } from '@mantine/core'
import { useSearch } from '@tanstack/react-router'
import { AnchorLink } from '@/components/links'
import { Register } from '@/features/auth/Register'
import { signInSearch } from '../search'
import { useSignedIn } from './useSignedIn'

export default function RegisterRoute() {
  const { next } = useSearch({ from: '/register' })
  const signedIn = useSignedIn(next)
  return (
    <Register onSignedIn={(user) => signedIn(user, true)}>
      <Text size="sm">
        Have an account already?{' '}
        <AnchorLink to="/sign-in" search={signInSearch({ next })} underline="always">
          Sign in
        </AnchorLink>
      </Text>
    </Register>
  )
}
