// The part of a copy that the host makes itself, between two files: blocks that both share, or bytes that never come up to this process.
import { constants } from 'node:os';
import { handleOf } from '../device.js';
import { BlockDeviceError } from '../index.js';
import { copyRange } from '../request/copy-range.js';
import type { DevicePart, Source } from './ends.js';
import { tell, type Run, type Tally } from './pump.js';
import type { CopySettings } from './options.js';

/** Tells whether options leave a copy to the host: it reads nothing that could be looked at, and syncs nothing by itself. */
export function mayBeByHost({ sparse, reflink, verify, fua }: CopySettings): boolean {
  return sparse === 'extents' && !fua && reflink !== 'never' && (!verify || reflink === 'always');
}

/** Where a copy goes. */
interface Goal {
  readonly part: DevicePart | undefined;
  /** What to call it in a message. */
  readonly name: string;
  /** It reads as zeros where it is not written. */
  readonly isZero: boolean;
}

/** Copies as far as the host can, and counts it; the rest, which may be all, is left to reads and writes. */
export async function copyByHost(source: Source, { part: to, name, isZero }: Goal, run: Run, tally: Tally): Promise<void> {
  const from = source.part;
  if (from !== undefined && to !== undefined && run.total !== Infinity) {
    if (await copyParts(from, to, isZero, run, tally)) return;
  }
  if (run.settings.reflink !== 'always' || run.total === 0) return;
  throw new BlockDeviceError({ errno: -constants.errno.EOPNOTSUPP, syscall: 'clone', path: name, bytesTransferred: tally.bytes });
}

/** Gives false when the host was not able to copy all of it. */
async function copyParts(from: DevicePart, to: DevicePart, targetIsZero: boolean, run: Run, tally: Tally): Promise<boolean> {
  const { settings, control, total } = run;
  const { signal } = control;
  const cloneOnly = settings.reflink === 'always';
  while (tally.bytes < total) {
    signal.throwIfAborted();
    const { bytes } = tally;
    const range = { from: from.start + bytes, at: to.start + bytes, length: total - bytes, cloneOnly, targetIsZero, signal };
    const copied = await copyRange(handleOf(from.device, 'copy'), handleOf(to.device, 'copy'), range);
    tally.bytes += copied.bytes;
    tally.holes += copied.holes;
    tally.cloned += copied.cloned;
    if (copied.bytes > 0) tell(run, 'copy', tally.bytes);
    if (!copied.isAble) return false;
  }
  return true;
}
