// Writes what comes from docs/openapi.json: the types of the API, and the schema
// of a task's body, by which the form checks what is typed. Not committed: every
// script that needs it runs this first.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import openapiTS, { astToString } from 'openapi-typescript'

const source = new URL('../../docs/openapi.json', import.meta.url)
const target = new URL('../src/api/generated/', import.meta.url)

const types = astToString(await openapiTS(source, { defaultNonNullable: false }))
const { schemas } = JSON.parse(await readFile(source, 'utf8')).components

// The task's body with what it refers to, as a document of its own.
const defs = {}
function embed(node) {
  if (Array.isArray(node)) return node.map(embed)
  if (node === null || typeof node !== 'object') return node
  const copy = {}
  for (const [key, value] of Object.entries(node)) {
    if (key === '$ref') {
      const name = value.split('/').at(-1)
      if (!(name in defs)) {
        defs[name] = null // it may refer to itself
        defs[name] = embed(schemas[name])
      }
      copy.$ref = `#/$defs/${name}`
    } else if (key !== 'examples') {
      copy[key] = embed(value)
    }
  }
  return copy
}
const taskRequest = { ...embed(schemas.TaskRequest), $defs: defs }

await mkdir(target, { recursive: true })
await writeFile(
  new URL('schema.ts', target),
  `// Made from docs/openapi.json by scripts/generate.mjs.\n${types}`,
)
await writeFile(new URL('taskRequest.json', target), JSON.stringify(taskRequest, null, 2) + '\n')
