// The window cache of access 'mmap': the seed's strict LRU, seen through windows() and counters().
import { closeSync, openSync as openFile, writeSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type BlockDevice, BlockDriver } from 'rumpblk';
import { failure, refusal } from '../support/failure';
import { ability, testWith } from '../support/peers';
import { ACCESSES, GiB, KiB, MiB, TiB, pattern, rig } from '../support/rig';
import { STRACE, strace } from '../support/strace';

const bench = rig();
const range = (from: number, to: number): number[] => Array.from({ length: from - to + 1 }, (_, i) => from - i);
const indices = (device: BlockDevice, size = MiB): number[] => device.windows().map(({ offset }) => offset / size);

const pieces = (length: number, position: number): number => Math.floor((position + length - 1) / MiB) - Math.floor(position / MiB) + 1;

/** By how many pieces a read is more when it goes in parts of 256 KiB. */
function moreHits(length: number, position: number): number {
  let count = 0;
  for (let done = 0; done < length; done += 256 * KiB) count += pieces(Math.min(length - done, 256 * KiB), position + done);
  return count - pieces(length, position);
}

describe('the golden trace of 20 MiB', () => {
  // Worked out by hand from the seed's getwindow(): each piece of a request takes its window to the head, and a miss
  // takes the window at the tail. Hits and misses are those so far.
  const steps: [length: number, position: number, order: number[], hits: number, misses: number][] = [
    [512, 0, [0, ...range(15, 1)], 1, 0],
    [512, 16 * MiB, [16, 0, ...range(15, 2)], 1, 1],
    [MiB, 1.5 * MiB, [2, 1, 16, 0, ...range(15, 4)], 1, 3],
    [64 * KiB, MiB - 32 * KiB, [1, 0, 2, 16, ...range(15, 4)], 3, 3],
    [512, 0, [0, 1, 2, 16, ...range(15, 4)], 4, 3],
    [512, 19 * MiB + 512, [19, 0, 1, 2, 16, ...range(15, 5)], 4, 4],
    [8192, 4 * MiB, [4, 19, 0, 1, 2, 16, ...range(15, 6)], 4, 5],
  ];
  const content = pattern(20 * MiB);

  test.each(['sync', 'promise'] as const)('reads, %s', async (form) => {
    // By promise a long read goes in parts, in order with one worker, and each is a piece that is served from a window.
    const device = bench.device(bench.image(content), { access: 'mmap' }, { workers: 1 });
    const { driver } = device;
    let parts = 0;
    expect(device.windows()).toEqual(range(15, 0).map((index) => ({ offset: index * MiB, length: MiB, refs: 0 })));
    expect(driver.counters()).toMatchObject({ windowHits: 0, windowMisses: 0 });
    for (const [length, position, order, windowHits, windowMisses] of steps) {
      const got = Buffer.alloc(length);
      if (form === 'sync') device.readSync(got, position);
      else await device.read(got, position);
      expect(got.equals(content.subarray(position, position + length))).toBe(true);
      expect(indices(device)).toEqual(order);
      parts += form === 'sync' ? 0 : moreHits(length, position);
      expect(driver.counters()).toMatchObject({ windowHits: windowHits + parts, windowMisses, windowBusy: 0 });
    }
    // With the 16 of the open.
    expect(16 + driver.counters().windowMisses).toBe(21);
    expect(device.windows().every(({ refs }) => refs === 0)).toBe(true);
  });

  test('writes move the windows alike', () => {
    const device = bench.device(bench.image(content), { access: 'mmap', mode: 'r+' });
    for (const [length, position, order] of steps) {
      device.writeSync(content.subarray(0, length), position);
      expect(indices(device)).toEqual(order);
    }
    expect(device.driver.counters()).toMatchObject({ windowHits: 4, windowMisses: 5 });
  });
});

