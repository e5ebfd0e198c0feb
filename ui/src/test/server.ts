import { setupServer } from 'msw/node'

/** Plays the master; each test says what it answers. */
export const server = setupServer()
