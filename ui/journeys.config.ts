import { defineConfig } from 'vitest/config'

// What needs the real binaries and a browser. Its files take turns: each has a
// master of its own, and they would take each other's time.
const patience = Number(process.env.JOURNEY_PATIENCE ?? 30_000)

export default defineConfig({
  test: {
    environment: 'node',
    fileParallelism: false,
    testTimeout: 4 * patience,
    hookTimeout: 2 * patience,
    bail: 1,
    projects: [
      { extends: true, test: { name: 'journeys', include: ['journeys/*.journey.ts'] } },
      { extends: true, test: { name: 'screenshots', include: ['journeys/*.pictures.ts'] } },
    ],
  },
})