describe('opening', () => {
  test('maps the first windows, the last of them cut at the end of the file', () => {
    const device = bench.device(bench.sparse(2.5 * MiB + 100), { access: 'mmap' });
    expect(device.windows()).toEqual([
      { offset: 2 * MiB, length: 0.5 * MiB + 100, refs: 0 },
      { offset: MiB, length: MiB, refs: 0 },
      { offset: 0, length: MiB, refs: 0 },
    ]);
  });

  test('takes windowSize and windowCount', () => {
    const device = bench.device(bench.sparse(MiB), { access: 'mmap' }, { windowSize: 8 * KiB, windowCount: 4 });
    expect(indices(device, 8 * KiB)).toEqual([3, 2, 1, 0]);
    device.readSync(Buffer.alloc(8 * KiB), 4 * KiB);
    expect(indices(device, 8 * KiB)).toEqual([1, 0, 3, 2]);
  });

  test('one window: every step elsewhere is a miss', () => {
    const content = pattern(4 * MiB);
    const device = bench.device(bench.image(content), { access: 'mmap' }, { windowCount: 1 });
    expect(indices(device)).toEqual([0]);
    const got = Buffer.alloc(3 * MiB);
    expect(device.readSync(got, MiB / 2)).toBe(3 * MiB);
    expect(got.equals(content.subarray(MiB / 2, 3.5 * MiB))).toBe(true);
    expect(indices(device)).toEqual([3]);
    expect(device.driver.counters()).toMatchObject({ windowHits: 1, windowMisses: 3 });
  });

  test('each open has windows of its own', () => {
    const driver = bench.driver({ windowCount: 2 });
    driver.registerSync(bench.sparse(8 * MiB));
    const [one, two] = [bench.keep(driver.openSync(0, { access: 'mmap' })), bench.keep(driver.openSync(0, { access: 'mmap' }))];
    one.readSync(Buffer.alloc(1), 7 * MiB);
    expect([indices(one), indices(two)]).toEqual([
      [7, 1],
      [1, 0],
    ]);
  });

  test('there are none under pio', () => {
    expect(bench.device(bench.sparse(MiB), { access: 'pio' }).windows()).toEqual([]);
  });
});

describe.each([
  // Ranges that begin and end inside windows: the seed mixes up the two ends there.
  ['B6', 3 * MiB + 512 * 5, 2 * MiB + 1000],
  ['B6', 512, 300],
  ['B7', 7 * MiB + 1, MiB - 1],
  ['B2', 8 * MiB - 100, 100],
] as const)('%s: a range at %d of %d bytes', (_id, offset, size) => {
  const content = pattern(8 * MiB);

  test.each(ACCESSES)('is read and written to its last byte and no further under %s', async (access) => {
    const file = bench.image(content);
    const device = bench.device(file, { access, mode: 'r+', offset, size });
    const got = Buffer.alloc(size + 4096);
    expect(device.readSync(got, 0)).toBe(size);
    expect(got.subarray(0, size).equals(content.subarray(offset, offset + size))).toBe(true);
    const data = pattern(size + 4096, 2);
    expect(await device.write(data, 0)).toMatchObject({ bytesWritten: size });
    await device.flush();
    // Past the lock of the range, to see that nothing around it has changed.
    const whole = bench.device(file, { lock: false });
    const after = Buffer.alloc(8 * MiB);
    whole.readSync(after, 0);
    expect(after.subarray(0, offset).equals(content.subarray(0, offset))).toBe(true);
    expect(after.subarray(offset, offset + size).equals(data.subarray(0, size))).toBe(true);
    expect(after.subarray(offset + size).equals(content.subarray(offset + size))).toBe(true);
  });

  test('has windows aligned in the host file, at least one, none past the end of the range', () => {
    const device = bench.device(bench.image(content), { access: 'mmap', offset, size });
    const windows = device.windows().reverse();
    expect(windows[0]?.offset).toBe(Math.floor(offset / MiB) * MiB);
    for (const window of windows) {
      expect(window.offset % MiB).toBe(0);
      expect(window.offset + window.length).toBe(Math.min(window.offset + MiB, offset + size));
    }
    expect(windows).toHaveLength(Math.ceil((offset + size) / MiB) - Math.floor(offset / MiB));
  });
});

