import { Popover, Text, UnstyledButton } from '@mantine/core'
import type { Connection } from '@/api/live'
import classes from './ConnectionSign.module.css'

const words: Record<Connection, [string, string]> = {
  connecting: ['Connecting', 'The page is opening its live connection to the master.'],
  live: ['Live', 'Changes show at once.'],
  polling: [
    'Every 5 s',
    'The live connection was refused, perhaps by a proxy. The page asks the master every 5 seconds instead.',
  ],
  offline: [
    'Offline',
    'The master cannot be reached. What you see is as of a while ago; the page tries again by itself. Tasks run on without it.',
  ],
}

/** Whether what the page shows is up to date. */
export function ConnectionSign({ connection }: { connection: Connection }) {
  const [word, explanation] = words[connection]
  return (
    <Popover width={280} withArrow position="bottom-end">
      <Popover.Target>
        <UnstyledButton
          className={classes.sign}
          data-connection={connection}
          aria-label={`Connection: ${word}`}
        >
          <span className={classes.dot} aria-hidden="true" />
          <span role="status">{word}</span>
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        <Text size="sm">{explanation}</Text>
      </Popover.Dropdown>
    </Popover>
  )
}
