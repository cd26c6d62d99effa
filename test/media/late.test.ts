// A medium that answers later: as many requests under way as there are, whatever the number of workers, and what closes,
// cancels and exits in the middle.
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { BATCH_DISCARD, BATCH_FLUSH, BATCH_READ, BATCH_WRITE, BlockDriver, type BlockDevice } from 'rumpblk';
import { memory } from 'rumpblk/media';
import { fill } from '../support/batch';
import { reportsFrom, ROOT, runChild } from '../support/child';
import { thrownBy } from '../support/failure';
import { lateDisk, type LateDisk } from '../support/late';
import { MiB, pattern } from '../support/rig';

const SIZE = 8 * MiB;
const content = pattern(SIZE);
const COUNT = 1000;

/** Turns of the event loop until `done()`; what is waited for comes, or the test ends by its timeout. */
const until = async (done: () => boolean): Promise<void> => {
  while (!done()) await turn();
};

/** A device over a late disk with `content`, of a driver with the usual four workers. */
function opened(options: Parameters<typeof lateDisk>[1] = {}): { disk: LateDisk; device: BlockDevice; driver: BlockDriver } {
  const disk = lateDisk(SIZE, options);
  const driver = new BlockDriver({ workers: 4 });
  const device = driver.openSync(driver.registerSync(disk.medium), { mode: 'r+' });
  device.writeSync(content, 0);
  driver.resetCounters();
  return { disk, device, driver };
}

