import { expect, it } from 'vitest'
import { shortImage } from './images'

it.each([
  ['busybox', 'busybox'],
  ['pytorch/pytorch:2.9.0', 'pytorch/pytorch:2.9.0'],
  ['registry.example.org/team/thumbnails:1.8', 'team/thumbnails:1.8'],
  ['localhost/hello', 'hello'],
  ['reg:5000/hello:1', 'hello:1'],
  ['busybox:1.36', 'busybox:1.36'],
])('leaves the registry out of %s', (image, short) => expect(shortImage(image)).toBe(short))