describe('64 bits', () => {
  const large = ability('file system with files of 8 TiB', () => bench.sparse(8 * TiB) !== '');

  testWith(large)('B3: bytes at and above 4 GiB are their own, in every access mode', async () => {
    const file = bench.sparse(8 * TiB);
    const descriptor = openFile(file, 'r+');
    const [low, high] = [pattern(2 * MiB, 1), pattern(2 * MiB, 2)];
    writeSync(descriptor, low, 0, low.length, 0);
    writeSync(descriptor, high, 0, high.length, 4 * GiB);
    closeSync(descriptor);
    for (const access of ACCESSES) {
      const device = bench.device(file, { access, mode: 'r+' });
      const got = Buffer.alloc(512, 1);
      expect(device.readSync(got, 4 * GiB + 123)).toBe(512);
      expect(got.equals(high.subarray(123, 635))).toBe(true);
      // Sector 2^23 is byte 4 GiB.
      expect(await device.strategy({ op: 'read', blkno: 8388608n, data: got })).toEqual({ bcount: 512, resid: 0 });
      expect(got.equals(high.subarray(0, 512))).toBe(true);
      const data = pattern(128, 12);
      device.writeSync(data, 6 * TiB + 77);
      expect(device.readSync(got, BigInt(6 * TiB))).toBe(512);
      expect(got.subarray(77, 205).equals(data)).toBe(true);
      expect(device.readSync(got, 8 * TiB - 10)).toBe(10);
      await failure(() => device.readSync(got, 8 * TiB + 1), 'EINVAL');
      if (access === 'mmap') expect(device.windows()[0]?.offset).toBe(8 * TiB - MiB);
      await device.close();
    }
  });

  testWith(large)('B31: windows whose sizes add up to more than 4 GiB are all different', () => {
    const device = bench.device(bench.sparse(8 * TiB), { access: 'mmap' }, { windowSize: GiB });
    expect(indices(device, GiB)).toEqual(range(15, 0));
  });
});

describe('sizes that cannot be', () => {
  test.each(['0', '1', '512', '2048', '3000', '-4096', 'x', '4096x', '1e6'])('B30: RUMP_BLKWINSIZE %j is refused', async (value) => {
    expect(await refusal(() => BlockDriver.fromEnv({ RUMP_BLKWINSIZE: value }))).toBe('ERR_INVALID_ARG_VALUE');
  });

  test.each([0, 512, 2048, 3000, 5000, -4096, 2 ** 53])('B30: windowSize %d is refused', async (windowSize) => {
    await refusal(() => new BlockDriver({ windowSize }));
  });

  test.each(['0', '-1', 'x', '2.5'])('RUMP_BLKWINCOUNT %j is refused', async (value) => {
    expect(await refusal(() => BlockDriver.fromEnv({ RUMP_BLKWINCOUNT: value }))).toBe('ERR_INVALID_ARG_VALUE');
  });

  test('good ones are taken from the environment', () => {
    const driver = BlockDriver.fromEnv({ RUMP_BLKWINSIZE: '65536', RUMP_BLKWINCOUNT: '3' });
    driver.registerSync(bench.sparse(MiB));
    const device = driver.openSync(0, { access: 'mmap' });
    expect(indices(device, 65536)).toEqual([2, 1, 0]);
    device.closeSync();
    driver.close();
  });
});

describe('when the host refuses to map', () => {
  const script = `
    const device = openSync(args.file, { access: 'mmap', mode: 'r+', lock: false });
    const got = Buffer.alloc(64);
    const firsts = [];
    for (let i = 0; i < 20; i += 1) {
      firsts.push(device.readSync(got, i * 1048576) === 64 ? got[0] : -1);
      if (device.writeSync(Buffer.alloc(64, i), i * 1048576 + 512) !== 64) throw new Error('short');
    }
    await device.close();
    const counters = device.driver.counters();
    report({ firsts, total: counters.ioTotal });`;
  // Injected by strace into every mmap of the image: the host's own limit is hard to reach, and not for one file alone.
  const cases: [string, string][] = [
    ['all of it', 'mmap:error=ENOMEM'],
    ['from the 17th window on', 'mmap:error=ENOMEM:when=17+'],
  ];

  for (const [when, expression] of cases) {
    testWith(...STRACE)(`B33: ${when}, the requests go by pread and pwrite`, async () => {
      const content = pattern(20 * MiB);
      const file = bench.image(content);
      const traced = await strace(script, { args: { file }, calls: ['mmap'], inject: [expression], only: file });
      expect(traced.stderr).toBe('');
      expect(traced.calls.filter(({ injected }) => injected).length).toBeGreaterThan(0);
      expect(traced.reports).toEqual([{ firsts: Array.from({ length: 20 }, (_, i) => content[i * MiB]), total: 40 }]);
      const device = bench.device(file);
      const got = Buffer.alloc(64);
      for (let i = 0; i < 20; i += 1) {
        device.readSync(got, i * MiB + 512);
        expect(got.every((byte) => byte === i)).toBe(true);
      }
    });
  }
});
