// Faults in batches: every entry draws in its turn, as a single call would.
import { describe, expect, test } from '@jest/globals';
import { BATCH_FLUSH, BATCH_READ, BATCH_WRITE, type BlockDevice } from 'rumpblk';
import { type Entry, FORMS, fill, oneByOne, outcomesOf } from '../support/batch';
import { type Ground, KiB, pattern, rig } from '../support/rig';

const bench = rig();
const content = pattern(256 * KiB);
const EIO = -5;

const entries = Array.from({ length: 120 }, (_, i): Entry => {
  const op = i % 3 ? BATCH_READ : BATCH_WRITE;
  if (i % 10 === 7) return { op, blkno: i % 20 === 7 ? -1 : 5000, offset: 0 }; // draw, then meet the bounds
  if (i % 15 === 4) return { op, blkno: 3, bcount: 0, offset: 0 }; // make no buf
  return { op, blkno: i * 3, bcount: i % 5 ? 512 : 333, offset: i * 512, fua: i % 2 ? 1 : 0 };
});
const [AUTO, , PIO, MEMORY] = bench.grounds as [Ground, Ground, Ground, Ground];
const target = ({ access, disk }: Ground, rate: number): BlockDevice =>
  bench.device(disk(content), { access, mode: 'r+' }, { faults: { rate, seed: 1 } });

describe.each(FORMS)('%s', (_form, run) => {
  test.each(bench.grounds)('each entry draws in its turn, as single calls do, under $name', async (ground) => {
    for (const rate of [1, 2500, 9999, 10000]) {
      const [batched, single] = [target(ground, rate), target(ground, rate)];
      const batch = batched.createBatch({ depth: 120 });
      batch.arena.fill(4);
      const arena = new Uint8Array(batch.arena);
      for (let round = 0; round < 3; round += 1) {
        const expected = oneByOne(single, arena, entries);
        await run(batch, fill(batch, entries));
        expect(outcomesOf(batch, 120)).toEqual(expected);
        expect(Buffer.from(batch.arena).equals(arena)).toBe(true);
      }
      expect(batched.driver.faults.injected).toBe(single.driver.faults.injected);
      expect(batched.driver.counters().ioTotal).toBe(single.driver.counters().ioTotal);
      expect(bench.bytes(batched).equals(bench.bytes(single))).toBe(true);
    }
  });

  test.each([AUTO, MEMORY])('the golden ones of seed 1 on $name; flushes and entries that are none do not draw', async (ground) => {
    const device = target(ground, 2500);
    const batch = device.createBatch({ depth: 40, arena: 512 });
    const others: Entry[] = [{ op: BATCH_FLUSH }, { op: 9 }, { blkno: NaN }, { offset: 1 }];
    const reads = Array.from({ length: 20 }, (_, i) => [
      { blkno: i, offset: 0 },
      { offset: 0, ...others[i % 4] },
    ]).flat();
    await run(batch, fill(batch, reads));
    const failed = outcomesOf(batch, 40).flatMap(([error, resid], i) => (error === EIO && resid === 512 ? [i / 2] : []));
    expect(failed).toEqual([1, 5, 10, 11, 17]);
  });
});

test.each([PIO, MEMORY])('while a batch is under way, its columns tell nothing of what was drawn, on $name', async (ground) => {
  for (const op of [BATCH_READ, BATCH_WRITE]) {
    const device = target(ground, 5000);
    const batch = device.createBatch({ depth: 64, arena: 512 });
    const running = batch.run(
      fill(
        batch,
        Array.from({ length: 64 }, (_, i) => ({ op: i === 0 ? BATCH_WRITE : op, blkno: i, offset: 0 })),
      ),
    );
    // What fill() has put there: the first entry waits, so none has an outcome.
    expect(new Set(batch.error)).toEqual(new Set([77]));
    expect(new Set(batch.resid)).toEqual(new Set([77]));
    await running;
    expect(new Set(batch.error)).toEqual(new Set([0, EIO]));
  }
});

test.each([PIO, MEMORY])('a batch that is queued has drawn when run() returns, on $name', async (ground) => {
  const device = target(ground, 2500);
  const batch = device.createBatch({ depth: 8, arena: 512 });
  const running = batch.run(
    fill(
      batch,
      Array.from({ length: 8 }, (_, i) => ({ op: BATCH_WRITE, blkno: i, offset: 0 })),
    ),
  );
  const later = [8, 9, 10, 11, 12].filter((blkno) => oneByOne(device, new Uint8Array(512), [{ blkno }])[0]![0] === EIO);
  expect(later).toEqual([10, 11]);
  expect(await running).toBe(6);
  expect([...batch.error].flatMap((error, i) => (error === EIO ? [i] : []))).toEqual([1, 5]);
});
