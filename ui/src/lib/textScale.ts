let scale: number | undefined

/** How much larger than usual the person has set the browser's text; for what is counted in pixels. */
export function textScale(): number {
  scale ??= (parseFloat(getComputedStyle(document.documentElement).fontSize) || 16) / 16
  return scale
}
