import { expect, it } from 'vitest'
import { prettyJSON } from './json'

it.each([
  '{}',
  '[]',
  '"a, [b]: {c} \\" \\\\"',
  '[1,-2.5,true,null,"x"]',
  '{"a":{"b":[]},"c":[{},[1,{"d":"e:f"}]]}',
])('lays %s out as people know it', (text) =>
  expect(prettyJSON(text)).toBe(JSON.stringify(JSON.parse(text), null, 2)),
)

it('changes no number and drops no name', () => {
  const text = '{"id":12345678901234567890,"x":1.0,"x":1e400}'
  expect(prettyJSON(text)).toBe('{\n  "id": 12345678901234567890,\n  "x": 1.0,\n  "x": 1e400\n}')
})

it('leaves alone what is no JSON, and what is nested without end', () => {
  expect(prettyJSON('{"a":1} trailing')).toBe('{"a":1} trailing')
  const deep = '['.repeat(6000) + ']'.repeat(6000)
  expect(prettyJSON(deep)).toBe(deep)
})
