import { createTheme, type CSSVariablesResolver } from '@mantine/core'

export const theme = createTheme({
  primaryColor: 'indigo',
  primaryShade: { light: 7, dark: 7 },
  // The library's, but darker where it is text or has white text on it.
  colors: {
    red: [
      '#fff5f5',
      '#ffe3e3',
      '#ffc9c9',
      '#ffa8a8',
      '#ff8787',
      '#ff6b6b',
      '#e03131',
      '#c92a2a',
      '#b02525',
      '#9c1f1f',
    ],
  },
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  headings: { fontWeight: '650' },
  components: {
    Anchor: { defaultProps: { underline: 'hover' } },
    Modal: { defaultProps: { centered: true } },
    Notification: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } },
    ModalCloseButton: { defaultProps: { 'aria-label': 'Close' } },
    // A page has one banner, and this is not it.
    ModalHeader: { defaultProps: { role: 'presentation' } },
    Tooltip: { defaultProps: { openDelay: 300, events: { hover: true, focus: true, touch: true } } },
  },
})

/** The library's grey texts are too pale to be read by everybody. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#525a63',
    '--mantine-color-placeholder': '#656d76',
    '--mantine-color-error': '#c92a2a',
    '--mantine-color-body': '#fbfcfe',
    '--surface': '#ffffff',
    '--line': '#e3e7ed',
    '--ok': '#2b8a3e',
    '--bad': '#c92a2a',
    '--busy': '#3b5bdb',
    '--wait': '#9a5b00',
    '--idle': '#5c636b',
    '--mantine-color-anchor': '#364fc7',
  },
  dark: {
    '--mantine-color-dimmed': '#a6adb8',
    '--mantine-color-placeholder': '#9299a3',
    '--mantine-color-error': '#ff8787',
    '--mantine-color-body': '#14161a',
    '--surface': '#1b1e24',
    '--line': '#2e333c',
    '--ok': '#69db7c',
    '--bad': '#ff8787',
    '--busy': '#91a7ff',
    '--wait': '#ffc078',
    '--idle': '#a6adb8',
    '--mantine-color-anchor': '#a5b4ff',
  },
})
