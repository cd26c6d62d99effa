// Source: what register() and open() take, checked: a path of the host, or a medium.
import type { PathLike } from 'node:fs';
import { hostPath } from '../arguments/validate.js';
import { closedError } from '../errors.js';
import type { NativeMedium } from '../native/binding.js';
import { isEnded, nativeMediumOf, type Medium } from './medium.js';
import { mediumOfUrl } from './nbd.js';

/** What becomes a device: the path of a host file, or a medium; also a URL of `nbd:` or `nbd+unix:`. A string is always a path. */
export type Source = PathLike | Medium;

/** A source that was accepted. */
export interface GivenSource {
  /** A path in the host's bytes, or a medium. */
  readonly native: Uint8Array | NativeMedium;
  /** Of a medium which kind it is. */
  readonly kind?: Medium['kind'];
  /** Names it in errors. */
  readonly name: string;
}

/** Accepts a path as Node's fs does, a medium, or a URL of NBD. */
export function sourceOf(given: unknown, name: string, expected = 'of type string or an instance of Buffer, URL or Medium'): GivenSource {
  const value = mediumOfUrl(given);
  const medium = nativeMediumOf(value);
  if (isEnded(value)) throw closedError('overlay', 'open');
  if (medium !== undefined) return { native: medium, kind: (value as Medium).kind, name: (value as Medium).name };
  const path = hostPath(value, name, expected);
  return { native: path, name: path.toString() };
}
