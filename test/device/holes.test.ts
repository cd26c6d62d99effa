// What a discard and zeros do to host files and nodes: room that comes back, views, file systems, power cuts, refusals.
import { appendFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type BlockDevice, openSync } from 'rumpblk';
import { memory } from 'rumpblk/media';
import { numbers } from '../support/batch';
import { failure } from '../support/failure';
import { loops } from '../support/loop';
import { type Mounted, MOUNTED, mounts } from '../support/mounts';
import { peer, testWith } from '../support/peers';
import { ACCESSES, KiB, MiB, pattern, rig } from '../support/rig';
import { STRACE, strace } from '../support/strace';

const bench = rig();
const { attach, looped } = loops(bench);
const { mount, needs } = mounts(bench);
const SIZE = 4 * MiB;
const content = pattern(SIZE);
const codeOf = (call: () => unknown): string => {
  try {
    call();
    return '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
};
const roomOf = (file: string): number => statSync(file).blocks * 512;

describe.each(ACCESSES)('by %s', (access) => {
  test('zeros and discards give room back, unless it has to stay', async () => {
    const image = bench.image(content);
    const device = bench.device(image, { access, mode: 'r+' });
    const model = Buffer.from(content);
    const zeroed = async (at: number, length: number, made: Promise<unknown>): Promise<number> => {
      await made;
      model.fill(0, at, at + length);
      await device.flush();
      expect(readFileSync(image).equals(model)).toBe(true);
      return roomOf(image);
    };
    const full = await zeroed(0, 0, Promise.resolve());
    const kept = await zeroed(0, MiB, device.writeZeroes(0, MiB, { mayUnmap: false }));
    expect(kept).toBeGreaterThan(full - MiB / 2);
    const freed = await zeroed(MiB + 1, MiB, device.writeZeroes(MiB + 1, MiB));
    expect(freed).toBeLessThan(kept - MiB / 2);
    const told = device.discardSync(2 * MiB, MiB);
    expect(told).toBe(MiB);
    expect(await zeroed(2 * MiB, MiB, Promise.resolve())).toBeLessThan(freed - MiB / 2);
    expect(statSync(image).size).toBe(SIZE);
  });
});

test.each(['auto', 'mmap'] as const)('a view shows zeros at once, and takes stores again (%s)', async (access) => {
  const image = bench.image(content);
  const device = bench.device(image, { access, mode: 'r+' });
  const view = device.mapSync(0, MiB);
  const bytes = Buffer.from(view.bytes.buffer, view.bytes.byteOffset, view.bytes.byteLength);
  const wanted = Buffer.from(content);
  expect(bytes.equals(wanted.subarray(0, MiB))).toBe(true);
  device.writeZeroesSync(64 * KiB, 128 * KiB);
  device.discardSync(512 * KiB, 256 * KiB);
  wanted.fill(0, 64 * KiB, 192 * KiB).fill(0, 512 * KiB, 768 * KiB);
  expect(bytes.equals(wanted.subarray(0, MiB))).toBe(true);
  bytes.fill(7, 100 * KiB, 101 * KiB);
  wanted.fill(7, 100 * KiB, 101 * KiB);
  await device.flush();
  expect(readFileSync(image).equals(wanted)).toBe(true);
  view.release();
});

test('an image that was cut is not made longer by zeros, and they fail', async () => {
  const image = bench.image(content);
  const device = bench.device(image, { mode: 'r+' });
  truncateSync(image, MiB);
  await failure(() => device.writeZeroes(MiB - 4096, 2 * MiB), 'EIO');
  device.discardSync(0, SIZE);
  expect(statSync(image).size).toBe(MiB);
  appendFileSync(image, Buffer.alloc(SIZE - MiB));
});

test('zeros that are to be fast, and are not, change nothing', async () => {
  const disk = memory({ size: SIZE });
  const device = bench.device(disk, { mode: 'r+' });
  device.writeSync(content, 0);
  await failure(() => device.writeZeroes(0, MiB, { fast: true, mayUnmap: false }), 'ENOTSUP');
  expect(bench.bytes(device).equals(content)).toBe(true);
});

testWith(...STRACE)('what the file system refuses is asked once, and written; fast ones are refused', async () => {
  const script = `
    const device = openSync(args, { mode: 'r+' });
    const attempted = (call) => { try { return call(); } catch (error) { return error.code; } };
    mark('first');
    report(device.writeZeroesSync(0, 4096));
    mark('second');
    report(device.writeZeroesSync(4096, 4096));
    mark('others');
    report([device.discardSync(0, 4096), attempted(() => device.writeZeroesSync(8192, 4096, { fast: true }))]);
    mark('end');
    device.closeSync();`;
  const image = bench.image(content);
  const calls = ['pwrite64', 'fallocate'];
  const traced = await strace(script, { args: image, calls, inject: ['fallocate:error=EOPNOTSUPP'] });
  expect(traced.stderr).toBe('');
  expect(traced.reports).toEqual([4096, 4096, [0, 'ENOTSUP']]);
  const names = (mark: string): string[] => traced.after(mark).map(({ name }) => name);
  expect([names('first'), names('second'), names('others')]).toEqual([['fallocate', 'fallocate', 'pwrite64'], ['pwrite64'], []]);
  expect(readFileSync(image).equals(Buffer.from(content).fill(0, 0, 8192))).toBe(true);
});

looped('a node is discarded and zeroed, ends that are no sector are written', async () => {
  const image = bench.image(content);
  const device = bench.device(attach(image), { mode: 'r+' });
  // In the node's page cache, and nowhere else yet.
  device.writeSync(content, 0);
  const model = Buffer.from(content);
  const full = roomOf(image);
  await device.writeZeroes(1001, MiB);
  model.fill(0, 1001, 1001 + MiB);
  expect(await device.discard(2 * MiB, MiB)).toEqual({ bytesDiscarded: MiB });
  const back = Buffer.alloc(SIZE);
  device.readSync(back, 0);
  model.fill(0, 2 * MiB, 3 * MiB);
  expect(back.equals(model)).toBe(true);
  await device.writeZeroes(512, 128 * KiB, { mayUnmap: false, fua: true });
  model.fill(0, 512, 512 + 128 * KiB);
  await device.flush();
  expect(readFileSync(image).equals(model)).toBe(true);
  expect(roomOf(image)).toBeLessThan(full - MiB);
});

describe.each(MOUNTED)('on %s', (kind) => {
  testWith(...needs(kind))('random zeros, discards and writes are what a model says', () => {
    const image = path.join(mount(kind).folder, 'image');
    writeFileSync(image, content);
    const device = bench.device(image, { mode: 'r+' });
    const model = Buffer.from(content);
    const next = numbers(11);
    for (let i = 0; i < 120; i += 1) {
      const at = next(SIZE);
      const length = Math.min(next(i % 3 === 0 ? 500_000 : 9000), SIZE - at);
      if (i % 4 === 3) {
        device.writeSync(content.subarray(0, length), at);
        content.copy(model, at, 0, length);
      } else if (i % 4 === 2) {
        const told = device.discardSync(at, length);
        const back = Buffer.alloc(length);
        device.readSync(back, at);
        const granule = statSync(image).blksize;
        const from = Math.min(Math.ceil(at / granule) * granule, at + length) - at;
        const to = Math.max(Math.floor((at + length) / granule) * granule - at, from);
        expect(back.subarray(0, from).equals(model.subarray(at, at + from))).toBe(true);
        expect(back.subarray(to).equals(model.subarray(at + to, at + length))).toBe(true);
        expect(back.subarray(from, to).equals(Buffer.alloc(to - from))).toBe(true);
        expect(told).toBe(length);
        back.copy(model, at);
      } else {
        device.writeZeroesSync(at, length, { mayUnmap: i % 4 === 0 });
        model.fill(0, at, at + length);
      }
    }
    device.closeSync();
    expect(readFileSync(image).equals(model)).toBe(true);
  });
});

const cut: Mounted[] = ['ext4', 'xfs'];
describe.each(cut)('after a power cut of %s', (kind) => {
  const durable: [string, (device: BlockDevice) => Promise<unknown>][] = [
    ['zeros and a flush', (device) => device.writeZeroes(0, MiB).then(() => device.flush())],
    ['zeros with fua', (device) => device.writeZeroes(0, MiB, { fua: true })],
    ['zeros that keep their room, and a flush', (device) => device.writeZeroes(0, MiB, { mayUnmap: false }).then(() => device.flush())],
    ['a discard and a flush', (device) => device.discard(0, MiB).then(() => device.flush())],
    ['a discard and a close', (device) => device.discard(0, MiB).then(() => device.close())],
  ];
  testWith(...needs(kind), peer('xfs_io', 'xfsprogs'))('what was durable holds', async () => {
    const disk = mount(kind);
    const image = path.join(disk.folder, 'image');
    for (const [what, call] of durable) {
      writeFileSync(image, content, { flush: true });
      // A minor of its own: nothing holds the image once it is closed.
      const device = openSync(image, { mode: 'r+' });
      await call(device);
      disk.cutPower(() => {
        // Nothing is left to sync; xfs tells nothing of a file any more, and that is what it may say.
        expect(['', 'EIO']).toContain(codeOf(() => device.closeSync()));
      });
      expect([what, readFileSync(image).equals(Buffer.from(content).fill(0, 0, MiB))]).toEqual([what, true]);
    }
  });
});
