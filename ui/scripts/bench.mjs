// Runs bench/main.ts, which is TypeScript, by the bundler that is here anyway.
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const { module } = await runnerImport(fileURLToPath(new URL('../bench/main.ts', import.meta.url)), {
  logLevel: 'warn',
})
process.exitCode = await module.main(process.argv.slice(2))
