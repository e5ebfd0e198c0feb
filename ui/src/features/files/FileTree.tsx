import { IconFile, IconFolder } from '@tabler/icons-react'
import type { FileEntry } from '@/api/client'
import { formatBytes, formatCount } from '@/lib/format'
import classes from './Files.module.css'
import { treeOf, type Folder } from './paths'

interface Props {
  files: FileEntry[]
  chosen: string | undefined
  onChoose: (file: FileEntry) => void
}

/** So many files and folders of one folder are listed; the archive has them all. */
const mostOfFolder = 500

export function FileTree({ files, chosen, onChoose }: Props) {
  return (
    <nav className={`card ${classes.tree}`} aria-label="Files" tabIndex={0}>
      <Branch folder={treeOf(files)} chosen={chosen} onChoose={onChoose} />
    </nav>
  )
}

function Branch({ folder, chosen, onChoose }: { folder: Folder } & Omit<Props, 'files'>) {
  const over = (entries: unknown[]) => Math.max(0, entries.length - mostOfFolder)
  const hidden = over(folder.folders) + over(folder.files)
  return (
    <ul className={classes.branch}>
      {folder.folders.slice(0, mostOfFolder).map((child) => (
        <li key={child.path}>
          <details open={folder.folders.length < 20}>
            <summary className={classes.entry}>
              <IconFolder size={16} aria-hidden="true" /> {child.name}
            </summary>
            <Branch folder={child} chosen={chosen} onChoose={onChoose} />
          </details>
        </li>
      ))}
      {folder.files.slice(0, mostOfFolder).map((file) => (
        <li key={file.path}>
          <button
            type="button"
            className={classes.entry}
            aria-current={file.path === chosen ? 'true' : undefined}
            onClick={() => onChoose(file)}
          >
            <IconFile size={16} aria-hidden="true" />
            <span className={classes.name}>{file.path.slice(file.path.lastIndexOf('/') + 1)}</span>
            <span className={classes.size}>{formatBytes(file.size)}</span>
          </button>
        </li>
      ))}
      {hidden > 0 && <li className={classes.size}>and {formatCount(hidden)} more</li>}
    </ul>
  )
}
