/** A value as its line has it: one with line ends stands in quotes, as JSON writes it. */
const written = (value: string): string =>
  /[\r\n]/.test(value) || read(value) !== value ? JSON.stringify(value) : value

/** The value of a line. Quotes that nobody needed are part of it, as everywhere else. */
function read(line: string): string {
  if (!/^".*"$/.test(line)) return line
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'string' && written(value) === line ? value : line
  } catch {
    return line
  }
}

/** Lines of NAME=value, or the line that is none. */
export function pairsOf(text: string): { values: Record<string, string> } | { bad: string } {
  const values: Record<string, string> = {}
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    const cut = line.indexOf('=')
    if (cut < 1) return { bad: line }
    values[line.slice(0, cut).trim()] = read(line.slice(cut + 1))
  }
  return { values }
}

/** The lines that give the values back. */
export const linesOf = (values: Record<string, string>) =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${written(value)}`)
    .join('\n')
