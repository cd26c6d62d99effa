// rumpblk/overlay: what openOverlay() takes and gives, and its freeze points.
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { BlockDriver, type Extent } from 'rumpblk';
import { memory } from 'rumpblk/media';
import { openOverlay, OverlayDevice, Snapshot, type OverlayOptions } from 'rumpblk/overlay';
import { failure, refusal, thrownBy } from '../support/failure';
import { all, CHANGES, changesIn, overlays, withText } from '../support/overlays';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const content = pattern(MiB + 512);
const word = Buffer.from('overlay');

const over = overlays(bench);
const withWord = (at: number, bytes = content): Buffer => withText(bytes, word, at);

async function listed(changes: AsyncIterable<Extent>): Promise<Extent[]> {
  const list: Extent[] = [];
  for await (const change of changes) list.push(change);
  return list;
}

describe.each(CHANGES)('changes in %s', (kind) => {
  const inKind = (): string => changesIn(bench, kind);
  // An image has room for the cluster that they lie in.
  const zeros = kind === 'qcow2' ? 'zero' : 'hole';

  test('read as the base, are kept apart from it, and are gone with a reset', async () => {
    const image = bench.image(content);
    const overlay = await over(image, { changes: inKind() });
    expect(all(overlay).equals(content)).toBe(true);
    await overlay.write(word, 5000);
    expect(overlay.writeSync(word, MiB)).toBe(word.length);
    await overlay.writeZeroes(100, 20_000);
    const changed = withWord(MiB, withWord(5000)).fill(0, 100, 20_100);
    expect(all(overlay).equals(changed)).toBe(true);
    await overlay.flush();
    expect(readFileSync(image).equals(content)).toBe(true);
    await overlay.reset();
    expect(all(overlay).equals(content)).toBe(true);
  });

  test('are marked when all of them go at once', async () => {
    const overlay = await over(bench.image(pattern(MiB)), { changes: inKind() });
    const marks = overlay.track();
    const other = bench.image(pattern(MiB, 3));
    const changes = [() => overlay.reset(), () => overlay.rebase(other, 'unsafe')];
    if (kind !== 'qcow2') {
      const snapshot = await overlay.snapshot();
      changes.unshift(() => overlay.revert(snapshot));
    }
    for (const change of changes) {
      marks.clear();
      await change();
      expect(marks.count).toBe(overlay.size);
    }
    marks[Symbol.dispose]();
  });

  test('are written into the base by a commit', async () => {
    const image = bench.image(content);
    const overlay = await over(image, { changes: inKind() });
    await overlay.write(word, 5000);
    await overlay.writeZeroes(64 * KiB, 8192);
    expect(await overlay.commit()).toEqual({ bytes: 4096 + 8192 });
    const wanted = withWord(5000).fill(0, 64 * KiB, 64 * KiB + 8192);
    expect(readFileSync(image).equals(wanted)).toBe(true);
    expect(await overlay.commit()).toEqual({ bytes: 0 });
    await overlay.reset();
    expect(all(overlay).equals(wanted)).toBe(true);
  });

  test('are listed by blocks, exactly only where bytes differ', async () => {
    const overlay = await over(bench.image(content), { changes: inKind() });
    await overlay.write(content.subarray(8192, 12_288), 8192);
    await overlay.write(word, 20_000);
    await overlay.writeZeroes(64 * KiB, 8192);
    const own = (position: number, length: number, type: Extent['type']): Extent => ({
      position,
      length,
      type,
      depth: 0,
      offset: undefined,
    });
    const differ = [own(16_384, 4096, 'data'), own(65_536, 8192, 'hole')];
    expect(await listed(overlay.diff())).toEqual([own(8192, 4096, 'data'), ...differ]);
    expect(await listed(overlay.diff({ exact: true }))).toEqual(differ);
    const rest = (position: number, end: number): Extent => own(position, end - position, 'unallocated');
    // Where they lie is said of an image.
    const placed = await listed(overlay.extents({ layer: 'top' }));
    expect(placed.map((extent) => ({ ...extent, offset: undefined }))).toEqual([
      rest(0, 8192),
      own(8192, 4096, 'data'),
      rest(12_288, 16_384),
      differ[0],
      rest(20_480, 65_536),
      { ...own(65_536, 8192, zeros) },
      rest(73_728, content.length),
    ]);
    const depths = (await listed(overlay.extents())).map(({ type, depth }) => [type, depth]);
    expect(depths).toEqual([
      ['data', 1],
      ['data', 0],
      ['data', 1],
      ['data', 0],
      ['data', 1],
      [zeros, 0],
      ['data', 1],
    ]);
  });

  test('may be more than the base, and behind its end there is no commit', async () => {
    const image = bench.image(content);
    const overlay = await over(image, { changes: inKind(), size: 2 * MiB, blockSize: 512 });
    expect(all(overlay).equals(Buffer.concat([content, Buffer.alloc(2 * MiB - content.length)]))).toBe(true);
    await overlay.write(word, 2 * MiB - 100);
    expect((await failure(() => overlay.commit(), 'ENOSPC')).message).toMatch(/behind the end of the base/);
    expect(readFileSync(image).equals(content)).toBe(true);
    await failure(() => openOverlay(image, { changes: inKind(), size: 512 }), 'EINVAL');
  });

  test('get another base: read as before when that is safe', async () => {
    const other = bench.image(pattern(content.length, 9));
    const overlay = await over(bench.image(content), { changes: inKind() });
    await overlay.write(word, 0);
    await overlay.rebase(other);
    expect(all(overlay).equals(withWord(0))).toBe(true);
    await overlay.reset();
    expect(all(overlay).equals(readFileSync(other))).toBe(true);
    await overlay.write(word, 0);
    await overlay.rebase(bench.image(content), 'unsafe');
    const mixed = Buffer.concat([readFileSync(other).subarray(0, 4096), content.subarray(4096)]);
    expect(all(overlay).equals(withWord(0, mixed))).toBe(true);
    await failure(() => overlay.rebase(bench.path('nowhere')), 'ENOENT');
    expect(all(overlay).equals(withWord(0, mixed))).toBe(true);
  });

  test('meet faults, and are counted, at the overlay', async () => {
    const driver = bench.driver();
    const overlay = await over(bench.image(content), { changes: inKind(), driver });
    expect(overlay.driver).toBe(driver);
    driver.resetCounters();
    await overlay.write(word, 0);
    await overlay.read(Buffer.alloc(100), 0);
    expect(driver.counters()).toMatchObject({ ioTotal: 2, bytesRead: 100, bytesWritten: word.length });
    driver.faults.set({ rate: 10_000, seed: 1 });
    await failure(() => overlay.read(Buffer.alloc(100), 0), 'EIO');
    driver.faults.clear();
  });

  test('are as they were after a commit that is called off', async () => {
    const image = bench.image(content);
    const overlay = await over(image, { changes: inKind() });
    await overlay.write(word, 0);
    const aborted = AbortSignal.abort(new Error('no more'));
    expect(await thrownBy(() => overlay.commit({ signal: aborted }))).toBe(aborted.reason);
    const controller = new AbortController();
    const commit = overlay.commit({ signal: controller.signal });
    controller.abort(new Error('too late, perhaps'));
    await commit.catch((error: unknown) => expect(error).toBe(controller.signal.reason));
    expect(all(overlay).equals(withWord(0))).toBe(true);
    await overlay.commit();
    expect(readFileSync(image).equals(withWord(0))).toBe(true);
  });

  test('of a base that is a device: what is read of it counts there', async () => {
    const own = bench.driver();
    const base = bench.keep(own.openSync(own.registerSync(bench.image(content))));
    const overlay = await over(base, { changes: inKind(), driver: bench.driver() });
    expect(overlay.base).toBe(base);
    own.resetCounters();
    await overlay.read(Buffer.alloc(8192), 4096);
    expect(own.counters()).toMatchObject({ ioTotal: 1, bytesRead: 8192 });
    await overlay.write(content.subarray(0, 4096), 4096);
    await overlay.read(Buffer.alloc(4096), 4096);
    expect(own.counters()).toMatchObject({ ioTotal: 1, bytesRead: 8192 });
  });
});

