// track: what is changed is marked, by whichever way it comes, and a copy that follows the marks is the disk.
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { BATCH_DISCARD, BATCH_WRITE, BATCH_ZEROES, BlockDriver, type BlockDevice, type DirtyBitmap } from 'rumpblk';
import { numbers } from '../support/batch';
import { failure, refusal, thrownBy } from '../support/failure';
import { lateDisk } from '../support/late';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 4 * MiB;
const BLOCK = 4096;

async function runsOf(bitmap: DirtyBitmap): Promise<[from: number, to: number][]> {
  const runs: [number, number][] = [];
  for await (const { position, length, type } of bitmap.extents()) {
    expect(type).toBe('data');
    runs.push([position, position + length]);
  }
  return runs;
}
/** Brings a copy up to what the device holds, by marks alone. */
async function follow(device: BlockDevice, bitmap: DirtyBitmap, copy: Buffer): Promise<void> {
  for (const [from, to] of await runsOf(bitmap)) await device.read(copy.subarray(from, to), from);
}
function contentOf(device: BlockDevice): Buffer {
  const bytes = Buffer.alloc(device.size);
  device.readSync(bytes, 0);
  return bytes;
}

describe.each(bench.grounds)('under $name', ({ access, disk }) => {
  test('each way to change a device is marked, and reads and refused writes are not', async () => {
    const device = bench.device(disk(SIZE), { access, mode: 'r+', protect: [[MiB, MiB + 512]] });
    const bitmap = device.track({ granularity: BLOCK });
    expect(bitmap.count).toBe(0);
    await device.read(Buffer.alloc(SIZE), 0);
    await device.flush();
    await failure(() => device.write(Buffer.alloc(512), MiB), 'EROFS');
    expect(bitmap.count).toBe(0);
    await device.write(Buffer.alloc(1, 1), 2 * BLOCK - 1);
    device.writeSync(Buffer.alloc(2, 1), 5 * BLOCK - 1);
    device.strategySync({ op: 'write', blkno: 80, data: Buffer.alloc(512, 1) });
    await device.strategy({ op: 'zero', blkno: 160, bcount: 512 });
    await device.writeZeroes(30 * BLOCK, 2 * BLOCK);
    await device.discard(40 * BLOCK, BLOCK);
    const batch = device.createBatch({ depth: 3 });
    batch.op.set([BATCH_WRITE, BATCH_ZEROES, BATCH_DISCARD]);
    batch.blkno.set([400, 480, 560]);
    batch.bcount.fill(BLOCK);
    expect(batch.runSync(3)).toBe(3);
    const blocks = [1, 4, 5, 10, 20, 30, 31, 40, 50, 60, 70];
    const taken = bitmap.take();
    expect(taken.count).toBe(blocks.length * BLOCK);
    const marked = (await runsOf(taken)).flatMap(([from, to]) => Array.from({ length: (to - from) / BLOCK }, (_, i) => from / BLOCK + i));
    expect(marked).toEqual(blocks);
    expect(bitmap.count).toBe(0);
    expect(bitmap.isConsistent).toBe(true);
  });

  test('a copy that follows what is taken is the disk, while promises write', async () => {
    const device = bench.device(disk(pattern(SIZE)), { access, mode: 'r+' });
    const bitmap = device.track({ granularity: 512 });
    const copy = contentOf(device);
    const next = numbers(7);
    let writing = true as boolean;
    const writes = Array.from({ length: 8 }, async () => {
      for (let i = 0; i < 60; i += 1) await device.write(Buffer.alloc(1 + next(9000), next(256)), next(SIZE - 9000));
    });
    const all = Promise.all(writes).finally(() => (writing = false));
    while (writing) {
      await follow(device, bitmap.take(), copy);
      await turn(); // what follows nothing waits for nothing
    }
    await all;
    await follow(device, bitmap.take(), copy);
    expect(copy.equals(contentOf(device))).toBe(true);
  });
});

