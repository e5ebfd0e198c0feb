import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useComputedColorScheme } from '@mantine/core'
import { formatClock, formatMinute } from '@/lib/format'

export interface Series {
  label: string
  values: (number | null)[]
  /** The name of a CSS colour variable. */
  color: string
  dashed?: boolean
  fill?: boolean
}

interface Props {
  /** What it shows, for those who cannot see it. */
  label: string
  /** Seconds since 1970. */
  times: number[]
  series: Series[]
  format: (value: number) => string
  height?: number
  /** The least that the axis goes up to. */
  max?: number
  /** Its marks stand at powers of two, as sizes in memory do. */
  binary?: boolean
}

/** Marks within a minute say the second too. */
function moment(seconds: number): string {
  const time = new Date(seconds * 1000)
  return seconds % 60 === 0 ? formatMinute(time) : formatClock(time)
}

/** Values over time. */
export function Chart({ label, times, series, format, height = 180, max, binary = false }: Props) {
  const holder = useRef<HTMLDivElement>(null)
  const scheme = useComputedColorScheme()
  const plot = useRef<uPlot>(undefined)
  const shape = JSON.stringify(series, (key, value: unknown) => (key === 'values' ? undefined : value))
  const data: uPlot.AlignedData = [times, ...series.map((s) => s.values)]
  const latest = useRef({ data, format, max })
  useEffect(() => {
    latest.current = { data, format, max }
    plot.current?.setData(data)
  })
  useEffect(() => {
    const el = holder.current
    if (!el) return
    const style = getComputedStyle(el)
    const color = (name: string) => style.getPropertyValue(name).trim()
    const axis = {
      stroke: color('--mantine-color-dimmed'),
      grid: { stroke: color('--line'), width: 1 },
      ticks: { show: false },
    }
    const looks = JSON.parse(shape) as Omit<Series, 'values'>[]
    const made = new uPlot(
      {
        width: el.clientWidth,
        height,
        cursor: { y: false },
        legend: { live: true },
        scales: { y: { range: (_, __, most) => [0, Math.max(most, latest.current.max ?? 0, 0.001) * 1.08] } },
        axes: [
          { ...axis, space: 90, values: (_, ticks) => ticks.map(moment) },
          {
            ...axis,
            size: 72,
            ...(binary ? { incrs: Array.from({ length: 40 }, (_, power) => 2 ** power) } : {}),
            values: (_, ticks) => ticks.map((t) => latest.current.format(t)),
          },
        ],
        series: [
          {
            label: 'Time',
            value: (_, t: number | null) => (t === null ? '–' : formatClock(new Date(t * 1000))),
          },
          ...looks.map((look) => ({
            label: look.label,
            stroke: color(look.color),
            width: 1.5,
            ...(look.dashed ? { dash: [6, 4] } : {}),
            ...(look.fill ? { fill: `${color(look.color)}22` } : {}),
            points: { show: false },
            value: (_: uPlot, v: number | null) => (v === null ? '–' : latest.current.format(v)),
          })),
        ],
      },
      latest.current.data,
      el,
    )
    plot.current = made
    const resize = new ResizeObserver(() => made.setSize({ width: el.clientWidth, height }))
    resize.observe(el)
    return () => {
      resize.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [shape, scheme, height, binary])
  return <div ref={holder} role="img" aria-label={label} />
}
