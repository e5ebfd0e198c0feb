/** Does something when the page has nothing else to do; gives what calls it off. */
export function whenIdle(act: () => void): () => void {
  // Not every browser says when it is idle.
  if (typeof globalThis.requestIdleCallback !== 'function') {
    const timer = setTimeout(act, 300)
    return () => clearTimeout(timer)
  }
  const handle = requestIdleCallback(act, { timeout: 2000 })
  return () => cancelIdleCallback(handle)
}
