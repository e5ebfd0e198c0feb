import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts processor time in hundredths of a second, whatever the kernel's own clock. */
const tick = 100

interface Process {
  parent: number
  seconds: number
}

function processes(): Map<number, Process> {
  const all = new Map<number, Process>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      // The name, in brackets, may hold anything.
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const seconds = (Number(fields[11]) + Number(fields[12])) / tick
      all.set(Number(entry), { parent: Number(fields[1]), seconds })
    } catch {
      // It has ended in the meantime.
    }
  }
  return all
}

/** Seconds of processor time that a process and all that came from it have taken so far. */
export function spent(pid: number): number {
  const all = processes()
  let sum = 0
  for (const [id, { seconds }] of all) {
    for (let at = id; at > 1; at = all.get(at)?.parent ?? 0) {
      if (at !== pid) continue
      sum += seconds
      break
    }
  }
  return sum
}

/** The newest child of this process, such as a browser that was just started. */
export function youngest(): number {
  const all = [...processes()].filter(([, { parent }]) => parent === process.pid)
  return Math.max(...all.map(([id]) => id))
}