test('a disk that answers later is followed as well', async () => {
  const late = lateDisk(SIZE, { most: 1 });
  const device = bench.device(late.medium, { mode: 'r+' });
  const copy = contentOf(device);
  const bitmap = device.track({ granularity: 512 });
  const next = numbers(9);
  const writes = Array.from({ length: 300 }, () => device.write(Buffer.alloc(1 + next(5000), next(256)), next(SIZE - 5000)));
  for (let i = 0; i < 10; i += 1) await follow(device, bitmap.take(), copy);
  await Promise.all(writes);
  await follow(device, bitmap.take(), copy);
  expect(copy.equals(contentOf(device))).toBe(true);
});

test('a write that was on its way when tracking began is in the first marks', async () => {
  const late = lateDisk(SIZE, { held: true });
  const device = bench.device(late.medium, { mode: 'r+' });
  const write = device.write(Buffer.alloc(512, 1), 0);
  const bitmap = device.track();
  expect(bitmap.count).toBe(SIZE);
  late.release();
  await write;
});

test('opens of the minor and of its partitions count, before and later, and a partition knows its own bytes alone', async () => {
  const driver = new BlockDriver();
  const minor = driver.registerSync(bench.image(pattern(SIZE)));
  const disk = driver.openSync(minor, { mode: 'r+' });
  const ofDisk = disk.track({ granularity: 512 });
  disk.ioctl('DIOCWDINFO', disk.ioctl('DIOCGDINFO'));
  expect(ofDisk.count).toBeGreaterThan(0);
  ofDisk.clear();
  expect(ofDisk.count).toBe(0);
  disk.closeSync();
  const again = driver.openSync(minor, { mode: 'r+' });
  again.writeSync(Buffer.alloc(512), SIZE - 512);
  expect(await runsOf(ofDisk)).toEqual([[SIZE - 512, SIZE]]);
  again.closeSync();
  driver.close();
});

test('a lease counts as long as it is lent', async () => {
  const device = bench.device(bench.sparse(SIZE), { mode: 'r+', access: 'mmap' });
  const bitmap = device.track({ granularity: BLOCK });
  const view = device.mapSync(BLOCK, 2 * BLOCK);
  expect(bitmap.take().count).toBe(2 * BLOCK);
  view.bytes[0] = 1;
  expect(await runsOf(bitmap.take())).toEqual([[BLOCK, 3 * BLOCK]]);
  view.release();
  expect(bitmap.take().count).toBe(2 * BLOCK);
  expect(bitmap.count).toBe(0);
});

test('marks are merged back, of another granularity too, and not those of another device', async () => {
  const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
  const other = bench.device(bench.sparse(SIZE), { mode: 'r+' });
  const fine = device.track({ granularity: 512 });
  const coarse = device.track();
  expect(fine.count + coarse.count).toBe(0);
  device.writeSync(Buffer.alloc(1), 70 * KiB);
  const taken = coarse.take();
  expect(coarse.count).toBe(0);
  coarse.merge(taken);
  expect(coarse.count).toBe(64 * KiB);
  fine.merge(coarse);
  expect(fine.count).toBe(64 * KiB);
  expect(((await thrownBy(() => fine.merge(other.track()))) as NodeJS.ErrnoException).code).toBe('ERR_INVALID_ARG_VALUE');
  await refusal(() => fine.merge({} as DirtyBitmap));
});

test('an end, of the bitmap or of the device, leaves the marks', async () => {
  const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
  const bitmap = device.track();
  device.writeSync(Buffer.alloc(1), 0);
  bitmap[Symbol.dispose]();
  bitmap[Symbol.dispose]();
  device.writeSync(Buffer.alloc(1), MiB);
  expect(await runsOf(bitmap)).toEqual([[0, 64 * KiB]]);
  await device.close();
  expect(bitmap.count).toBe(64 * KiB);
  await failure(async () => device.track(), 'EBADF');
});

test.each([0, 511, 1000, 2 ** 31, -512, 1.5, '4096', null])('granularity %p is refused', async (granularity) => {
  const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
  await refusal(() => device.track({ granularity } as never));
});

test('more than a thousand runs are listed in order', async () => {
  const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
  const bitmap = device.track({ granularity: 512 });
  const wanted: [number, number][] = [];
  for (let at = 0; at < SIZE; at += 1024) {
    device.writeSync(Buffer.alloc(1), at);
    wanted.push([at, at + 512]);
  }
  expect(await runsOf(bitmap)).toEqual(wanted);
});
