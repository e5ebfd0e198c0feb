/** A word as a shell takes it literally. */
export function quote(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word
  return `'${word.replaceAll("'", `'\\''`)}'`
}

/** Words as one line; long ones are broken after each group. */
export function commandLine(groups: string[][]): string {
  const parts = groups.map((group) => group.map(quote).join(' '))
  const line = parts.join(' ')
  return line.length <= 90 ? line : parts.join(' \\\n  ')
}

/** Splits a line into words as a shell does, without expanding anything; null when a quote stays open. */
export function splitWords(line: string): string[] | null {
  const words: string[] = []
  let word = ''
  let open = '' // the quote that is open
  let began = false
  for (let i = 0; i < line.length; i++) {
    const c = line.charAt(i)
    if (open === "'") {
      if (c === "'") open = ''
      else word += c
    } else if (c === '\\') {
      const next = line.charAt(++i)
      if (next === '') return null
      if (open === '"' && !'"\\$`'.includes(next)) word += c
      word += next
      began = true
    } else if (open === '"') {
      if (c === '"') open = ''
      else word += c
    } else if (c === "'" || c === '"') {
      open = c
      began = true
    } else if (/\s/.test(c)) {
      if (began) words.push(word)
      word = ''
      began = false
    } else {
      word += c
      began = true
    }
  }
  if (open) return null
  if (began) words.push(word)
  return words
}
