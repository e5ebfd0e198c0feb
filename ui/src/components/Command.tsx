import { ActionIcon, Tooltip } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useEffect, useRef, useState } from 'react'
import classes from './Command.module.css'

interface Props {
  text: string
  label: string
}

type Outcome = 'copied' | 'selected'

const words: Record<Outcome, string> = {
  copied: 'Copied',
  selected: 'Selected; press Ctrl+C or ⌘C',
}

/** Copies what an element shows; where that is not allowed, selects it. */
async function copy(element: HTMLElement): Promise<Outcome> {
  // It is there on HTTPS and on localhost only.
  const clipboard = navigator.clipboard as Clipboard | undefined
  try {
    await clipboard?.writeText(element.textContent)
    if (clipboard) return 'copied'
  } catch {
    // The person, or the browser, does not allow it; what follows needs no permission.
  }
  getSelection()?.selectAllChildren(element)
  return document.execCommand('copy') ? 'copied' : 'selected'
}

/** Something to be typed elsewhere, with a button that copies it. */
export function Command({ text, label }: Props) {
  const shown = useRef<HTMLPreElement>(null)
  const [outcome, setOutcome] = useState<Outcome>()
  useEffect(() => {
    if (!outcome) return
    const timer = setTimeout(() => setOutcome(undefined), 3000)
    return () => clearTimeout(timer)
  }, [outcome])
  return (
    <div className={classes.box}>
      <pre ref={shown} className={classes.text} tabIndex={0} role="region" aria-label={label}>
        {text}
      </pre>
      <Tooltip label={outcome ? words[outcome] : 'Copy'}>
        <ActionIcon
          className={classes.copy}
          variant="default"
          onClick={() => shown.current && void copy(shown.current).then(setOutcome)}
          aria-label={`Copy ${label}`}
        >
          {outcome === 'copied' ? <IconCheck size={16} /> : <IconCopy size={16} />}
        </ActionIcon>
      </Tooltip>
      <span className="visually-hidden" role="status">
        {outcome && words[outcome]}
      </span>
    </div>
  )
}
