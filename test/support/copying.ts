// What the tests of copy() copy from and to: one content, images of it, and names of files that are not there yet.
import { createHash } from 'node:crypto';
import type { BlockDevice } from 'rumpblk';
import { MiB, pattern, type Rig } from './rig';

/** Bytes; no whole number of sectors, nor of pieces. */
export const SIZE = 3 * MiB + 100;
export const content = pattern(SIZE);

export const digest = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

export interface Medium {
  device: BlockDevice;
  image: string;
}

export interface Media {
  /** A device over a new image with this content, or of this size without any. */
  medium(data: Buffer | number, mode?: 'r' | 'r+'): Medium;
  /** A path at which there is nothing yet. */
  fresh(): string;
}

export function media(bench: Rig): Media {
  let names = 0;
  return {
    medium(data, mode = 'r+') {
      const image = typeof data === 'number' ? bench.sparse(data) : bench.image(data);
      return { image, device: bench.device(image, { mode }) };
    },
    fresh: () => bench.path(`copied-${(names += 1)}`),
  };
}

export function* pieces(data: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}
