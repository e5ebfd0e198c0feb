/** The kinds of capacity that workers have. */
export const kinds = [
  { value: 'cpu', label: 'CPU' },
  { value: 'memory', label: 'Memory' },
  { value: 'storage', label: 'Storage' },
  { value: 'gpu', label: 'GPUs' },
] as const

export type Kind = (typeof kinds)[number]['value']
