// Puts the built pages where the master is compiled from: the page itself as it
// is, all else compressed at the highest level, so that the binary holds nothing
// twice and compresses nothing while it serves.
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const from = fileURLToPath(new URL('../dist/', import.meta.url))
const to = fileURLToPath(new URL('../../master/internal/dashboard/dist/', import.meta.url))

await mkdir(to, { recursive: true })
for (const old of await readdir(to)) {
  if (!old.startsWith('.')) await rm(join(to, old), { recursive: true })
}

const mostGzip = { level: constants.Z_BEST_COMPRESSION }
const mostBrotli = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }
// Browsers that know it compile the file while it is loaded, beside the page's thread,
// and not function by function when somebody has clicked.
const hint = Buffer.from('//# allFunctionsCalledOnLoad\n')
// The page comes last: it names the others, so half a copy is no dashboard.
for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || entry.name === 'index.html') continue
  const source = join(entry.parentPath, entry.name)
  const target = join(to, source.slice(from.length))
  const data = entry.name.endsWith('.js')
    ? Buffer.concat([hint, await readFile(source)])
    : await readFile(source)
  await mkdir(dirname(target), { recursive: true })
  await writeFile(`${target}.gz`, await promisify(gzip)(data, mostGzip))
  await writeFile(`${target}.br`, await promisify(brotliCompress)(data, mostBrotli))
}
await cp(join(from, 'index.html'), join(to, 'index.html'))
