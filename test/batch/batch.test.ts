// Batches: what the columns are, what each entry does, and what each answers.
import { describe, expect, test } from '@jest/globals';
import { BATCH_FLUSH, BATCH_READ, BATCH_WRITE, Batch, type BlockDevice } from 'rumpblk';
import { type Entry, FORMS, fill, numbers, oneByOne, outcomesOf } from '../support/batch';
import { type Ground, KiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * KiB + 100;
const SECTORS = 128;
const content = pattern(SIZE);
const EINVAL = -22;
const EACCES = -13;
const WAYS = bench.grounds.flatMap((ground) => FORMS.map(([form, run]) => ({ ...ground, form, run })));

const [FILE] = bench.media as [Ground];
const device = ({ access, disk }: Ground = FILE, mode: 'r' | 'r+' = 'r+'): BlockDevice => bench.device(disk(content), { access, mode });
const sector = (blkno: number, of: Uint8Array = content): Uint8Array => of.subarray(blkno * 512, blkno * 512 + 512);

describe('the columns', () => {
  test('by default there are 128 entries, all reads of nothing, and 4096 bytes of arena each', async () => {
    const batch = device().createBatch();
    expect(batch).toBeInstanceOf(Batch);
    expect([batch.depth, batch.arena.length]).toEqual([128, 128 * 4096]);
    for (const [column, type] of [
      [batch.op, Uint8Array],
      [batch.fua, Uint8Array],
      [batch.blkno, Float64Array],
      [batch.bcount, Uint32Array],
      [batch.offset, Uint32Array],
      [batch.resid, Uint32Array],
      [batch.error, Int32Array],
    ] as const) {
      expect(Object.prototype.toString.call(column)).toBe(`[object ${type.name}]`);
      expect([...column]).toEqual(Array(128).fill(0));
    }
    expect(batch.arena.every((byte) => byte === 0)).toBe(true);
    expect([BATCH_READ, BATCH_WRITE, BATCH_FLUSH]).toEqual([0, 1, 2]);
    expect([batch.runSync(0), await batch.run(0), batch.runSync(128)]).toEqual([0, 0, 128]);
  });

  test.each([1, 3, 65536])('take a depth of %d, and do not overlap', (depth) => {
    const batch = device().createBatch({ depth, arena: 512 });
    const columns = [batch.op, batch.fua, batch.blkno, batch.bcount, batch.offset, batch.resid, batch.error];
    for (const [i, column] of columns.entries()) column.fill(i + 1);
    for (const [i, column] of columns.entries()) {
      expect(column.length).toBe(depth);
      expect(column.every((value) => value === i + 1)).toBe(true);
    }
    expect([batch.depth, batch.arena.length]).toEqual([depth, 512]);
  });

  test.each([
    ['a Uint8Array', () => new Uint8Array(8192)],
    ['a Buffer of the pool', () => Buffer.allocUnsafe(2048)],
    ['a part of a larger one', () => new Uint8Array(8192).subarray(1, 4097)],
    ['a subclass', () => new (class Mine extends Uint8Array {})(4096)],
  ])('%s can be the arena', async (_name, make) => {
    const arena = make();
    const batch = device().createBatch({ depth: 2, arena });
    expect(batch.arena).toBe(arena);
    const count = fill(batch, [{ blkno: 5 }, { blkno: 7, offset: 1000, bcount: 100 }]);
    arena.fill(0);
    expect(await batch.run(count)).toBe(2);
    expect(Buffer.from(arena.subarray(0, 512)).equals(sector(5))).toBe(true);
    expect(Buffer.from(arena.subarray(1000, 1100)).equals(sector(7).subarray(0, 100))).toBe(true);
    expect([...arena.subarray(512, 1000), ...arena.subarray(1100)].every((byte) => byte === 0)).toBe(true);
  });

  test.each(['of 0 bytes', 'an empty Uint8Array'])('an arena %s still serves flushes', async (which) => {
    const target = device();
    const batch = target.createBatch({ depth: 2, arena: which === 'of 0 bytes' ? 0 : new Uint8Array(0) });
    const count = fill(batch, [
      { op: BATCH_FLUSH, bcount: 0, offset: 0 },
      { bcount: 1, offset: 0 },
    ]);
    for (const [, run] of FORMS) {
      expect(await run(batch, count)).toBe(1);
      expect(outcomesOf(batch, 2)).toEqual([
        [0, 0],
        [EINVAL, 1],
      ]);
    }
  });
});

describe.each(WAYS)('under $name, $form', ({ run, ...ground }) => {
  test('reads, writes and flushes what its entries say, and nothing else', async () => {
    const target = device(ground);
    const batch = target.createBatch({ depth: 8, arena: 8 * KiB });
    const data = pattern(8 * KiB, 9);
    batch.arena.set(data);
    const count = fill(batch, [
      { op: BATCH_WRITE, blkno: 3, offset: 0, bcount: 1024 },
      { op: BATCH_WRITE, blkno: 100, offset: 5000, bcount: 77 },
      { op: BATCH_FLUSH, blkno: NaN, offset: 4e9, bcount: 4e9 },
      { op: BATCH_READ, blkno: 50, offset: 2000, bcount: 700 },
      { op: BATCH_READ, blkno: 0, offset: 8 * KiB, bcount: 0 },
    ]);
    expect(await run(batch, count)).toBe(5);
    expect(outcomesOf(batch, 6)).toEqual([...Array<number[]>(5).fill([0, 0]), [0, 0]]);
    const expected = Buffer.from(content);
    data.copy(expected, 3 * 512, 0, 1024);
    data.copy(expected, 100 * 512, 5000, 5077);
    expect(bench.bytes(target).equals(expected)).toBe(true);
    content.copy(data, 2000, 50 * 512, 50 * 512 + 700);
    expect(Buffer.from(batch.arena).equals(data)).toBe(true);
  });

  test('only the first entries run; the others keep what they hold', async () => {
    const batch = device(ground).createBatch({ depth: 4 });
    fill(batch, [{}, {}, {}, {}]);
    expect(await run(batch, 2)).toBe(2);
    expect(outcomesOf(batch, 4)).toEqual([
      [0, 0],
      [0, 0],
      [77, 77],
      [77, 77],
    ]);
    expect(batch.arena.subarray(1024, 2048).every((byte) => byte === 0)).toBe(true);
  });

  test('entries count as run one after the other', async () => {
    const target = device(ground);
    const batch = target.createBatch({ depth: 8, arena: 8 * 512 });
    for (let i = 0; i < 8; i += 1) batch.arena.fill(i + 1, i * 512, (i + 1) * 512);
    const count = fill(batch, [
      { op: BATCH_READ, blkno: 9, offset: 0 }, // what was there
      { op: BATCH_WRITE, blkno: 9, offset: 512 },
      { op: BATCH_READ, blkno: 9, offset: 1024 }, // 2
      { op: BATCH_WRITE, blkno: 9, offset: 3 * 512 },
      { op: BATCH_WRITE, blkno: 10, offset: 1024 }, // what entry 2 has read
      { op: BATCH_READ, blkno: 9, offset: 5 * 512 }, // 4
      { op: BATCH_WRITE, blkno: 11, offset: 0 }, // what entry 0 has read
    ]);
    expect(await run(batch, count)).toBe(7);
    const part = (i: number): Uint8Array => batch.arena.subarray(i * 512, (i + 1) * 512);
    expect(Buffer.from(part(0)).equals(sector(9))).toBe(true);
    expect([part(2), part(5)].map((bytes) => [bytes[0], bytes.every((byte) => byte === bytes[0])])).toEqual([
      [2, true],
      [4, true],
    ]);
    const after = bench.bytes(target);
    expect([sector(9, after)[0], sector(10, after)[511]]).toEqual([4, 2]);
    expect(Buffer.from(sector(11, after)).equals(sector(9))).toBe(true);
  });

  test('each entry has an error of its own, and one that fails does not stop the others', async () => {
    const target = device(ground);
    const batch = target.createBatch({ depth: 32, arena: 4096 });
    const bad: Entry[] = [
      { op: 5 },
      { op: 255 },
      ...[-1, NaN, 1.5, 2 ** 60, -(2 ** 60), Infinity, -Infinity, SECTORS + 1, 2 ** 53, 2 ** 44].map((blkno) => ({ blkno })),
      { offset: 4096, bcount: 1 },
      { offset: 3585, bcount: 512 },
      { offset: 2 ** 32 - 1, bcount: 2 ** 32 - 1 },
      { offset: 0, bcount: 4097 },
    ];
    const good: Entry = { op: BATCH_WRITE, blkno: 20, offset: 0 };
    const entries = bad
      .flatMap((entry) => [
        { offset: 0, ...entry },
        { offset: 0, op: BATCH_WRITE, ...entry },
      ])
      .slice(0, 31);
    const count = fill(batch, [...entries, good]);
    batch.arena.fill(6);
    expect(await run(batch, count)).toBe(1);
    expect(outcomesOf(batch, count)).toEqual([...entries.map(({ bcount = 512 }) => [EINVAL, bcount]), [0, 0]]);
    const expected = Buffer.from(content).fill(6, 20 * 512, 21 * 512);
    expect(bench.bytes(target).equals(expected)).toBe(true);
    expect(batch.arena.every((byte) => byte === 6)).toBe(true);
  });

  test('resid is what lies beyond the end of the device', async () => {
    const target = device(ground);
    const batch = target.createBatch({ depth: 8 });
    for (const op of [BATCH_READ, BATCH_WRITE]) {
      const count = fill(batch, [
        { op, blkno: SECTORS - 2, bcount: 1024, offset: 0 },
        { op, blkno: SECTORS - 1, bcount: 1024, offset: 2048 },
        { op, blkno: SECTORS, bcount: 100, offset: 4096 },
        { op, blkno: SECTORS, bcount: 512, offset: 5120 },
      ]);
      batch.arena.fill(8);
      expect(await run(batch, count)).toBe(4);
      expect(outcomesOf(batch, 4)).toEqual([
        [0, 0],
        [0, 412],
        [0, 0],
        [0, 412],
      ]);
    }
    const exact = bench
      .device(ground.disk(content.subarray(0, SECTORS * 512)), { access: ground.access, mode: 'r+' })
      .createBatch({ depth: 3 });
    for (const op of [BATCH_READ, BATCH_WRITE]) {
      const count = fill(exact, [
        { op, blkno: SECTORS },
        { op, blkno: SECTORS - 1, bcount: 1024 },
        { op, blkno: SECTORS + 1 },
      ]);
      expect(await run(exact, count)).toBe(2);
      expect(outcomesOf(exact, 3)).toEqual([
        [0, 512],
        [0, 512],
        [EINVAL, 512],
      ]);
    }
    expect(bench.bytes(target).length).toBe(SIZE);
  });

  test("on an 'r' device writes are EACCES, with and without fua, and reads go on", async () => {
    const target = device(ground, 'r');
    const batch = target.createBatch({ depth: 4 });
    const count = fill(batch, [{ op: BATCH_WRITE }, { op: BATCH_WRITE, fua: 1 }, { blkno: 2 }, { op: BATCH_FLUSH }]);
    expect(await run(batch, count)).toBe(2);
    expect(outcomesOf(batch, 4)).toEqual([
      [EACCES, 512],
      [EACCES, 512],
      [0, 0],
      [0, 0],
    ]);
    expect(bench.bytes(target).equals(content)).toBe(true);
  });

  test('the same entries one by one have the same outcomes, bytes and counters', async () => {
    const next = numbers(4711);
    const [batched, single] = [device(ground), device(ground)];
    const batch = batched.createBatch({ depth: 24, arena: 16 * KiB });
    const arena = new Uint8Array(16 * KiB);
    for (let round = 0; round < 40; round += 1) {
      batch.arena.set(pattern(16 * KiB, round + 1));
      arena.set(batch.arena);
      let place = { blkno: 0, offset: 0 };
      const entries = Array.from({ length: 1 + next(24) }, (): Entry => {
        // Half of them continue the one before, so that some are merged and some of those reach beyond the end.
        if (next(2) === 0 || place.offset > 12 * KiB) place = { blkno: next(SECTORS + 3) - 1, offset: next(12 * KiB) };
        const entry = { ...place, op: next(4) === 0 ? BATCH_READ : BATCH_WRITE, bcount: next(5) === 0 ? next(2000) : 512 * (1 + next(4)) };
        place = { blkno: entry.blkno + Math.ceil(entry.bcount / 512), offset: entry.offset + entry.bcount };
        return entry;
      });
      const expected = oneByOne(single, arena, entries);
      expect(await run(batch, fill(batch, entries))).toBe(expected.filter(([error]) => error === 0).length);
      expect(outcomesOf(batch, entries.length)).toEqual(expected);
      expect(Buffer.from(batch.arena).equals(arena)).toBe(true);
    }
    const { ioTotal, bytesRead, bytesWritten } = single.driver.counters();
    expect(batched.driver.counters()).toMatchObject({ ioTotal, bytesRead, bytesWritten });
    expect(bench.bytes(batched).equals(bench.bytes(single))).toBe(true);
  });
});
