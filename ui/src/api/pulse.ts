/** So long, in ms, nothing is heard before the page asks whether it still could be. */
const quiet = 20_000
/** So long the master has for its answer. */
const patience = 5_000

/** One live connection, as far as it seems open. */
export interface Open {
  /** Sends something that the master does not read; where the connection is gone, that shows. */
  nudge: () => void
  /** Takes it for gone. */
  giveUp: () => void
}

const open = new Set<Open>()
let heardAt = 0
let timer: ReturnType<typeof setTimeout> | undefined

/** Something came over one of the connections. */
export function heard() {
  heardAt = Date.now()
}

/**
 * Keeps an eye on a connection until the function that it gives is called. A page cannot
 * see a WebSocket's pings, so a connection whose other end has vanished, such as after a
 * machine's sleep or a pulled cable, would seem open for as long as nobody says anything.
 */
export function watch(connection: Open): () => void {
  open.add(connection)
  heard()
  timer ??= setTimeout(look, quiet)
  return () => {
    open.delete(connection)
    if (open.size > 0) return
    clearTimeout(timer)
    timer = undefined
  }
}

/** While there are frames this only sets the clock anew; it asks nothing. */
function look() {
  const rest = heardAt + quiet - Date.now()
  if (rest > 0) {
    timer = setTimeout(look, rest)
    return
  }
  timer = setTimeout(look, quiet)
  const asked = Date.now()
  const connections = [...open]
  connections.forEach((connection) => connection.nudge())
  void answers().then((there) => {
    // What was opened or heard meanwhile is there, whatever became of the question.
    if (!there && heardAt < asked) connections.filter((c) => open.has(c)).forEach((c) => c.giveUp())
  })
}

/** Whether the master answers a call that costs it nothing. */
async function answers(): Promise<boolean> {
  try {
    await fetch('/version', {
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(patience),
    })
    return true
  } catch {
    return false
  }
}
