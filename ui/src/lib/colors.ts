type RGB = readonly [red: number, green: number, blue: number]

/** One of a terminal's sixteen colours by name, its plain text, or any other one. */
export type Color = RGB | string

/** The log's own ground and text; LogView.module.css has the same. */
const ground: RGB = [22, 24, 29]
const plain: RGB = [230, 232, 235]

// The sixteen as backgrounds, where they need not be bright.
const named: Record<string, RGB> = {
  text: plain,
  'ansi-black': [56, 60, 68],
  'ansi-red': [160, 40, 40],
  'ansi-green': [35, 110, 50],
  'ansi-yellow': [240, 200, 60],
  'ansi-blue': [45, 75, 170],
  'ansi-magenta': [140, 55, 150],
  'ansi-cyan': [30, 120, 135],
  'ansi-white': [215, 218, 224],
  'ansi-bright-black': [85, 90, 100],
  'ansi-bright-red': [255, 135, 135],
  'ansi-bright-green': [105, 219, 124],
  'ansi-bright-yellow': [255, 212, 59],
  'ansi-bright-blue': [145, 167, 255],
  'ansi-bright-magenta': [240, 160, 255],
  'ansi-bright-cyan': [102, 217, 232],
  'ansi-bright-white': [255, 255, 255],
}

const rgb = (color: Color): RGB => (typeof color === 'string' ? (named[color] ?? plain) : color)
const css = (color: RGB) => `rgb(${color.map(Math.round).join(', ')})`

/** As WCAG has it, from 0 to 1. */
function luminance(color: RGB): number {
  const [red, green, blue] = color.map((part) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

export function contrast(a: RGB, b: RGB): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y)
  return (high + 0.05) / (low + 0.05)
}

/** The least that can be read by everybody. */
const readable = 4.5

/** The colour, or as little lighter or darker as makes it readable on what is behind it. */
function readableOn(color: RGB, behind: RGB): RGB {
  const end = luminance(behind) > 0.18 ? 0 : 255
  for (let share = 0; share < 1; share += 0.1) {
    const mixed = color.map((part) => part + (end - part) * share) as [number, number, number]
    if (contrast(mixed, behind) >= readable) return mixed
  }
  return [end, end, end]
}

/** Text of a colour on a ground of another one; what is not given is the log's own. */
export function onGround(color: Color | undefined, behind: Color | undefined) {
  const back = behind === undefined ? ground : rgb(behind)
  return {
    color: css(readableOn(color === undefined ? plain : rgb(color), back)),
    ...(behind === undefined ? {} : { backgroundColor: css(back) }),
  }
}
