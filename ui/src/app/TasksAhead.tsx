import { CatchBoundary, useRouter } from '@tanstack/react-router'
import {
  Activity,
  createContext,
  startTransition,
  use,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type ComponentType,
  type ReactNode,
} from 'react'
import { createPortal } from 'react-dom'
import { whenIdle } from '@/lib/idle'
import { Failed } from './Failed'

/** It is told when it is seen, so that it is drawn by what is known then. */
type TasksPage = ComponentType<{ shown: boolean }>

interface Stage {
  /** What the page is drawn into, in the document or not. */
  element: HTMLElement
  show: (Page: TasksPage) => void
  hide: () => void
}

const StageContext = createContext<Stage | undefined>(undefined)

/**
 * The list of tasks is where most go next: while nobody sees it, it is drawn outside of
 * the document, in the pauses of what is being looked at, so that a click has only to
 * show it. Until then it listens to nothing. What was seen is thrown away, and drawn anew.
 */
export function TasksAhead({ children }: { children: ReactNode }) {
  const router = useRouter()
  const [element] = useState(() => {
    const element = document.createElement('div')
    element.style.display = 'contents'
    return element
  })
  const [drawn, setDrawn] = useState<{ Page: TasksPage }>()
  const [shown, setShown] = useState(false)
  const stage = useMemo(
    () => ({
      element,
      show: (Page: TasksPage) => {
        setDrawn((drawn) => drawn ?? { Page })
        setShown(true)
      },
      hide: () => {
        setDrawn(undefined)
        setShown(false)
      },
    }),
    [element],
  )
  useEffect(() => {
    if (shown) return
    let wanted = true
    const draw = async () => {
      await router.preloadRoute({ to: '/tasks' })
      const { TasksPage } = await import('./pages/TasksRoute')
      if (wanted) startTransition(() => setDrawn({ Page: TasksPage }))
    }
    // What cannot be loaded now is asked for again by the click, which says so.
    const callOff = whenIdle(() => void draw().catch(() => undefined))
    return () => {
      wanted = false
      callOff()
    }
  }, [router, shown])
  return (
    <StageContext value={stage}>
      {children}
      {drawn &&
        createPortal(
          <Activity mode={shown ? 'visible' : 'hidden'}>
            <CatchBoundary getResetKey={() => String(shown)} errorComponent={Failed}>
              <drawn.Page shown={shown} />
            </CatchBoundary>
          </Activity>,
          element,
        )}
    </StageContext>
  )
}

/** The place in the document where the page that was drawn ahead is seen. */
export function TasksPlace({ page }: { page: TasksPage }) {
  const stage = use(StageContext)
  if (!stage) throw new Error('TasksPlace stands within TasksAhead')
  const place = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    place.current?.append(stage.element)
    stage.show(page)
    return () => {
      stage.hide()
      stage.element.remove()
    }
  }, [stage, page])
  return <div ref={place} style={{ display: 'contents' }} />
}
