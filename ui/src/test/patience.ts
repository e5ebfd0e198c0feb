import { configure } from '@testing-library/react'
import { vi } from 'vitest'

// For tests that type and wait a lot: a busy machine may take its time.
configure({ asyncUtilTimeout: 10_000 })
vi.setConfig({ testTimeout: 60_000 })
