/**
 * An image without the registry that it comes from, which in a narrow column
 * would leave no room for what tells images apart.
 */
export function shortImage(image: string): string {
  const cut = image.indexOf('/')
  const first = image.slice(0, cut)
  // As Docker reads it: only a name with a dot or a port is a registry.
  return cut > 0 && (/[.:]/.test(first) || first === 'localhost') ? image.slice(cut + 1) : image
}
