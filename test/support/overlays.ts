// Overlays for tests: opened for one test, and what they read as.
import type { BlockDevice } from 'rumpblk';
import { openOverlay, type OverlayDevice } from 'rumpblk/overlay';
import type { Rig } from './rig';

/** Gives an `openOverlay()` whose devices are closed after the test. */
export function overlays(bench: Rig): (...args: Parameters<typeof openOverlay>) => Promise<OverlayDevice> {
  return async (...args) => bench.keep(await openOverlay(...args));
}

/** What overlays may keep their changes in. */
export const CHANGES = ['memory', 'temporary', 'qcow2'] as const;
export type Changes = (typeof CHANGES)[number];
let images = 0;

/** The option for it: for an image the path of one that is not there yet. */
export function changesIn(bench: Rig, changes: Changes): string {
  return changes === 'qcow2' ? bench.path(`overlay-${(images += 1)}.qcow2`) : changes;
}

/** All bytes of a device. */
export function all(device: BlockDevice): Buffer {
  const bytes = Buffer.alloc(device.size);
  device.readSync(bytes, 0);
  return bytes;
}

/** A copy of `bytes` with `text` at a place. */
export function withText(bytes: Buffer, text: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  text.copy(copy, at);
  return copy;
}
