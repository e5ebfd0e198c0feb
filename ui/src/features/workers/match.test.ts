import { expect, it } from 'vitest'
import { makeWorker } from '@/test/factories'
import { matches } from './match'

const worker = makeWorker({ worker_id: 'rack-7', status: 'lost', labels: { disk: 'ssd' } })

it.each([
  ['', true],
  ['RACK', true],
  [' lost disk=ssd ', true],
  ['rack active', false],
  ['disk=hdd', false],
])('looks for "%s"', (search, found) => expect(matches(worker, search)).toBe(found))
