import { Anchor, Button, NavLink, type AnchorProps, type ButtonProps, type NavLinkProps } from '@mantine/core'
import { createLink } from '@tanstack/react-router'
import type { ComponentProps } from 'react'

// The library's components as links whose addresses, with their parameters, the
// compiler checks against the routes.

type Native = Omit<ComponentProps<'a'>, 'href' | 'color' | 'style'>

export const AnchorLink = createLink((props: Native & Omit<AnchorProps, 'href'>) => <Anchor {...props} />)

export const ButtonLink = createLink((props: Native & ButtonProps) => <Button component="a" {...props} />)

export const PageLink = createLink((props: Native & Omit<NavLinkProps, 'href'>) => <NavLink {...props} />)