describe.each(['memory', 'temporary'] as const)('changes in %s', (changes) => {
  test('go back to any snapshot', async () => {
    const overlay = await over(bench.image(content), { changes });
    const fresh = await overlay.snapshot();
    await overlay.write(word, 0);
    const one = await overlay.snapshot('one');
    await overlay.write(word, 8192);
    const two = await overlay.snapshot('two');
    expect(one).toBeInstanceOf(Snapshot);
    expect([fresh.name, one.name, two.name]).toEqual(['snapshot', 'one', 'two']);
    expect(one.created).toBeInstanceOf(Date);
    for (const [snapshot, bytes] of [
      [one, withWord(0)],
      [two, withWord(8192, withWord(0))],
      [fresh, content],
      [two, withWord(8192, withWord(0))],
    ] as const) {
      await overlay.writeZeroes(0, 100_000);
      await overlay.revert(snapshot);
      expect(all(overlay).equals(bytes)).toBe(true);
    }
  });

  test('are written by a commit, which ends snapshots', async () => {
    const overlay = await over(bench.image(content), { changes });
    await overlay.write(word, 5000);
    const snapshot = await overlay.snapshot();
    await overlay.commit();
    await failure(() => overlay.revert(snapshot), 'ESTALE');
  });
});

test('more changes than cross at once are all listed', async () => {
  const overlay = await over(memory({ size: 32 * MiB }), { changes: 'memory' });
  for (let block = 0; block < 3000; block += 1) overlay.writeSync(word, block * 8192);
  for (const exact of [false, true]) {
    const list = await listed(overlay.diff({ exact }));
    expect(list.map(({ position }) => position)).toEqual(Array.from({ length: 3000 }, (_, block) => block * 8192));
  }
});

