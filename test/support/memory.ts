// Disks in memory: one with a content, and what one holds.
import { openSync, type Source } from 'rumpblk';
import { memory, type Medium } from 'rumpblk/media';

/** A medium with this content. */
export function filled(data: Uint8Array): Medium {
  const medium = memory({ size: data.length });
  using device = openSync(medium, { mode: 'r+' });
  device.writeSync(data, 0);
  return medium;
}

/** All bytes of a disk. */
export function contentOf(disk: Source): Buffer {
  using device = openSync(disk, { lock: false });
  const data = Buffer.alloc(device.size);
  device.readSync(data, 0);
  return data;
}
