import { Table, type TableProps } from '@mantine/core'

interface Props extends TableProps {
  /** In pixels; where there is less room the table scrolls by itself, by keyboard too. */
  minWidth: number
}

/** A table that scrolls within a narrow page. */
export function WideTable({ minWidth, ...table }: Props) {
  return (
    <Table.ScrollContainer minWidth={minWidth} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
      <Table {...table} />
    </Table.ScrollContainer>
  )
}
