/** The sign of the program, as in favicon.svg. */
export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#3b5bdb" />
      <path d="M9 22h14a5 5 0 0 0 .7-9.95A7.5 7.5 0 0 0 9.4 12.6 4.8 4.8 0 0 0 9 22z" fill="#fff" />
      <path d="m14.2 13.4 4.6 3.1-4.6 3.1z" fill="#3b5bdb" />
    </svg>
  )
}