test('an overlay is a device of its own class, that says what it is', async () => {
  const image = bench.image(content);
  const overlay = await over(image, { changes: 'memory' });
  expect(overlay).toBeInstanceOf(OverlayDevice);
  expect(overlay).toMatchObject({ path: `overlay:${image}`, minor: -1, mode: 'r+', size: content.length, durable: false });
  expect(overlay.base).toBeUndefined();
  expect({ ...overlay.medium }).toEqual({ kind: 'overlay', name: `overlay:${image}`, size: content.length });
  expect(inspect(overlay)).toContain('OverlayDevice {');
  const driver = bench.driver();
  driver.registerSync(overlay.medium);
  expect(driver.minors()).toMatchObject([{ source: 'overlay', type: 'block', path: `overlay:${image}` }]);
});

test('after its close nothing of it can be had, and the base is free', async () => {
  const image = bench.image(content);
  const overlay = await openOverlay(image);
  const snapshot = await overlay.snapshot();
  await overlay.close();
  for (const call of [
    () => overlay.reset(),
    () => overlay.snapshot(),
    () => overlay.revert(snapshot),
    () => overlay.commit(),
    () => overlay.rebase(image),
    () => listed(overlay.diff()),
  ]) {
    await failure(call, 'EBADF');
  }
});

test('what is no option, no base or no snapshot of it is refused', async () => {
  const image = bench.image(content);
  for (const options of [
    { changes: 5 },
    { changes: 'a\0b' },
    { changes: bench.path('x.qcow2'), blockSize: 2 ** 17 },
    { blockSize: 1000 },
    { blockSize: 256 },
    { blockSize: 2 * MiB },
    { blockSize: '4096' },
    { size: -1 },
    { mode: 'r' },
    { driver: {} },
    5,
  ]) {
    await refusal(() => openOverlay(image, options as OverlayOptions));
  }
  for (const base of [undefined, 5, {}, new BlockDriver()]) await refusal(() => openOverlay(base as string));
  await failure(() => openOverlay(bench.path('nowhere')), 'ENOENT');
  const overlay = await over(image);
  const other = await over(image);
  for (const snapshot of [undefined, {}, await other.snapshot()]) await refusal(() => overlay.revert(snapshot as Snapshot));
  await refusal(() => overlay.snapshot(5 as unknown as string));
  await refusal(() => overlay.rebase(image, 'fast' as 'safe'));
  await refusal(() => overlay.rebase(overlay as unknown as string));
  await refusal(() => overlay.commit({ flush: true } as object));
  await refusal(() => listed(overlay.diff({ exact: 1 } as object)));
  for (const Class of [OverlayDevice, Snapshot] as unknown as (new () => unknown)[]) {
    expect(await thrownBy(() => new Class())).toMatchObject({ code: 'ERR_ILLEGAL_CONSTRUCTOR' });
  }
});
