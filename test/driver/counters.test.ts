// Counters: bytes and requests summed exactly, whatever mix of forms and threads made them.
import { describe, expect, test } from '@jest/globals';
import type { Counters } from 'rumpblk';
import { failure, refusal } from '../support/failure';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = MiB;
const content = pattern(SIZE);
const ZERO: Counters = {
  ioTotal: 0,
  ioAsync: 0,
  bytesRead: 0,
  bytesWritten: 0,
  bytesWrittenAsync: 0,
  windowHits: 0,
  windowBusy: 0,
  windowMisses: 0,
  faultsInjected: 0,
  flushes: 0,
  discards: 0,
  bytesDiscarded: 0,
  discardsIgnored: 0,
  zeroes: 0,
  bytesZeroed: 0,
  extentsListed: 0,
};

test('a new driver has them, all 0', () => {
  expect(bench.driver().counters()).toEqual(ZERO);
});

describe.each(bench.grounds)('under $name', ({ name, access, disk }) => {
  test('B14: bytes are counted, not requests', () => {
    const device = bench.device(disk(content), { access, mode: 'r+' });
    const { driver } = device;
    device.readSync(Buffer.alloc(1000), 5);
    expect(driver.counters()).toMatchObject({ ioTotal: 1, bytesRead: 1000, bytesWritten: 0 });
    device.writeSync(Buffer.alloc(300), 5);
    expect(driver.counters()).toMatchObject({ ioTotal: 2, bytesRead: 1000, bytesWritten: 300, bytesWrittenAsync: 0, ioAsync: 0 });
    device.strategySync({ op: 'write', blkno: 1, data: Buffer.alloc(512), deferred: true });
    expect(driver.counters()).toMatchObject({ ioTotal: 3, bytesWritten: 812, bytesWrittenAsync: 512, ioAsync: 1 });
    device.strategySync({ op: 'read', blkno: 1, data: Buffer.alloc(512), deferred: true });
    expect(driver.counters()).toMatchObject({ ioTotal: 4, bytesRead: 1512, bytesWritten: 812, bytesWrittenAsync: 512, ioAsync: 2 });
  });

  test('B43: what moved is counted, not what was asked for', async () => {
    const device = bench.device(disk(content), { access, mode: 'r+' });
    const { driver } = device;
    device.readSync(Buffer.alloc(4096), SIZE - 100);
    await device.strategy({ op: 'write', blkno: SIZE / 512 - 1, data: Buffer.alloc(4096), deferred: true });
    expect(driver.counters()).toMatchObject({ ioTotal: 2, bytesRead: 100, bytesWritten: 512, bytesWrittenAsync: 512 });
    await failure(() => device.strategySync({ op: 'read', blkno: SIZE, data: Buffer.alloc(512) }), 'EINVAL');
    await failure(() => device.strategy({ op: 'write', blkno: -1, data: Buffer.alloc(512), deferred: true }), 'EINVAL');
    await refusal(() => device.read(Buffer.alloc(512), -1));
    expect(driver.counters()).toMatchObject({ ioTotal: 2, ioAsync: 1, bytesRead: 100, bytesWritten: 512 });
  });

  test('B37: sums are exact after concurrent loads of every form', async () => {
    const driver = bench.driver({ workers: 8, queueDepth: 16, windowCount: 2, windowSize: 64 * KiB });
    // One of them raw: its requests are of at most a chunk, so that each is one buf here too.
    const devices = [1, 2, 3].map((seed) => {
      return bench.keep(driver.openSync(driver.registerSync(disk(pattern(SIZE, seed))), { access, mode: 'r+', raw: seed === 3 }));
    });
    const sum = { ...ZERO };
    const add = (read: number, written: number, deferred: boolean): void => {
      sum.ioTotal += 1;
      sum.bytesRead += read;
      sum.bytesWritten += written;
      if (!deferred) return;
      sum.ioAsync += 1;
      sum.bytesWrittenAsync += written;
    };
    const pending: Promise<unknown>[] = [];
    for (let i = 0; i < 3000; i += 1) {
      const device = devices[i % 3]!;
      const data = Buffer.alloc(1 + ((i * 37) % 5000));
      const blkno = (i * 11) % 2000;
      const deferred = i % 4 === 0;
      switch (i % 7) {
        case 0:
          pending.push(device.read(data, blkno * 512));
          add(data.length, 0, false);
          break;
        case 1:
          pending.push(device.write(data, blkno * 512));
          add(0, data.length, false);
          break;
        case 2:
          pending.push(device.strategy({ op: 'write', blkno, data, deferred: true }));
          add(0, data.length, true);
          break;
        case 3:
          device.strategySync({ op: 'write', blkno, data, deferred: true });
          add(0, data.length, true);
          break;
        case 4:
          pending.push(device.strategy({ op: 'read', blkno, data, deferred }));
          add(data.length, 0, deferred);
          break;
        default:
          device.readSync(data, blkno * 512);
          add(data.length, 0, false);
      }
    }
    await Promise.all(pending);
    const {
      windowHits,
      windowBusy,
      windowMisses,
      flushes,
      discards,
      bytesDiscarded,
      discardsIgnored,
      zeroes,
      bytesZeroed,
      extentsListed,
      ...counted
    } = driver.counters();
    expect([discards, bytesDiscarded, discardsIgnored, zeroes, bytesZeroed, extentsListed]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(counted).toEqual({
      ioTotal: sum.ioTotal,
      ioAsync: sum.ioAsync,
      bytesRead: sum.bytesRead,
      bytesWritten: sum.bytesWritten,
      bytesWrittenAsync: sum.bytesWrittenAsync,
      faultsInjected: 0,
    });
    // A request over the edge of a window counts twice.
    if (access === 'mmap') expect(windowHits + windowMisses).toBeGreaterThanOrEqual(sum.ioTotal);
    if (name === 'pio' || name === 'memory') expect([windowHits, windowMisses, windowBusy]).toEqual([0, 0, 0]);
    expect(Number.isInteger(flushes)).toBe(true);
  });

  test('flushes counts the syncs that reached the host', async () => {
    const device = bench.device(disk(content), { access, mode: 'r+' });
    const { driver } = device;
    await device.flush();
    device.flushSync();
    expect(driver.counters().flushes).toBe(0);
    device.writeSync(Buffer.alloc(512), 0);
    expect(driver.counters().flushes).toBe(0);
    await device.flush();
    expect(driver.counters().flushes).toBe(1);
    await device.flush();
    device.flushSync();
    expect(driver.counters().flushes).toBe(1);
    await device.write(Buffer.alloc(512), 0);
    await device.ioctl('DIOCCACHESYNC');
    device.writeSync(Buffer.alloc(512), 0);
    device.flushSync();
    expect(driver.counters().flushes).toBe(3);
    device.writeSync(Buffer.alloc(512), 0);
    await device.close();
    expect(driver.counters().flushes).toBe(4);
  });
});

test('resetCounters sets all of them to 0, and counting goes on', () => {
  const device = bench.device(bench.image(content), { mode: 'r+', access: 'mmap' }, { faults: { rate: 5000, seed: 1 } });
  const { driver } = device;
  for (let i = 0; i < 20; i += 1) {
    try {
      device.strategySync({ op: 'write', blkno: i, data: Buffer.alloc(512), deferred: true });
    } catch {
      // injected
    }
  }
  driver.faults.clear();
  device.flushSync();
  const before = driver.counters();
  expect(before.ioTotal + before.faultsInjected).toBe(20);
  driver.resetCounters();
  expect(driver.counters()).toEqual(ZERO);
  device.readSync(Buffer.alloc(10), 0);
  // The window was mapped before the reset: a hit, not a miss.
  expect(driver.counters()).toEqual({ ...ZERO, ioTotal: 1, bytesRead: 10, windowHits: 1 });
});

test('each driver counts for itself, and a snapshot does not change', () => {
  const one = bench.device(bench.image(content));
  const two = bench.device(bench.image(content));
  const before = one.driver.counters();
  one.readSync(Buffer.alloc(512), 0);
  expect(before.ioTotal).toBe(0);
  expect(one.driver.counters().ioTotal).toBe(1);
  expect(two.driver.counters().ioTotal).toBe(0);
});
