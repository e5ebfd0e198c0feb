import { SimpleGrid, Stack, Text, Title } from '@mantine/core'
import { IconServer } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import type { Cluster, Worker } from '@/api/client'
import { clusterQuery, healthQuery, historyQuery, recentTasksQuery, workersQuery } from '@/api/queries'
import { Command } from '@/components/Command'
import { Empty } from '@/components/Empty'
import { PageError } from '@/components/PageError'
import { PageLoading } from '@/components/PageLoading'
import { PageTitle } from '@/components/PageTitle'
import { WorkerMeters } from '@/components/WorkerMeters'
import { formatCount } from '@/lib/format'
import { Counts } from './Counts'
import { Failures } from './Failures'
import { Health } from './Health'
import { HeatMap } from './HeatMap'
import { CapacityHistory, QueueHistory } from './History'
import { Recent } from './Recent'
import { Throughput } from './Throughput'

interface Props {
  admin: boolean
  firstSteps: ReactNode
}

/** The state of the cluster at a glance, and where to look next. */
export function OverviewPage({ admin, firstSteps }: Props) {
  const cluster = useQuery(clusterQuery)
  const { data: health } = useQuery(healthQuery)
  const { data: workers } = useQuery(workersQuery)
  const { data: history } = useQuery(historyQuery)
  const { data: recent } = useQuery(recentTasksQuery(8))
  const { data: failed } = useQuery(recentTasksQuery(50, { status: ['failed'] }))
  if (!cluster.data) {
    return cluster.error ? (
      <PageError error={cluster.error} retry={() => void cluster.refetch()} />
    ) : (
      <PageLoading />
    )
  }
  // Whoever has run nothing yet wants to know how first of all.
  const isNew = recent?.length === 0
  const newest = (
    <Section title="Newest tasks">{isNew ? firstSteps : <Recent tasks={recent ?? []} />}</Section>
  )
  return (
    <>
      <PageTitle title="Dashboard" />
      <Stack>
        <Health cluster={cluster.data} health={health} workers={workers} admin={admin} />
        <Counts cluster={cluster.data} />
        <SimpleGrid cols={{ base: 1, lg: 2 }}>
          {isNew && newest}
          <Section title="Capacity">
            {workers?.length === 0 ? (
              <Empty title="No worker yet" icon={<IconServer size={40} stroke={1.3} />}>
                <Text size="sm">
                  Tasks wait until one joins. On this master&apos;s machine, in a second terminal:
                </Text>
                <Command label="the command that starts a worker" text="./runWorker.sh" />
              </Empty>
            ) : (
              <Stack>
                <WorkerMeters
                  total={cluster.data.total}
                  allocated={cluster.data.allocated}
                  used={usedBy(workers)}
                />
                {workers && <HeatMap workers={workers} />}
              </Stack>
            )}
          </Section>
          <Section title="Capacity over the last hour">
            <CapacityHistory samples={history ?? []} total={cluster.data.total} />
          </Section>
          <Section title="Queue" hint={queueHint(cluster.data)}>
            <QueueHistory samples={history ?? []} />
          </Section>
          <Section title="Tasks ended in the last hour" hint={admin ? undefined : "Everybody's"}>
            <Throughput samples={history ?? []} />
          </Section>
          {!isNew && newest}
          <Section title="Last failures">{failed && <Failures tasks={failed} />}</Section>
        </SimpleGrid>
      </Stack>
    </>
  )
}

const queueHint = ({ queue_length: n }: Cluster) =>
  n === 0 ? 'Nothing waits' : `${formatCount(n)} ${n === 1 ? 'waits' : 'wait'}`

function Section({
  title,
  hint,
  children,
}: {
  title: string
  hint?: string | undefined
  children: ReactNode
}) {
  return (
    <section className="card" style={{ padding: '1rem', minWidth: 0 }}>
      <Title order={2} size="h5" mb="sm">
        {title}
        {hint && (
          <Text span c="dimmed" size="sm" ml="xs">
            {hint}
          </Text>
        )}
      </Title>
      {children}
    </section>
  )
}

/** What is measured on all workers that can be heard. */
function usedBy(workers: Worker[] | undefined) {
  const heard = workers?.filter((worker) => worker.status !== 'lost' && worker.used)
  if (!heard || heard.length === 0) return undefined
  const sum = (pick: (used: NonNullable<Worker['used']>) => number) =>
    heard.reduce((total, worker) => total + (worker.used ? pick(worker.used) : 0), 0)
  return {
    cpu: sum((u) => u.cpu),
    memory: sum((u) => u.memory),
    storage: sum((u) => u.storage),
    gpu: sum((u) => u.gpu),
  }
}
