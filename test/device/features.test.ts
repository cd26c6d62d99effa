// features: what a medium says that it can do is what it does.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createQcow2Sync, openSync, type BlockDevice } from 'rumpblk';
import { memory, nullMedium } from 'rumpblk/media';
import { openOverlay } from 'rumpblk/overlay';
import { failure } from '../support/failure';
import { loops } from '../support/loop';
import { mounts, MOUNTED } from '../support/mounts';
import { testWith } from '../support/peers';
import { KiB, MiB, rig } from '../support/rig';

const bench = rig();
const { mount, needs } = mounts(bench);
const { attach, looped } = loops(bench);
const ALL = { discard: true, fastZero: true, extents: true } as const;

/** Does what the features say, and sees that it is so. */
async function holdsTo(device: BlockDevice): Promise<void> {
  const { discard, fastZero } = device.features;
  await device.write(Buffer.alloc(MiB, 1), 0);
  expect((await device.discard(0, MiB / 2)).bytesDiscarded > 0).toBe(discard);
  const zero = (): Promise<unknown> => device.writeZeroes(MiB / 2, 256 * KiB, { fast: true });
  if (fastZero) await zero();
  else await failure(zero, 'ENOTSUP');
}

describe.each(MOUNTED)('a file on %s', (kind) => {
  testWith(...needs(kind))('can all of it', async () => {
    const file = path.join(mount(kind).folder, 'image');
    writeFileSync(file, Buffer.alloc(2 * MiB, 1));
    const device = bench.keep(openSync(file, { mode: 'r+' }));
    expect(device.features).toEqual({ ...ALL, fua: true, preferredSize: statSync(file).blksize, minimumSize: 1 });
    await holdsTo(device);
    const types: string[] = [];
    for await (const { type } of device.extents()) types.push(type);
    expect(types).toContain('hole');
  });
});

test('media without a file, an overlay and an image', async () => {
  const [disk, none] = [bench.keep(openSync(memory({ size: 2 * MiB }), { mode: 'r+' })), bench.keep(openSync(nullMedium({ size: MiB })))];
  expect(disk.features).toEqual({ ...ALL, fua: false, preferredSize: 4096, minimumSize: 1 });
  expect(none.features).toMatchObject(ALL);
  await holdsTo(disk);
  const overlay = bench.keep(await openOverlay(bench.sparse(2 * MiB), { blockSize: 65_536 }));
  expect(overlay.features).toEqual({ ...ALL, fua: false, preferredSize: 65_536, minimumSize: 1 });
  await holdsTo(overlay);
  const file = bench.path('image.qcow2');
  createQcow2Sync(file, { size: 2 * MiB });
  const image = bench.keep(openSync(file, { mode: 'r+', format: 'qcow2' }));
  expect(image.features).toEqual({ ...ALL, fua: false, preferredSize: 4096, minimumSize: 1 });
  await holdsTo(image);
});

test('they are of the medium, whatever the mode, and stay when the device is closed', async () => {
  const file = bench.image(Buffer.alloc(8192));
  const device = openSync(file);
  const { features } = device;
  expect(features.discard).toBe(true);
  await device.close();
  expect(device.features).toBe(features);
  expect(Object.isFrozen(features)).toBe(true);
});

test('a file that is no file of a disk tells no holes', () => {
  const device = bench.keep(openSync('/proc/cpuinfo', { size: 16 }));
  expect(readFileSync('/proc/cpuinfo').length).toBeGreaterThan(16);
  expect(device.features).toMatchObject({ discard: false, fastZero: false, extents: false });
});

looped('a node has sectors', async () => {
  const device = bench.keep(openSync(attach(bench.sparse(4 * MiB), '--sector-size', '4096'), { mode: 'r+' }));
  expect(device.features).toMatchObject({ extents: false, minimumSize: 4096 });
  await holdsTo(device);
});
