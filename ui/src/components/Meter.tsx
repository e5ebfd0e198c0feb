import { percent } from '@/lib/format'
import classes from './Meter.module.css'

interface Props {
  label: string
  /** As people read it, such as "3 of 8 cores". */
  text: string
  total: number
  /** What is promised, and what is measured to be in use. */
  allocated: number
  used?: number | undefined
}

/** A share of something: promised as a bar, used as a line in it. */
export function Meter({ label, text, total, allocated, used }: Props) {
  const share = percent(allocated, total)
  return (
    <div>
      <div className={classes.head}>
        <span>{label}</span>
        <span className={classes.text}>{text}</span>
      </div>
      <div
        className={classes.bar}
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share)}
        aria-valuetext={text}
      >
        <div
          className={classes.allocated}
          style={{ width: `${share}%` }}
          data-full={share > 90 || undefined}
        />
        {used !== undefined && <div className={classes.used} style={{ width: `${percent(used, total)}%` }} />}
      </div>
    </div>
  )
}
