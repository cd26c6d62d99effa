// Leases and windows: which windows are leased, how many can be, and what that leaves for requests.
import { describe, expect, test } from '@jest/globals';
import type { BlockDevice, WindowView } from 'rumpblk';
import { failure } from '../support/failure';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 4 * MiB + 300;
const content = pattern(SIZE);

const open = (access: BlockDevice['access'], mode: 'r' | 'r+' = 'r+', tunables: object = {}): BlockDevice =>
  bench.device(bench.image(content), { access, mode }, { windowSize: MiB, ...tunables });
const same = (view: WindowView, position: number): boolean =>
  Buffer.from(view.bytes).equals(content.subarray(position, position + view.bytes.length));

describe.each(['auto', 'mmap'] as const)('under %s', (access) => {
  test('windows() counts the leases of each window', () => {
    const device = open(access);
    const refs = (): number[] => [...device.windows()].sort((a, b) => a.offset - b.offset).map((window) => window.refs);
    expect(refs()).toEqual([0, 0, 0, 0, 0]);
    const views = [0, MiB, MiB + 5, 4 * MiB].map((position) => device.mapSync(position, 100));
    expect(refs()).toEqual([1, 2, 0, 0, 1]);
    views[1]!.release();
    expect(refs()).toEqual([1, 1, 0, 0, 1]);
    for (const view of views) view.release();
    expect(refs()).toEqual([0, 0, 0, 0, 0]);
  });

  test("those of an 'r' device have mappings of their own and pin nothing", () => {
    const device = open(access, 'r', { windowCount: 1 });
    const views = [0, 1, 2, 3].map((window) => device.mapSync(window * MiB + 10, 100));
    expect(device.windows().map(({ refs }) => refs)).toEqual([0]);
    for (const [i, view] of views.entries()) expect(same(view, i * MiB + 10)).toBe(true);
  });

  test('where windows are replaced the last free one is not leased: EBUSY, until another lease ends', async () => {
    const device = open(access, 'r+', { windowCount: 2 });
    const one = device.mapSync(3 * MiB, 10);
    await failure(() => device.mapSync(0, 10), 'EBUSY');
    await failure(() => device.mapSync(2 * MiB, 10), 'EBUSY');
    const two = device.mapSync(3 * MiB + 10, MiB - 10);
    expect([same(one, 3 * MiB), same(two, 3 * MiB + 10)]).toEqual([true, true]);
    one.release();
    await failure(() => device.mapSync(0, 10), 'EBUSY');
    two.release();
    expect(same(device.mapSync(0, 10), 0)).toBe(true);
    await failure(() => device.mapSync(MiB, 10), 'EBUSY');
    const single = open(access, 'r+', { windowCount: 1 });
    await failure(() => single.mapSync(0, 10), 'EBUSY');
  });

  test('any two windows can be leased while a third stays free', () => {
    const device = open(access, 'r+', { windowCount: 3 });
    for (const [a, b] of [
      [0, 1],
      [0, 3],
      [4, 1],
      [2, 4],
      [1, 4],
    ] as const) {
      const views = [device.mapSync(a * MiB, 300), device.mapSync(b * MiB, 300)];
      expect([same(views[0]!, a * MiB), same(views[1]!, b * MiB)]).toEqual([true, true]);
      for (const view of views) view.release();
    }
  });

  test('requests in flight are no reason to be EBUSY', async () => {
    const device = open(access, 'r+', { windowCount: 2 });
    // Read often enough to be served from its window.
    for (let i = 0; i < 20; i += 1) device.readSync(Buffer.alloc(MiB), 0);
    const reads: Promise<unknown>[] = [];
    for (let round = 0; round < 100; round += 1) {
      for (let i = 0; i < 4; i += 1) reads.push(device.read(Buffer.alloc(MiB), 0));
      for (const window of [2, 0, 2, 0]) device.mapSync(window * MiB, 100).release();
      await reads.at(-4);
    }
    await Promise.all(reads);
  });

  test('where all windows have room every one can be leased', () => {
    const device = open(access, 'r+', { windowCount: 5 });
    const views = [0, 1, 2, 3].map((window) => device.mapSync(window * MiB, MiB));
    views.push(device.mapSync(4 * MiB, 300));
    expect(views.every((view, i) => same(view, i * MiB))).toBe(true);
    const got = Buffer.alloc(SIZE);
    expect(device.readSync(got, 0)).toBe(SIZE);
    expect(got.equals(content)).toBe(true);
  });
});
