/** Deeper than this nobody reads, and the spaces before the lines would fill the memory. */
const deepest = 40

// Strings, signs, and what stands between them. A string that is not closed is no JSON anyway.
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g

/**
 * JSON with line ends and spaces for people. Numbers, names and their order stay
 * as they are written: a number with twenty digits has all of them.
 */
export function prettyJSON(text: string): string {
  try {
    JSON.parse(text)
  } catch {
    return text // it only claims to be JSON
  }
  let out = ''
  let depth = 0
  let last = ''
  const line = () => '\n' + '  '.repeat(depth)
  for (const [token] of text.matchAll(tokens)) {
    const opened = last === '{' || last === '['
    if (token === '}' || token === ']') {
      depth--
      out += (opened ? '' : line()) + token
    } else {
      if (opened || last === ',') out += line()
      out += token === ':' ? ': ' : token
      if (token === '{' || token === '[') depth++
      if (depth > deepest) return text
    }
    last = token
  }
  return out
}
