// The queue behind the promise forms: bounded, served by threads of our own, never waited for by the JavaScript thread.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { testWith } from '../support/peers';
import { ACCESSES, KiB, MiB, pattern, rig } from '../support/rig';
import { STRACE, strace } from '../support/strace';

const bench = rig();
const traced = testWith(...STRACE);
const SIZE = MiB;
const content = pattern(SIZE);

describe.each(ACCESSES)('a queue of 2 under %s', (access) => {
  test.each([1, 4])('500 concurrent reads by %d workers all complete', async (workers) => {
    const device = bench.device(bench.image(content), { access }, { queueDepth: 2, workers });
    const got = await Promise.all(Array.from({ length: 500 }, (_, i) => device.read(Buffer.alloc(3000), (i * 1999) % (SIZE - 3000))));
    for (const [i, { bytesRead, buffer }] of got.entries()) {
      const position = (i * 1999) % (SIZE - 3000);
      expect(bytesRead).toBe(3000);
      expect(buffer.equals(content.subarray(position, position + 3000))).toBe(true);
    }
    expect(device.driver.counters()).toMatchObject({ ioTotal: 500, bytesRead: 500 * 3000 });
  });

  test('500 concurrent writes all arrive, and results carry the very view', async () => {
    const file = bench.image(content);
    const device = bench.device(file, { access, mode: 'r+' }, { queueDepth: 2 });
    const next = pattern(SIZE, 2);
    const views = Array.from({ length: 500 }, (_, i) => new Uint16Array(next.buffer.slice(i * 2000, i * 2000 + 2000)));
    const results = await Promise.all(views.map((view, i) => device.write(view, i * 2000)));
    for (const [i, result] of results.entries()) {
      expect(result.bytesWritten).toBe(2000);
      expect(result.buffer).toBe(views[i]);
    }
    await device.close();
    expect(
      readFileSync(file)
        .subarray(0, MiB - 48576)
        .equals(next.subarray(0, MiB - 48576)),
    ).toBe(true);
  });

  test('what is written is what the view held when the call was made', async () => {
    const file = bench.image(content);
    const device = bench.device(file, { access, mode: 'r+' }, { queueDepth: 2, workers: 1 });
    const view = Buffer.alloc(4096);
    const writes = Array.from({ length: 100 }, (_, i) => {
      view.fill(i);
      return device.write(view, i * 4096);
    });
    view.fill(255);
    await Promise.all(writes);
    const got = Buffer.alloc(4096);
    for (let i = 0; i < 100; i += 1) {
      device.readSync(got, i * 4096);
      expect(got.equals(Buffer.alloc(4096, i))).toBe(true);
    }
  });

  test('a view transferred away meanwhile takes no bytes and harms nothing', async () => {
    const device = bench.device(bench.image(content), { access }, { queueDepth: 2, workers: 1 });
    const views = Array.from({ length: 100 }, () => new Uint8Array(64 * KiB));
    const reads = views.map((view) => device.read(view, 0));
    for (const view of views) structuredClone(view, { transfer: [view.buffer] });
    const outcomes = await Promise.allSettled(reads);
    expect(outcomes).toHaveLength(100);
    for (const view of views) expect(view.byteLength).toBe(0);
    expect((await device.read(Buffer.alloc(512), 0)).buffer.equals(content.subarray(0, 512))).toBe(true);
  });
});

describe('the JavaScript thread', () => {
  const calls = ['pwrite64', 'pwritev', 'pwritev2'];

  // Each of 60 writes takes 20 ms on one worker. A thread that waited for room in the queue would come back
  // from the submitting loop with all but two of them settled.
  traced('B40: does not wait for room in the queue', async () => {
    const file = bench.image(content);
    const script = `
      const driver = new BlockDriver({ queueDepth: 2, workers: 1 });
      const disk = openSync(args, { driver, access: 'pio', mode: 'r+', lock: false });
      let settled = 0;
      const order = [];
      const writes = Array.from({ length: 60 }, (_, i) => disk.write(Buffer.alloc(512, i), i * 512).then(() => { settled += 1; }));
      setImmediate(() => order.push(settled));
      await Promise.all(writes);
      report(order[0] < 30);
      report(settled);
      await disk.close();`;
    const inject = calls.map((name) => `${name}:delay_enter=20000`);
    const result = await strace(script, { args: file, calls, inject, only: file });
    expect(result).toMatchObject({ code: 0, stderr: '', reports: [true, 60] });
    expect(result.calls.length).toBeGreaterThanOrEqual(60);
  });

  traced('B40: a slow sync of one device does not hold up the others', async () => {
    const [slow, quick] = [bench.image(content), bench.image(content)];
    const script = `
      const driver = new BlockDriver();
      const slow = openSync(args.slow, { driver, access: 'pio', mode: 'r+', lock: false });
      const quick = openSync(args.quick, { driver, access: 'pio', mode: 'r+', lock: false });
      const order = [];
      await slow.write(Buffer.alloc(512), 0);
      const flush = slow.flush().then(() => order.push('slow'));
      for (let i = 0; i < 20; i += 1) await quick.write(Buffer.alloc(512, i), i * 512);
      order.push('quick');
      await flush;
      report(order);
      await slow.close();
      await quick.close();`;
    const inject = ['fdatasync:delay_enter=1500000:when=1'];
    const result = await strace(script, { args: { slow, quick }, calls: ['fdatasync'], inject, only: slow });
    expect(result).toMatchObject({ code: 0, stderr: '', reports: [['quick', 'slow']] });
    expect(result.calls.some(({ injected }) => injected)).toBe(true);
  });
});

test('many devices of one driver share the queue and all get their turn', async () => {
  const driver = bench.driver({ queueDepth: 4, minorCount: 30 });
  const devices = Array.from({ length: 30 }, (_, i) => {
    const minor = driver.registerSync(bench.image(pattern(64 * KiB, i + 1)));
    return bench.keep(driver.openSync(minor, { mode: 'r+', access: ACCESSES[i % 3]! }));
  });
  const rounds = Array.from({ length: 20 }, (_, round) =>
    devices.map((device) => (round % 5 === 4 ? device.flush() : device.read(Buffer.alloc(4096), round * 3000))),
  );
  const results = await Promise.all(rounds.flat());
  for (const [i, result] of results.entries()) {
    const [round, index] = [Math.floor(i / 30), i % 30];
    if (!result) continue;
    const expected = pattern(64 * KiB, index + 1).subarray(round * 3000, round * 3000 + 4096);
    expect(result.buffer.equals(expected)).toBe(true);
  }
  expect(driver.counters().ioTotal).toBe(30 * 16);
});

test('promises of one device settle for sync calls made meanwhile too', async () => {
  const device = bench.device(bench.image(content), { mode: 'r+' }, { queueDepth: 1, workers: 1 });
  const pending = Array.from({ length: 50 }, (_, i) => device.write(Buffer.alloc(4096, i), i * 4096));
  for (let i = 0; i < 50; i += 1) expect(device.readSync(Buffer.alloc(512), SIZE - 512 * (i + 1))).toBe(512);
  await Promise.all(pending);
  expect(device.driver.counters().ioTotal).toBe(100);
});