describe('a medium that answers later', () => {
  test('has a thousand promises under way with four workers, which come back right', async () => {
    const { disk, device, driver } = opened();
    const buffers = Array.from({ length: COUNT }, (_, i) => Buffer.alloc(4096, i));
    disk.hold();
    const writes = buffers.map((data, i) => device.write(data, i * 4096));
    await until(() => disk.underWay === COUNT);
    disk.release();
    expect((await Promise.all(writes)).every(({ bytesWritten }) => bytesWritten === 4096)).toBe(true);
    disk.hold();
    const got = buffers.map(() => Buffer.alloc(4096));
    const reads = got.map((data, i) => device.read(data, i * 4096));
    await until(() => disk.underWay === COUNT);
    disk.release();
    await Promise.all(reads);
    expect(Buffer.concat(got).equals(Buffer.concat(buffers))).toBe(true);
    expect(driver.counters()).toMatchObject({ ioTotal: 2 * COUNT, bytesRead: COUNT * 4096, bytesWritten: COUNT * 4096 });
    await device.close();
  });

  test('has a thousand strategy requests under way', async () => {
    const { disk, device } = opened();
    disk.hold();
    const got = Array.from({ length: COUNT }, () => Buffer.alloc(512));
    const reads = got.map((data, blkno) => device.strategy({ op: blkno % 2 ? 'read' : 'write', blkno, data, deferred: true }));
    await until(() => disk.underWay === COUNT);
    disk.release();
    expect((await Promise.all(reads)).every(({ resid }) => resid === 0)).toBe(true);
    got.forEach((data, i) => expect(data.equals(i % 2 ? content.subarray(i * 512, (i + 1) * 512) : Buffer.alloc(512))).toBe(true));
    await device.close();
  });

  test('has discards, zeros, flushes and durable writes under way, a hundred of each with two workers', async () => {
    const disk = lateDisk(SIZE);
    const driver = new BlockDriver({ workers: 2 });
    const device = driver.openSync(driver.registerSync(disk.medium), { mode: 'r+' });
    device.writeSync(content, 0);
    driver.resetCounters();
    disk.hold();
    const places = Array.from({ length: 100 }, (_, i) => i * 16384);
    const data = Buffer.alloc(4096, 7);
    const changes = places.flatMap((at) => [
      device.discard(at, 4096),
      device.writeZeroes(at + 4096, 4096),
      device.writeZeroes(at + 8192, 4096, { fua: true }),
      device.write(data, at + 12_288, { fua: true }),
      device.strategy({ op: 'discard', blkno: 8192 + at / 512, bcount: 512 }),
    ]);
    await until(() => disk.underWay === 500);
    disk.release();
    await Promise.all(changes);
    device.writeSync(data, 0);
    const before = driver.counters().flushes;
    disk.hold();
    // One sync serves all of them.
    const flushes = places.map(() => device.flush());
    await until(() => disk.underWay === 1);
    // No worker waits: both are there for a read of another device.
    const other = driver.openSync(driver.registerSync(memory({ size: MiB })), { mode: 'r+' });
    await other.writeZeroes(0, MiB);
    disk.release();
    await Promise.all(flushes);
    expect(driver.counters().flushes - before).toBe(1);
    expect(driver.counters()).toMatchObject({ discards: 200, zeroes: 201, bytesDiscarded: 100 * 4096 + 100 * 512 });
    const got = Buffer.alloc(16384 * 100);
    await device.read(got, 0);
    for (const at of places) {
      expect(got.subarray(at + 4096, at + 12_288).equals(Buffer.alloc(8192))).toBe(true);
      expect(got.subarray(at + 12_288, at + 16_384).equals(data)).toBe(true);
    }
    await device.close();
    await other.close();
  });

  test('has the batches of four devices under way with one worker, each with syncs in its middle', async () => {
    const disks = Array.from({ length: 4 }, () => lateDisk(MiB));
    const driver = new BlockDriver({ workers: 1 });
    const devices = disks.map((disk) => driver.openSync(driver.registerSync(disk.medium), { mode: 'r+' }));
    for (const disk of disks) disk.hold();
    const running = devices.map((device) => {
      const batch = device.createBatch({ depth: 8, arena: 8 * 512 });
      batch.arena.fill(5);
      const write = (blkno: number, fua: 0 | 1) => ({ op: BATCH_WRITE, blkno, bcount: 512, offset: 0, fua });
      const count = fill(batch, [
        write(0, 0),
        { op: BATCH_FLUSH },
        write(1, 1),
        write(2, 0),
        { op: BATCH_DISCARD, blkno: 8, bcount: 4096 },
      ]);
      return batch.run(count);
    });
    await until(() => disks.every(({ underWay }) => underWay === 1));
    for (const disk of disks) disk.release();
    expect(await Promise.all(running)).toEqual([5, 5, 5, 5]);
    expect(driver.counters()).toMatchObject({ flushes: 8, discards: 4 });
    for (const device of devices) await device.close();
  });

  test('has a thousand entries of one batch under way, in both forms', async () => {
    const { disk, device } = opened();
    const batch = device.createBatch({ depth: COUNT, arena: COUNT * 512 });
    fill(
      batch,
      Array.from({ length: COUNT }, () => ({})),
    );
    disk.hold();
    const running = batch.run(COUNT);
    await until(() => disk.underWay === COUNT);
    disk.release();
    expect(await running).toBe(COUNT);
    expect(content.subarray(0, COUNT * 512).equals(batch.arena)).toBe(true);
    batch.arena.fill(0);
    expect(batch.runSync(COUNT)).toBe(COUNT);
    expect(content.subarray(0, COUNT * 512).equals(batch.arena)).toBe(true);
    await device.close();
  });

  test('keeps the order of a batch: what overlaps waits, and so does what stands behind a flush', async () => {
    const { device, driver } = opened({ most: 20 });
    const batch = device.createBatch({ depth: 64, arena: 64 * 512 });
    for (const form of ['run', 'runSync'] as const) {
      // Write i to one of two sectors, read it into the next place of the arena, flush now and then.
      const entries = Array.from({ length: 60 }, (_, i) =>
        i % 10 === 9
          ? { op: BATCH_FLUSH }
          : i % 2 === 0
            ? { op: BATCH_WRITE, blkno: i % 4, offset: i * 512 }
            : { op: BATCH_READ, blkno: (i - 1) % 4, offset: i * 512 },
      );
      for (let i = 0; i < 64; i += 1) batch.arena.fill(i, i * 512, (i + 1) * 512);
      const count = fill(batch, entries);
      expect(form === 'run' ? await batch.run(count) : batch.runSync(count)).toBe(60);
      for (let i = 1; i < 60; i += 2) if (i % 10 !== 9) expect(batch.arena[i * 512]).toBe(i - 1);
    }
    expect(driver.counters().flushes).toBeGreaterThan(0);
    await device.close();
  });

  test('is waited for by Sync forms and by long requests, also raw ones', async () => {
    const { disk, device, driver } = opened();
    const got = Buffer.alloc(SIZE);
    expect(device.readSync(got, 0)).toBe(SIZE);
    expect(got.equals(content)).toBe(true);
    got.fill(0);
    expect((await device.read(got, 0)).bytesRead).toBe(SIZE);
    expect(got.equals(content)).toBe(true);
    await device.close();
    const raw = driver.openSync(driver.registerSync(disk.medium), { mode: 'r+', raw: true });
    got.fill(0);
    expect((await raw.read(got, 0)).bytesRead).toBe(SIZE);
    expect(got.equals(content)).toBe(true);
    const other = Buffer.from(content).reverse();
    expect((await raw.write(other, 0, { fua: true })).bytesWritten).toBe(SIZE);
    expect(raw.readSync(got, 0)).toBe(SIZE);
    expect(got.equals(other)).toBe(true);
    await raw.close();
  });

  test('is drained by close()', async () => {
    const { disk, device } = opened({ most: 10 });
    disk.hold();
    let settled = 0;
    const data = Buffer.alloc(4096, 7);
    const writes = Array.from({ length: 100 }, (_, i) => device.write(data, i * 4096).then(() => (settled += 1)));
    await until(() => disk.underWay === 100);
    const closing = device.close().then(() => settled);
    disk.release();
    expect(await closing).toBe(100);
    await Promise.all(writes);
  });

  test('ends what is aborted: what waits at once, what is under way with its answer', async () => {
    const { disk, device } = opened();
    disk.hold();
    const abort = new AbortController();
    const codes = Array.from({ length: 100 }, (_, i) =>
      thrownBy(() => device.write(Buffer.alloc(4096, 9), i * 4096, { signal: abort.signal })).then((error) => (error as Error).name),
    );
    await until(() => disk.underWay === 100);
    abort.abort();
    disk.release();
    expect(new Set(await Promise.all(codes))).toEqual(new Set(['AbortError']));
    const got = Buffer.alloc(4096 * 100);
    device.readSync(got, 0);
    expect(got.equals(content.subarray(0, got.length))).toBe(true);
    await device.close();
  });

  const START = `
    const { memory } = require('rumpblk/media');
    const { MediumHandle, nativeMediumOf } = require(ROOT + '/dist/media/medium.js');
    const { binding } = require(ROOT + '/dist/native/binding.js');
    const native = binding.lateMedium(nativeMediumOf(memory({ size: 1 << 20 })), 200000, 1, false);
    const device = require('rumpblk').openSync(new MediumHandle(native, { kind: 'memory', name: 'late', size: 1 << 20 }), { mode: 'r+' });
    for (let i = 0; i < 1000; i += 1) device.write(Buffer.alloc(512, i), i * 512);
    const batch = device.createBatch({ depth: 100, arena: 51200 });
    for (let i = 0; i < 100; i += 1) [batch.blkno[i], batch.bcount[i], batch.offset[i]] = [i, 512, i * 512];
    batch.run(100);
    const underWay = () => binding.lateState(native)[0];
  `.replaceAll('ROOT', JSON.stringify(ROOT));

  test('does not keep a process from ending, nor is it used afterwards', async () => {
    const script = `${START} const look = () => (underWay() > 500 ? process.exit(7) : setImmediate(look)); look();`;
    const { code, signal, stderr } = await runChild(script);
    expect([code, signal, stderr]).toEqual([7, null, '']);
  });

  test('does not keep a thread from ending, nor is it used afterwards', async () => {
    const worker = `${START} const { parentPort } = require('node:worker_threads');
      const look = () => (underWay() > 500 ? parentPort.postMessage('now') : setImmediate(look)); look();`;
    const reports = await reportsFrom(
      `const { Worker } = require('node:worker_threads');
      const worker = new Worker(args, { eval: true });
      worker.once('message', async () => report([await worker.terminate()]));`,
      { args: worker },
    );
    expect(reports).toEqual([[1]]);
  });
});
