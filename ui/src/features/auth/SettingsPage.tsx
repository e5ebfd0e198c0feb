import { Tabs } from '@mantine/core'
import type { ReactNode } from 'react'
import type { User } from '@/api/client'
import { PageTitle } from '@/components/PageTitle'
import { Account } from './Account'
import { Audit } from './Audit'
import { Tokens } from './Tokens'
import { Users } from './Users'

export type SettingsTab = 'account' | 'files' | 'tokens' | 'users' | 'audit'

interface Props {
  user: User
  tab: SettingsTab
  files: ReactNode
  onTab: (tab: SettingsTab) => void
}

const ofAdmins: SettingsTab[] = ['users', 'audit']

export function SettingsPage({ user, tab: asked, files, onTab }: Props) {
  const tab = user.role !== 'admin' && ofAdmins.includes(asked) ? 'account' : asked
  return (
    <>
      <PageTitle title="Settings" />
      <Tabs value={tab} onChange={(value) => onTab((value ?? 'account') as SettingsTab)} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="account">Account</Tabs.Tab>
          <Tabs.Tab value="files">Files</Tabs.Tab>
          <Tabs.Tab value="tokens">API tokens</Tabs.Tab>
          {user.role === 'admin' && <Tabs.Tab value="users">Users</Tabs.Tab>}
          {user.role === 'admin' && <Tabs.Tab value="audit">Audit</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="account">
          <Account user={user} />
        </Tabs.Panel>
        <Tabs.Panel value="files">{files}</Tabs.Panel>
        <Tabs.Panel value="tokens">
          <Tokens admin={user.role === 'admin'} />
        </Tabs.Panel>
        {user.role === 'admin' && (
          <Tabs.Panel value="users">
            <Users me={user} />
          </Tabs.Panel>
        )}
        {user.role === 'admin' && (
          <Tabs.Panel value="audit">
            <Audit />
          </Tabs.Panel>
        )}
      </Tabs>
    </>
  )
}
