import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

const master = process.env.CLOUDAI_SERVER ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  // The master puts a nonce of its own in each reply; see master/internal/dashboard.
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1000,
  },
  server: {
    port: 3000,
    strictPort: true,
    // The Host header stays the browser's, so that the master sees its own page calling.
    proxy: {
      '^/(api|telemetry|health|ready|version|openapi.json)': { target: master },
      '/ws': { target: master, ws: true },
    },
  },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.{ts,tsx}', 'bench/*.test.ts'],
    setupFiles: ['src/test/setup.ts'],
    css: false,
    pool: 'threads',
    maxWorkers: '100%', // it leaves one core idle otherwise, of two half
    testTimeout: 30_000,
  },
})
