import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useComputedColorScheme } from '@mantine/core'
import { formatClock, formatMinute } from '@/lib/format'
import { textScale } from '@/lib/textScale'

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
  /** Its marks stand at whole numbers. */
  whole?: boolean
  /** Its values are seconds, whose marks stand where clocks have theirs. */
  seconds?: boolean
  /** A moment to be seen, as an upright line with a word. */
  mark?: { at: number; label: string } | undefined
}

// How far marks may be from each other.
const ofBytes = Array.from({ length: 40 }, (_, power) => 2 ** power)
const ofCounts = Array.from({ length: 10 }, (_, n) => [1, 2, 5].map((i) => i * 10 ** n)).flat()
const minute = 60
const hour = 60 * minute
const day = 24 * hour
const ofSeconds = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * minute),
  ...[1, 2, 3, 6, 12].map((n) => n * hour),
  ...[1, 2, 7, 14, 30, 60, 120, 360].map((n) => n * day),
]

/** Draws the moment over all else. */
function drawMark(plot: uPlot, mark: Props['mark'], color: string) {
  if (!mark) return
  const { ctx, bbox } = plot
  const x = Math.round(plot.valToPos(mark.at, 'x', true))
  if (x < bbox.left || x > bbox.left + bbox.width + 1) return
  ctx.save()
  ctx.strokeStyle = ctx.fillStyle = color
  ctx.lineWidth = 2 * devicePixelRatio
  ctx.setLineDash([])
  ctx.beginPath()
  ctx.moveTo(x, bbox.top)
  ctx.lineTo(x, bbox.top + bbox.height)
  ctx.stroke()
  ctx.font = `600 ${12 * textScale() * devicePixelRatio}px sans-serif`
  ctx.textAlign = 'right'
  ctx.textBaseline = 'bottom'
  ctx.fillText(mark.label, x - 6 * devicePixelRatio, bbox.top + bbox.height - 6 * devicePixelRatio)
  ctx.restore()
}

/** While nobody points at a moment, the legend shows the newest one of which all is known. */
function showNewest(plot: uPlot) {
  if (plot.legend.idx !== null && plot.legend.idx !== undefined) return
  const [, ...values] = plot.data
  let idx = plot.data[0].length - 1
  while (idx > 0 && values.some((of) => of[idx] === null)) idx--
  if (idx >= 0) plot.setLegend({ idx }, false)
}

/** Marks within a minute say the second too. */
function moment(seconds: number): string {
  const time = new Date(seconds * 1000)
  return seconds % 60 === 0 ? formatMinute(time) : formatClock(time)
}

/** Values over time. */
export function Chart({
  label,
  times,
  series,
  format,
  height = 180,
  max,
  binary = false,
  whole = false,
  seconds = false,
  mark,
}: Props) {
  const holder = useRef<HTMLDivElement>(null)
  const scheme = useComputedColorScheme()
  const plot = useRef<uPlot>(undefined)
  const shape = JSON.stringify(series, (key, value: unknown) => (key === 'values' ? undefined : value))
  const data: uPlot.AlignedData = [times, ...series.map((s) => s.values)]
  const latest = useRef({ data, format, max, mark })
  useEffect(() => {
    latest.current = { data, format, max, mark }
    plot.current?.setData(data)
  })
  useEffect(() => {
    const el = holder.current
    if (!el) return
    const style = getComputedStyle(el)
    const color = (name: string) => style.getPropertyValue(name).trim()
    const scale = textScale()
    const axis = {
      font: `${12 * scale}px ${style.fontFamily}`,
      stroke: color('--mantine-color-dimmed'),
      grid: { stroke: color('--line'), width: 1 },
      ticks: { show: false },
    }
    const looks = JSON.parse(shape) as Omit<Series, 'values'>[]
    const made = new uPlot(
      {
        width: el.clientWidth,
        height: height * scale,
        padding: [8, 28, 0, 0],
        cursor: { y: false },
        legend: { live: true },
        hooks: {
          draw: [(plot) => drawMark(plot, latest.current.mark, color('--bad'))],
          setLegend: [showNewest],
        },
        scales: { y: { range: (_, __, most) => [0, Math.max(most, latest.current.max ?? 0, 0.001) * 1.08] } },
        axes: [
          { ...axis, space: 90 * scale, size: 28 * scale, values: (_, ticks) => ticks.map(moment) },
          {
            ...axis,
            size: 72 * scale,
            ...(binary
              ? { incrs: ofBytes }
              : whole
                ? { incrs: ofCounts }
                : seconds
                  ? { incrs: ofSeconds }
                  : {}),
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
    const resize = new ResizeObserver(() => made.setSize({ width: el.clientWidth, height: height * scale }))
    resize.observe(el)
    return () => {
      resize.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [shape, scheme, height, binary, whole, seconds])
  return <div ref={holder} role="img" aria-label={label} />
}
