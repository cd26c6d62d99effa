// The other side of `read` and `write`: what its name means.
import { accessSync, constants, createReadStream, fstatSync, readFileSync, statSync, type ReadStream } from 'node:fs';
import { mediumKind } from './source.js';

/** The name that means stdin or stdout. */
export const STANDARD = '-';

const STDIN = '/proc/self/fd/0';

/** Where stdin stands, when it is a file or a disk that can be opened once more; undefined of a pipe, and where nothing tells. */
function placeOfStdin(): { readonly size: number; readonly position: number } | undefined {
  try {
    const stats = fstatSync(0);
    if (!stats.isFile() && !stats.isBlockDevice()) return undefined;
    accessSync(STDIN, constants.R_OK);
    const position = Number(/^pos:\s*(\d+)$/m.exec(readFileSync('/proc/self/fdinfo/0', 'latin1'))?.[1]);
    return Number.isSafeInteger(position) ? { size: stats.isFile() ? stats.size : Infinity, position } : undefined;
  } catch {
    return undefined; // a host without /proc, or a file that may not be opened anew: it is read as a stream
  }
}

/**
 * Stdin as the source of a copy: a file or a disk by its positions, from where it stands, so that its holes are kept. Of one of which only
 * a part is asked for no byte more is taken: whoever reads it afterwards goes on behind that part.
 */
export function standardInput(length: number | undefined): { source: string | ReadStream | typeof process.stdin; sourcePosition?: number } {
  const place = placeOfStdin();
  if (place === undefined || place.position >= place.size) return { source: process.stdin };
  if (length === undefined) return { source: STDIN, sourcePosition: place.position };
  return { source: length === 0 ? process.stdin : createReadStream('', { fd: 0, end: length - 1, autoClose: false }) };
}

/** Tells a pipe, a terminal and the like, which have no positions, from files and disks. */
export function isStream(file: string): boolean {
  if (mediumKind(file) !== undefined) return false;
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats?.isFIFO() === true || stats?.isCharacterDevice() === true || stats?.isSocket() === true;
}
