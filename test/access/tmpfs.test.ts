// Holes of files on tmpfs stay holes, whichever way they are read: through a map each of their pages would take memory.
import { closeSync, ftruncateSync, mkdtempSync, openSync as openFile, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect } from '@jest/globals';
import { BATCH_READ } from 'rumpblk';
import { numbers } from '../support/batch';
import { ability, type Declare, testWith } from '../support/peers';
import { ACCESSES, KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const TMPFS_MAGIC = 0x01021994;
const SHM = '/dev/shm';
const onTmpfs: Declare = testWith(ability(`tmpfs at ${SHM}`, () => statfsSync(SHM).type === TMPFS_MAGIC));
const SIZE = 256 * MiB;
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A file of holes, but for some data in the middle. */
function image(data: Buffer, at: number): string {
  const folder = mkdtempSync(path.join(SHM, 'rumpblk-test-'));
  folders.push(folder);
  const file = path.join(folder, 'image');
  const descriptor = openFile(file, 'w');
  ftruncateSync(descriptor, SIZE);
  writeSync(descriptor, data, 0, data.length, at);
  closeSync(descriptor);
  return file;
}
const roomOf = (file: string): number => statSync(file).blocks * 512;

for (const access of ACCESSES) {
  onTmpfs(`reads fill no holes (${access})`, async () => {
    const data = pattern(MiB);
    const at = 128 * MiB;
    const file = image(data, at);
    const device = bench.device(file, { access, mode: 'r+' });
    expect(device.access).toBe(access);
    const block = Buffer.alloc(64 * KiB);
    for (let pass = 0; pass < 3; pass += 1)
      for (let position = 0; position < SIZE; position += block.length) device.readSync(block, position);
    const next = numbers(1);
    const page = Buffer.alloc(4 * KiB);
    for (let i = 0; i < 30_000; i += 1) {
      const position = next(SIZE / page.length) * page.length;
      device.readSync(page, position);
      const wanted =
        position >= at && position < at + MiB ? data.subarray(position - at, position - at + page.length) : Buffer.alloc(page.length);
      if (!page.equals(wanted)) throw new Error(`byte ${position} is wrong`);
    }
    await Promise.all(Array.from({ length: 200 }, () => device.read(Buffer.alloc(64 * KiB), next(4000) * 64 * KiB)));
    const batch = device.createBatch({ depth: 64, arena: 64 * 4096 });
    for (let i = 0; i < 64; i += 1) {
      batch.op[i] = BATCH_READ;
      batch.blkno[i] = i * 1024;
      batch.bcount[i] = 4096;
      batch.offset[i] = i * 4096;
    }
    for (let i = 0; i < 20; i += 1) expect(batch.runSync(64)).toBe(64);
    expect(roomOf(file)).toBe(MiB);
  });

  onTmpfs(`nor those that were made meanwhile, by us (${access})`, () => {
    const file = image(pattern(MiB), 0);
    const device = bench.device(file, { access, mode: 'r+' });
    const page = Buffer.alloc(4 * KiB);
    const readAll = (): void => {
      for (let position = 0; position < MiB; position += page.length) device.readSync(page, position);
    };
    for (let pass = 0; pass < 50; pass += 1) readAll();
    device.writeZeroesSync(0, MiB / 2);
    for (let pass = 0; pass < 50; pass += 1) readAll();
    expect(roomOf(file)).toBe(MiB / 2);
    device.discardSync(0, SIZE);
    for (let pass = 0; pass < 50; pass += 1) readAll();
    expect(roomOf(file)).toBe(0);
  });
}
