// The other side of `read` and `write`: what its name means.
import { statSync } from 'node:fs';
import { mediumKind } from './source.js';

/** The name that means stdin or stdout. */
export const STANDARD = '-';

/** Tells a pipe, a terminal and the like, which have no positions, from files and disks. */
export function isStream(file: string): boolean {
  if (mediumKind(file) !== undefined) return false;
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats?.isFIFO() === true || stats?.isCharacterDevice() === true || stats?.isSocket() === true;
}
