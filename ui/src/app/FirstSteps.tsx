import { Box, Text } from '@mantine/core'
import { AnchorLink } from '@/components/links'
import { IconRocket } from '@tabler/icons-react'
import { Command } from '@/components/Command'
import { Empty } from '@/components/Empty'

/** For somebody who has not run anything yet. */
export function FirstSteps() {
  return (
    <Empty title="No task yet" icon={<IconRocket size={40} stroke={1.3} />}>
      <Text>
        <AnchorLink to="/submit" underline="always">
          Submit the first one
        </AnchorLink>
        , or at the master&apos;s prompt:
      </Text>
      <Box w="100%" maw={520}>
        <Command label="the first command" text="task busybox --follow -- echo hello" />
      </Box>
    </Empty>
  )
}
