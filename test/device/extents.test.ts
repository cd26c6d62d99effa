// extents: what a device says it is made of, against models, qemu-img and the file systems that tell it.
import { closeSync, openSync as openFile, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { BlockDevice, Extent, ExtentsOptions } from 'rumpblk';
import { nullMedium } from 'rumpblk/media';
import { numbers } from '../support/batch';
import { failure, refusal, thrownBy } from '../support/failure';
import { loops } from '../support/loop';
import { MOUNTED, mounts } from '../support/mounts';
import { peer, run, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';
import { STRACE, strace } from '../support/strace';

const bench = rig();
const { attach, looped } = loops(bench);
const { mount, needs } = mounts(bench);
const SIZE = 4 * MiB + 512;
const QEMU = peer('qemu-img', 'qemu-utils');

async function listed(device: BlockDevice, options?: ExtentsOptions): Promise<Extent[]> {
  const all: Extent[] = [];
  for await (const extent of device.extents(options)) all.push(extent);
  return all;
}
const kinds = (extents: Iterable<Extent>): [string, number, number][] =>
  Array.from(extents, ({ type, position, length }) => [type, position, position + length]);

/** What every listing of [from, to) has to be. */
function check(extents: readonly Extent[], from: number, to: number): void {
  let at = from;
  let last: Extent | undefined;
  for (const extent of extents) {
    expect(extent.position).toBe(at);
    expect(extent.length).toBeGreaterThan(0);
    expect(last !== undefined && last.type === extent.type && last.depth === extent.depth).toBe(false);
    at += extent.length;
    last = extent;
  }
  expect(at).toBe(Math.max(from, to));
}

describe.each(bench.grounds)('under $name', ({ name, access, disk }) => {
  test('no byte that was written is in a hole, and every hole reads as zeros', async () => {
    const device = bench.device(disk(SIZE), { access, mode: 'r+' });
    const content = pattern(MiB);
    const model = Buffer.alloc(SIZE);
    const next = numbers(3);
    let holes = 0;
    for (let i = 0; i < 60; i += 1) {
      const at = next(SIZE);
      const length = Math.min(next(i % 3 === 0 ? 400_000 : 20_000) + 1, SIZE - at);
      if (i % 3 === 0) {
        device.writeZeroesSync(at, length);
        model.fill(0, at, at + length);
      } else {
        device.writeSync(content.subarray(0, length), at);
        content.copy(model, at, 0, length);
      }
      const from = next(SIZE);
      const to = Math.min(SIZE, from + next(SIZE));
      const options: ExtentsOptions = i % 2 === 0 ? {} : { position: from, length: to - from, layer: 'top' };
      const extents = [...device.extentsSync(options)];
      if (i % 2 === 0) check(extents, 0, SIZE);
      else check(extents, from, to);
      expect(await listed(device, options)).toEqual(extents);
      for (const { type, position, length: bytes } of extents.filter((extent) => extent.type !== 'data')) {
        expect(type).toBe('hole');
        expect(model.subarray(position, position + bytes).equals(Buffer.alloc(bytes))).toBe(true);
        holes += 1;
      }
    }
    expect(holes).toBeGreaterThan(20);
  });

  test('a partition lists its own range, from its own start', () => {
    const image = disk(SIZE);
    const driver = bench.driver();
    const whole = driver.openSync(driver.registerSync(image), { access, mode: 'r+', lock: false });
    whole.writeSync(pattern(MiB), MiB);
    const part = driver.openSync(driver.registerSync(image, { offset: MiB + 64 * KiB, size: 2 * MiB }), { access, lock: false });
    expect(kinds(part.extentsSync())).toEqual([
      ['data', 0, MiB - 64 * KiB],
      ['hole', MiB - 64 * KiB, 2 * MiB],
    ]);
    const { offset } = part.extentsSync({ position: 512 }).next().value as Extent;
    expect(offset).toBe(name === 'memory' ? undefined : MiB + 64 * KiB + 512);
    part.closeSync();
    whole.closeSync();
  });

  test('bounds, options and the end', async () => {
    const device = bench.device(disk(SIZE), { access });
    for (const list of [
      (options?: ExtentsOptions) => listed(device, options),
      (options?: ExtentsOptions) => Promise.resolve([...device.extentsSync(options)]),
    ]) {
      expect(kinds(await list({ position: SIZE }))).toEqual([]);
      expect(kinds(await list({ length: 0 }))).toEqual([]);
      expect(kinds(await list({ position: 10, length: 2 ** 50 }))).toEqual([['hole', 10, SIZE]]);
      expect(kinds(await list({ position: 10n, length: 5n }))).toEqual([['hole', 10, 15]]);
      await failure(() => list({ position: SIZE + 1 }), 'EINVAL');
      expect(await thrownBy(() => list({ position: -1 }))).toBeInstanceOf(RangeError);
      expect(await thrownBy(() => list({ detectZeroes: 511 }))).toBeInstanceOf(RangeError);
      expect(await refusal(() => list({ layer: 'base' as never }))).toBe('ERR_INVALID_ARG_VALUE');
      expect(String(await thrownBy(() => list({ offset: 0 } as never)))).toMatch(/did you mean 'position'/);
    }
    expect(await refusal(() => device.extentsSync({ signal: AbortSignal.abort() } as never))).toBe('ERR_INVALID_ARG_VALUE');
    const raw = bench.device(disk(SIZE), { access, raw: true });
    await failure(() => listed(raw, { position: 1 }), 'EINVAL');
    expect(kinds(raw.extentsSync({ position: 512 }))).toEqual([['hole', 512, SIZE]]);
    const begun = device.extents();
    const begunSync = device.extentsSync();
    device.closeSync();
    await failure(() => begun.next(), 'EBADF');
    await failure(() => Promise.resolve(begunSync.next()), 'EBADF');
    await failure(() => listed(device), 'EBADF');
  });

  test('zeros inside of data are found where that is asked for, in whole steps', async () => {
    const device = bench.device(disk(SIZE), { access, mode: 'r+' });
    device.writeSync(pattern(3 * MiB), 0);
    device.writeSync(Buffer.alloc(100_000), 10_000);
    device.writeSync(Buffer.alloc(MiB + 8192), MiB - 4096);
    const wanted = [
      ['data', 0, 12_288],
      ['zero', 12_288, 106_496],
      ['data', 106_496, MiB - 4096],
      ['zero', MiB - 4096, 2 * MiB + 4096],
      ['data', 2 * MiB + 4096, 3 * MiB],
      ['hole', 3 * MiB, SIZE],
    ];
    expect(kinds(await listed(device, { detectZeroes: 4096 }))).toEqual(wanted);
    expect(kinds(device.extentsSync({ detectZeroes: 4096 }))).toEqual(wanted);
    expect(kinds(device.extentsSync({ detectZeroes: 4096, position: 20_000, length: 100_000 }))).toEqual([
      ['zero', 20_000, 106_496],
      ['data', 106_496, 120_000],
    ]);
    expect(kinds(device.extentsSync({ length: 3 * MiB }))).toEqual([['data', 0, 3 * MiB]]);
    device.driver.faults.set({ rate: 10_000, seed: 1 });
    await failure(() => listed(device, { detectZeroes: 4096 }), 'EIO');
    // Nothing is drawn for what reads nothing.
    expect(kinds(await listed(device, { position: 3 * MiB }))).toEqual([['hole', 3 * MiB, SIZE]]);
  });

  test('calls of next() are answered in their order, and return() ends', async () => {
    const device = bench.device(disk(SIZE), { access, mode: 'r+' });
    for (const at of [0, MiB, 2 * MiB]) device.writeSync(Buffer.alloc(512, 1), at);
    const iterator = device.extents();
    const answers = await Promise.all(Array.from({ length: 9 }, () => iterator.next()));
    const values = answers.filter(({ done }) => done !== true).map(({ value }) => value as Extent);
    expect(values).toEqual([...device.extentsSync()]);
    expect(answers.map(({ done }) => done)).toEqual([...values.map(() => false), ...Array<boolean>(9 - values.length).fill(true)]);
    const other = device.extents();
    await other.next();
    expect(await other.return?.()).toEqual({ value: undefined, done: true });
    expect(await other.next()).toEqual({ value: undefined, done: true });
    expect(device.driver.counters().extentsListed).toBeGreaterThanOrEqual(values.length);
  });
});

test('a signal ends a listing, before and between the calls of native', async () => {
  const device = bench.device(bench.sparse(SIZE));
  const aborted = device.extents({ signal: AbortSignal.abort(new Error('enough')) });
  expect(String(await thrownBy(() => aborted.next()))).toMatch(/enough/);
  const controller = new AbortController();
  const iterator = device.extents({ signal: controller.signal });
  const first = iterator.next();
  controller.abort(new Error('enough'));
  // What native has listed by then is given.
  await first.catch((error: unknown) => expect(String(error)).toMatch(/enough/));
  expect((await iterator.next()).done).toBe(true);
});

testWith(QEMU)('thousands of extents are those that qemu-img tells', async () => {
  const image = bench.sparse(64 * MiB);
  const descriptor = openFile(image, 'r+');
  const next = numbers(5);
  for (let at = 0; at < 64 * MiB; at += 4096 * (1 + next(4))) writeSync(descriptor, pattern(4096, at + 1), 0, 4096, at);
  closeSync(descriptor);
  interface Row {
    start: number;
    length: number;
    data: boolean;
    zero: boolean;
    offset: number;
  }
  const rows = JSON.parse(run('qemu-img', 'map', '--output=json', '-f', 'raw', image)) as Row[];
  const device = bench.device(image);
  const extents = await listed(device);
  expect(extents.length).toBeGreaterThan(3000);
  expect(extents).toEqual([...device.extentsSync()]);
  const theirs = rows.map(({ start, length, data, offset }) => [data ? 'data' : 'hole', start, start + length, offset]);
  expect(extents.map(({ type, position, length, offset }) => [type, position, position + length, offset])).toEqual(theirs);
});

testWith(...STRACE)('a listing reads nothing and syncs nothing, and moves no offset but its own', async () => {
  const script = `
    const device = openSync(args, { mode: 'r+' });
    device.writeSync(Buffer.alloc(4096, 1), 1048576);
    mark('list');
    report([...device.extentsSync()].length);
    mark('end');
    device.closeSync();`;
  const traced = await strace(script, {
    args: bench.sparse(SIZE),
    calls: ['lseek', 'pread64', 'preadv2', 'fdatasync', 'ioctl', 'openat', 'pwrite64'],
  });
  expect([traced.stderr, traced.reports]).toEqual(['', [3]]);
  const calls = traced.after('list');
  const [opened, ...seeks] = calls;
  expect(opened?.name).toBe('openat');
  expect(seeks.every(({ name, args }) => name === 'lseek' && args.startsWith(opened?.result.split('<')[0] ?? '?'))).toBe(true);
  expect(seeks.length).toBeGreaterThan(2);
});

looped('a node does not tell: all of it is data', async () => {
  const device = bench.device(attach(bench.sparse(MiB)));
  expect(await listed(device)).toEqual([{ position: 0, length: MiB, type: 'data', depth: 0, offset: 0 }]);
});

test('a null medium is one hole', () => {
  expect([...bench.device(nullMedium({ size: 2 ** 40 })).extentsSync()]).toEqual([
    { position: 0, length: 2 ** 40, type: 'hole', depth: 0, offset: undefined },
  ]);
});

describe.each(MOUNTED)('on %s', (kind) => {
  testWith(...needs(kind))('room that was only taken is a hole, and what was written there is data, synced or not', () => {
    const image = path.join(mount(kind).folder, 'image');
    writeFileSync(image, '');
    run('fallocate', '-l', String(4 * MiB), image);
    const device = bench.device(image, { mode: 'r+' });
    // Of tmpfs what was taken is there, and told as data: that is allowed.
    expect(kinds(device.extentsSync()).every(([type]) => type === 'hole' || kind === 'tmpfs')).toBe(true);
    device.writeSync(Buffer.alloc(1, 1), 2 * MiB);
    const there = [...device.extentsSync()].find(({ position, length }) => position <= 2 * MiB && position + length > 2 * MiB);
    expect(there?.type).toBe('data');
    const view = device.mapSync(3 * MiB, 4096);
    view.bytes.fill(1);
    expect(kinds(device.extentsSync({ position: 3 * MiB, length: 1 }))).toEqual([['data', 3 * MiB, 3 * MiB + 1]]);
    view.release();
  });
});
