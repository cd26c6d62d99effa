// The life of a batch: one run at a time, ended by signals, by close and by the collector, over memory that may be taken away.
import { getEventListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { BATCH_FLUSH, BATCH_READ, BATCH_WRITE, type Batch, type BlockDevice, type Source } from 'rumpblk';
import { type Entry, fill, outcomesOf } from '../support/batch';
import { reportsFrom } from '../support/child';
import { failure, thrownBy } from '../support/failure';
import { ability, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';
import { STRACE, strace } from '../support/strace';

const bench = rig();
const SIZE = 256 * KiB;
const content = pattern(SIZE);
const ECANCELED = -125;

const writes = (count: number): Entry[] => Array.from({ length: count }, (_, i) => ({ op: BATCH_WRITE, blkno: i * 2, offset: i * 512 }));
const writer = (make: (content: Uint8Array) => Source = bench.image): BlockDevice =>
  bench.device(make(content), { mode: 'r+', access: 'pio' });

describe.each(bench.media)('while a batch on $name runs', ({ disk }) => {
  test('it is EBUSY, others are not, and it is free again when its promise settles', async () => {
    const device = writer(disk);
    const [batch, other] = [device.createBatch({ depth: 16 }), device.createBatch({ depth: 16 })];
    const count = fill(batch, writes(16));
    const running = batch.run(count);
    await failure(() => batch.runSync(0), 'EBUSY');
    await failure(() => batch.run(count), 'EBUSY');
    await failure(() => device.closeSync(), 'EBUSY');
    expect(other.runSync(fill(other, writes(4)))).toBe(4);
    expect(await running).toBe(16);
    expect(batch.runSync(count)).toBe(16);
    expect(await batch.run(count)).toBe(16);
  });

  test('what it writes is what entries and arena held when it was called; results come when it settles', async () => {
    const device = writer(disk);
    const batch = device.createBatch({ depth: 4 });
    const count = fill(batch, [...writes(2), { op: BATCH_READ, blkno: 100, offset: 2048 }]);
    batch.arena.fill(1, 0, 1024);
    const running = batch.run(count);
    batch.arena.fill(2);
    batch.blkno.fill(200);
    batch.bcount.fill(1);
    batch.op.fill(BATCH_FLUSH);
    expect(outcomesOf(batch, 3)).toEqual(Array(3).fill([77, 77]));
    expect(await running).toBe(3);
    expect(outcomesOf(batch, 3)).toEqual(Array(3).fill([0, 0]));
    expect(Buffer.from(batch.arena.subarray(2048, 2560)).equals(content.subarray(51200, 51712))).toBe(true);
    const expected = Buffer.from(content).fill(1, 0, 512).fill(1, 1024, 1536);
    expect(bench.bytes(device).equals(expected)).toBe(true);
  });

  test('close waits for it, and later runs are EBADF', async () => {
    const device = writer(disk);
    const batch = device.createBatch({ depth: 16 });
    const running = batch.run(fill(batch, writes(16)));
    const closing = device.close();
    await failure(() => batch.runSync(1), 'EBADF');
    await failure(() => batch.run(1), 'EBADF');
    expect(await running).toBe(16);
    await closing;
    const error = await failure(() => batch.runSync(0), 'EBADF');
    expect(error.message).toContain('device closed');
  });

  test('disposing of it lets it end', async () => {
    const device = writer(disk);
    const batch = device.createBatch({ depth: 16 });
    const running = batch.run(fill(batch, writes(16)));
    batch[Symbol.dispose]();
    batch[Symbol.dispose]();
    expect(await running).toBe(16);
    expect((await failure(() => batch.runSync(0), 'EBADF')).message).toContain('batch closed');
    await failure(() => batch.run(0), 'EBADF');
    expect(device.createBatch().runSync(0)).toBe(0);
  });
});

describe('a signal', () => {
  test('that is aborted already ends it before it begins', async () => {
    const device = bench.device(bench.image(content), { mode: 'r+' }, { faults: { rate: 10000, seed: 1 } });
    const batch = device.createBatch({ depth: 4 });
    const count = fill(batch, writes(4));
    for (const reason of [new Error('mine'), 0, null])
      expect(await thrownBy(() => batch.run(count, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(device.driver.counters()).toMatchObject({ ioTotal: 0, faultsInjected: 0 });
    expect(outcomesOf(batch, 4)).toEqual(Array(4).fill([77, 77]));
    expect(readFileSync(device.path).equals(content)).toBe(true);
  });

  test('is left without a listener, and changes nothing when it comes too late', async () => {
    const batch = writer().createBatch({ depth: 4 });
    const controller = new AbortController();
    const { signal } = controller;
    expect(await batch.run(fill(batch, writes(4)), { signal })).toBe(4);
    expect(await batch.run(fill(batch, [{}]), { signal })).toBe(1);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    controller.abort();
    expect(batch.runSync(4)).toBe(4);
  });

  testWith(...STRACE)('ends one that waits in the queue at once: nothing of it happens, and it can run again', async () => {
    const script = `
      const driver = new BlockDriver({ workers: 1 });
      const disk = openSync(args.file, { driver, access: 'pio', mode: 'r+', lock: false });
      const batch = disk.createBatch({ depth: 4 });
      batch.op.fill(1); batch.bcount.fill(512); batch.arena.fill(5); batch.error.fill(77);
      for (let i = 0; i < 4; i += 1) batch.blkno[i] = i * 2;
      const order = [];
      const blocker = disk.write(Buffer.alloc(512, 1), 65536).then(() => order.push('blocker'));
      driver.faults.set({ rate: args.rate, seed: 1 });
      const controller = new AbortController();
      const aborted = batch.run(4, { signal: controller.signal }).catch((reason) => order.push(reason));
      controller.abort('enough');
      await aborted;
      driver.faults.clear();
      report([Array.from(batch.error), Array.from(batch.resid)]);
      // The queue has not come to it yet, and does not have to.
      const again = batch.run(1);
      const busy = await attempt(() => batch.runSync(1));
      await blocker;
      report([order, busy.code, await again, batch.runSync(2)]);
      await disk.close();`;
    for (const rate of [0, 10000]) {
      const file = bench.image(content);
      // The first write of each thread takes a second.
      const inject = ['pwrite64:delay_enter=1000000:when=1'];
      const result = await strace(script, { args: { file, rate }, calls: ['pwrite64'], inject, only: file });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      expect(result.reports).toEqual([
        [Array(4).fill(ECANCELED), Array(4).fill(512)],
        [['enough', 'blocker'], 'EBUSY', 1, 2],
      ]);
      const expected = Buffer.from(content).fill(5, 0, 512).fill(5, 1024, 1536).fill(1, 65536, 66048);
      expect(readFileSync(file).equals(expected)).toBe(true);
    }
  });

  testWith(...STRACE)('ends one that runs behind the entry it is at; those behind are ECANCELED and untouched', async () => {
    const file = bench.image(Buffer.alloc(SIZE));
    const script = `
      const disk = openSync(args, { access: 'pio', mode: 'r+', lock: false });
      const batch = disk.createBatch({ depth: 100 });
      batch.op.fill(1); batch.bcount.fill(512); batch.arena.fill(9);
      for (let i = 0; i < 100; i += 1) batch.blkno[i] = 2 * i;
      const controller = new AbortController();
      const running = batch.run(100, { signal: controller.signal }).catch((reason) => reason);
      // The first entry has been written: it runs.
      while (fs.readFileSync(args)[0] !== 9) await new Promise(setImmediate);
      controller.abort('later');
      report([await running, Array.from(batch.error), Array.from(batch.resid)]);
      report(batch.runSync(1));
      await disk.close();`;
    // 100 entries would take two seconds.
    const result = await strace(script, { args: file, calls: ['pwrite64'], inject: ['pwrite64:delay_exit=20000'], only: file });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const [[reason, errors, resids], again] = result.reports as [[unknown, number[], number[]], number];
    const done = errors.lastIndexOf(0) + 1;
    expect([reason, again]).toEqual(['later', 1]);
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(100);
    expect(errors).toEqual([...Array(done).fill(0), ...Array(100 - done).fill(ECANCELED)]);
    expect(resids).toEqual([...Array(done).fill(0), ...Array(100 - done).fill(512)]);
    const after = readFileSync(file);
    expect(Array.from({ length: 100 }, (_, i) => after[i * 1024])).toEqual([...Array(done).fill(9), ...Array(100 - done).fill(0)]);
  });
});

describe('memory that is taken away', () => {
  test('the columns refuse to be transferred', async () => {
    const batch = writer().createBatch({ depth: 4 });
    const running = batch.run(fill(batch, writes(4)));
    for (const column of [batch.op, batch.error]) {
      // Node 20 leaves it where it is, later ones throw.
      try {
        structuredClone(null, { transfer: [column.buffer as ArrayBuffer] });
      } catch (error) {
        expect((error as Error).name).toBe('DataCloneError');
      }
      expect(column.length).toBe(4);
    }
    expect(await running).toBe(4);
    expect(batch.runSync(4)).toBe(4);
  });

  test.each(['the default arena', 'an own arena', 'an own part of one'] as const)(
    '%s transferred away: the run ends with EFAULT, and so do later ones',
    async (which) => {
      const device = writer();
      const own = which === 'an own arena' ? new Uint8Array(8192) : new Uint8Array(8192).subarray(512);
      const batch = device.createBatch({ depth: 8, ...(which !== 'the default arena' && { arena: own }) });
      const count = fill(batch, [...writes(4), { blkno: 3, offset: 2048 }]);
      batch.arena.fill(3);
      const running = thrownBy(() => batch.run(count));
      const taken = structuredClone(batch.arena, { transfer: [batch.arena.buffer as ArrayBuffer] });
      expect(batch.arena.length).toBe(0);
      expect(await running).toMatchObject({ code: 'EFAULT' });
      expect(taken.every((byte) => byte === 3)).toBe(true);
      await failure(() => batch.runSync(count), 'EFAULT');
      await failure(() => batch.run(count), 'EFAULT');
      // It was under way, and did what it was asked to.
      expect(
        readFileSync(device.path)
          .subarray(0, 512)
          .every((byte) => byte === 3),
      ).toBe(true);
      expect(device.createBatch().runSync(0)).toBe(0);
    },
  );

  const move = ability('ArrayBuffer.prototype.transfer (Node 21)', () => 'transfer' in ArrayBuffer.prototype);
  const moved = ({ buffer }: Uint8Array): ArrayBuffer => (buffer as unknown as { transfer(): ArrayBuffer }).transfer();

  testWith(move)('ArrayBuffer.prototype.transfer of columns or arena is refused, or is EFAULT', async () => {
    for (const pick of [(batch: Batch) => batch.op, (batch: Batch) => batch.arena]) {
      const batch = writer().createBatch({ depth: 8 });
      const running = batch.run(fill(batch, writes(4))).catch((error: unknown) => error);
      let isMoved = true;
      try {
        expect(moved(pick(batch)).byteLength).toBeGreaterThan(0);
      } catch (error) {
        // From Node 24 on the columns are held fast.
        expect((error as Error).message).toContain('not detachable');
        isMoved = false;
      }
      expect(pick(batch).length > 0).toBe(!isMoved);
      if (!isMoved) {
        expect([await running, batch.runSync(4)]).toEqual([4, 4]);
        continue;
      }
      expect(await running).toMatchObject({ code: 'EFAULT' });
      await failure(() => batch.runSync(1), 'EFAULT');
      await failure(() => batch.run(1), 'EFAULT');
    }
  });
});

describe('garbage collection', () => {
  const nodeFlags = ['--expose-gc', '--no-warnings'];

  test('of a batch that runs does it no harm, and of many leaves no memory behind', async () => {
    const file = bench.image(Buffer.alloc(MiB));
    const script = `
      const device = openSync(args, { mode: 'r+', access: 'pio' });
      const arena = new Uint8Array(512);
      const pending = [];
      for (let i = 0; i < 200; i += 1) {
        const batch = device.createBatch({ depth: 4, arena: i % 2 ? arena : 512 });
        batch.op.fill(1); batch.bcount.fill(512); batch.arena.fill(i + 1);
        for (let k = 0; k < 4; k += 1) batch.blkno[k] = i * 8 + k * 2;
        pending.push(batch.run(4));
        if (i % 20 === 0) gc();
      }
      gc();
      report((await Promise.all(pending)).every((count) => count === 4));
      const before = process.memoryUsage().arrayBuffers;
      for (let i = 0; i < 500; i += 1) {
        device.createBatch({ depth: 1, arena: 1 << 20 }).runSync(0);
        if (i % 50 === 0) { gc(); await new Promise(setImmediate); }
      }
      for (let turn = 0; turn < 1000 && process.memoryUsage().arrayBuffers - before > (64 << 20); turn += 1) { gc(); await new Promise(setImmediate); }
      report((process.memoryUsage().arrayBuffers - before) / (1 << 20) < 64);
      await device.close();`;
    expect(await reportsFrom(script, { args: file, nodeFlags })).toEqual([true, true]);
    const after = readFileSync(file);
    for (let i = 0; i < 200; i += 1) expect(after.subarray(i * 4096, i * 4096 + 512).equals(Buffer.alloc(512, i + 1))).toBe(true);
  });

  test('a batch keeps its device open', async () => {
    const script = `
      const warnings = [];
      process.on('warning', (warning) => warnings.push(warning.code));
      const batch = (() => openSync(args, { mode: 'r+' }).createBatch())();
      batch.bcount[0] = 512;
      for (let i = 0; i < 50; i += 1) { gc(); await new Promise(setImmediate); }
      report([await attempt(() => batch.runSync(1)), warnings]);`;
    expect(await reportsFrom(script, { args: bench.image(content), nodeFlags })).toEqual([[{ value: 1 }, []]]);
  });
});
