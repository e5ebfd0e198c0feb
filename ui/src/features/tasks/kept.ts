import type { Draft } from './submit'

interface Kept {
  owner: string
  from: string | undefined
  draft: Draft
}

// In memory only: what is typed may hold secrets.
let kept: Kept | undefined

/** Keeps what was typed when a sign-in ended in the middle of it. */
export function keepDraft(typed: Kept) {
  kept = typed
}

/** What the same person had typed into the same form. */
export function keptDraft(owner: string, from: string | undefined): Draft | undefined {
  return kept?.owner === owner && kept.from === from ? kept.draft : undefined
}

export function forgetDraft() {
  kept = undefined
}
