// What the tests of streams read and write: a device with a known content, and a handle on it.
import type { BlockDevice } from 'rumpblk';
import { openFileHandle, type DeviceFileHandle } from 'rumpblk/fs';
import { MiB, pattern, type Rig } from './rig';

/** Bytes; no whole number of sectors, nor of chunks. */
export const SIZE = 2 * MiB + 100;
export const content = pattern(SIZE);

export interface Opened {
  image: string;
  device: BlockDevice;
  handle: DeviceFileHandle;
}

/** A writable device over a new image with this content. */
export function opener(bench: Rig): (data?: Buffer) => Opened {
  return (data = content) => {
    const image = bench.image(data);
    const device = bench.device(image, { mode: 'r+' });
    return { image, device, handle: openFileHandle(device) };
  };
}
