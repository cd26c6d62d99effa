// The memory that promise forms run on: bounded for each driver, whatever is asked for, and shared by its devices in turn.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { BlockDriver, openSync } from 'rumpblk';
import { reportsFrom } from '../support/child';
import { failure, refusal } from '../support/failure';
import { testWith } from '../support/peers';
import { ACCESSES, KiB, MiB, pattern, rig } from '../support/rig';
import { STRACE, isSync, strace, SYNC_CALLS } from '../support/strace';

const bench = rig();
const traced = testWith(...STRACE);
const SIZE = 8 * MiB;
const content = pattern(SIZE);
const LITTLE = { requestMemory: MiB };

/** Bytes by which the process of the script grew at its largest while `body` ran: its own memory, without pages of files. */
const grown = (body: string): string => `
  const status = (key) => Number(new RegExp(key + ':\\\\s+(\\\\d+)').exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
  // The high-water mark starts anew from what is resident now.
  fs.writeFileSync('/proc/self/clear_refs', '5');
  const before = status('VmRSS');
  ${body}
  report(status('VmHWM') - before);`;

describe('issue 13: the memory under way', () => {
  test('of 200 writes of 4 MiB at once is not 800 MiB', async () => {
    const file = bench.image(Buffer.alloc(4 * MiB));
    const script = `
      const device = openSync(args, { mode: 'r+', access: 'pio', lock: false });
      const data = Buffer.alloc(${4 * MiB}, 1);
      ${grown('await Promise.all(Array.from({ length: 200 }, () => device.write(data, 0)));')}
      await device.close();`;
    const [bytes] = await reportsFrom(script, { args: file });
    expect(bytes).toBeLessThan(120 * MiB);
  });

  test('of one long read is no copy of it', async () => {
    const file = bench.path('long');
    const script = `
      fs.writeFileSync(args, '');
      fs.truncateSync(args, ${256 * MiB});
      const device = openSync(args, { access: 'pio', lock: false });
      const data = Buffer.alloc(${256 * MiB}, 1);
      ${grown('report((await device.read(data, 0)).bytesRead);')}
      report(data.indexOf(1) === -1);
      await device.close();`;
    const [read, bytes, right] = await reportsFrom(script, { args: file });
    expect([read, right]).toEqual([256 * MiB, true]);
    expect(bytes).toBeLessThan(64 * MiB);
  });

  test('of batches counts as well', async () => {
    const file = bench.image(Buffer.alloc(4 * MiB));
    const script = `
      const driver = new BlockDriver({ requestMemory: ${8 * MiB} });
      const device = openSync(args, { driver, mode: 'r+', access: 'pio', lock: false });
      const batches = Array.from({ length: 40 }, () => {
        const batch = device.createBatch({ depth: 1, arena: ${4 * MiB} });
        batch.arena.fill(1);
        batch.op[0] = rumpblk.BATCH_WRITE;
        batch.bcount[0] = ${4 * MiB};
        return batch;
      });
      ${grown('report(await Promise.all(batches.map((batch) => batch.run(1))));')}
      await device.close();
      driver.close();`;
    const [succeeded, bytes] = await reportsFrom(script, { args: file });
    expect(succeeded).toEqual(new Array(40).fill(1));
    expect(bytes).toBeLessThan(40 * MiB);
  });
});

describe.each(ACCESSES)('issue 13: with 1 MiB of it under %s', (access) => {
  test('long reads and writes move every byte, at any position', async () => {
    const file = bench.image(content);
    const device = bench.device(file, { access, mode: 'r+' }, LITTLE);
    for (const [position, length] of [
      [0, SIZE],
      [1, SIZE - 1],
      [12345, 3 * MiB + 77],
      [SIZE - MiB - 1, MiB + 1],
    ] as const) {
      const { bytesRead, buffer } = await device.read(Buffer.alloc(length), position);
      expect(bytesRead).toBe(length);
      expect(buffer.equals(content.subarray(position, position + length))).toBe(true);
    }
    const next = pattern(SIZE, 2);
    expect((await device.write(next.subarray(5), 5)).bytesWritten).toBe(SIZE - 5);
    expect((await device.strategy({ op: 'write', blkno: 0, data: next.subarray(0, 512) })).resid).toBe(0);
    await device.flush();
    expect(readFileSync(file).equals(next)).toBe(true);
  });

  test('many at once all arrive, and each is one request to who counts', async () => {
    const file = bench.image(content);
    const device = bench.device(file, { access, mode: 'r+' }, LITTLE);
    const next = pattern(SIZE, 3);
    await Promise.all(Array.from({ length: 4 }, (_, i) => device.write(next.subarray(i * 2 * MiB, (i + 1) * 2 * MiB), i * 2 * MiB)));
    const reads = await Promise.all(Array.from({ length: 30 }, (_, i) => device.read(Buffer.alloc(2 * MiB), i * 100_000)));
    for (const [i, { buffer }] of reads.entries()) expect(buffer.equals(next.subarray(i * 100_000, i * 100_000 + 2 * MiB))).toBe(true);
    expect(device.driver.counters()).toMatchObject({ ioTotal: 34, bytesRead: 60 * MiB, bytesWritten: SIZE });
  });

  test('a long one that meets the end is short, and one behind it is EINVAL', async () => {
    const device = bench.device(bench.image(content), { access, mode: 'r+' }, LITTLE);
    // The end on a part's edge, and off it.
    for (const position of [SIZE - 3 * MiB, SIZE - 3 * MiB + 5]) {
      const { bytesRead, buffer } = await device.read(Buffer.alloc(5 * MiB), position);
      expect(bytesRead).toBe(SIZE - position);
      expect(buffer.subarray(0, bytesRead).equals(content.subarray(position))).toBe(true);
      expect(buffer.subarray(bytesRead).every((byte) => byte === 0)).toBe(true);
      expect((await device.write(buffer, position, { fua: true })).bytesWritten).toBe(SIZE - position);
    }
    expect(await failure(() => device.read(Buffer.alloc(2 * MiB), SIZE + 1), 'EINVAL')).toMatchObject({ bytesTransferred: 0 });
  });

  test('raw ones go on chunk by chunk', async () => {
    const file = bench.image(content);
    const device = bench.device(file, { access, mode: 'r+', raw: true, cache: 'writeback' }, LITTLE);
    expect((await device.read(Buffer.alloc(SIZE), 0)).buffer.equals(content)).toBe(true);
    const next = pattern(SIZE, 4);
    await device.write(next, 0);
    expect(readFileSync(file).equals(next)).toBe(true);
    expect(device.driver.counters()).toMatchObject({ ioTotal: 2 * (SIZE / (64 * KiB)) });
  });

  test('an injected fault fails all of a long one, once', async () => {
    const device = bench.device(bench.image(content), { access, mode: 'r+' }, { ...LITTLE, faults: { rate: 10000, seed: 1 } });
    for (const call of [() => device.read(Buffer.alloc(SIZE), 512), () => device.write(Buffer.alloc(SIZE - 512), 512)]) {
      expect(await failure(call, 'EIO')).toMatchObject({ bytesTransferred: 0, injected: true, blkno: 1 });
    }
    expect(device.driver.counters()).toMatchObject({ faultsInjected: 2, ioTotal: 0 });
  });

  test('memory that is detached meanwhile is EFAULT, for those that wait too, and harms nothing', async () => {
    const file = bench.image(content);
    const device = bench.device(file, { access, mode: 'r+' }, { ...LITTLE, workers: 1 });
    // Those that were through before their memory went are fulfilled; rounds go on until some still waited then.
    for (let waited = 0; waited < 2;) {
      const views = Array.from({ length: 16 }, () => new Uint8Array(2 * MiB));
      const calls = views.map((view, i) => (i % 2 === 0 ? device.write(view, 0) : device.read(view, 4 * MiB)));
      for (const view of views) structuredClone(view, { transfer: [view.buffer] });
      for (const outcome of await Promise.allSettled(calls)) {
        if (outcome.status === 'fulfilled') continue;
        expect(outcome.reason).toMatchObject({ code: 'EFAULT' });
        waited += 1;
      }
    }
    expect((await device.read(Buffer.alloc(MiB), 4 * MiB)).buffer.equals(content.subarray(4 * MiB, 5 * MiB))).toBe(true);
  });

  test('an abort ends those that wait at once, and the others soon', async () => {
    const device = bench.device(bench.image(content), { access, mode: 'r+' }, LITTLE);
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: 20 }, (_, i) =>
      i % 2 === 0 ? device.write(Buffer.alloc(SIZE), 0, { signal }) : device.read(Buffer.alloc(SIZE), 0, { signal }),
    );
    const last = device.write(content, 0);
    controller.abort(new Error('enough'));
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes.filter(({ status }) => status === 'rejected').length).toBeGreaterThanOrEqual(18);
    expect((await last).bytesWritten).toBe(SIZE);
    expect((await device.read(Buffer.alloc(SIZE), 0)).buffer.equals(content)).toBe(true);
  });

  test('a close waits for all that was asked for', async () => {
    const file = bench.image(Buffer.alloc(SIZE));
    const device = openSync(file, { access, mode: 'r+', driver: new BlockDriver(LITTLE) });
    const writes = Array.from({ length: 8 }, (_, i) => device.write(content.subarray(i * MiB, (i + 1) * MiB), i * MiB));
    const closed = device.close();
    expect((await Promise.all(writes)).every(({ bytesWritten }) => bytesWritten === MiB)).toBe(true);
    await closed;
    device.driver.close();
    expect(readFileSync(file).equals(content)).toBe(true);
  });
});

describe('issue 13: while requests wait for memory', () => {
  const setUp = `
    const driver = new BlockDriver({ requestMemory: ${MiB}, workers: 1 });
    const device = openSync(args, { driver, mode: 'r+', access: 'pio', lock: false });
    const writes = Array.from({ length: 50 }, () => device.write(Buffer.alloc(${2 * MiB}), 0));`;

  test('a process may exit', async () => {
    const [value] = await reportsFrom(`${setUp} report(writes.length); process.exit(0);`, { args: bench.image(content) });
    expect(value).toBe(50);
  });

  test('a worker thread may end', async () => {
    const script = `
      const { Worker } = require('node:worker_threads');
      const code = 'const { BlockDriver, openSync } = require("rumpblk"); const args = require("node:worker_threads").workerData;'
        + args.setUp + 'require("node:worker_threads").parentPort.postMessage(writes.length);';
      for (let i = 0; i < 5; i += 1) {
        const worker = new Worker(code, { eval: true, workerData: args.file });
        await new Promise((resolve) => worker.once('message', resolve));
        report(await worker.terminate());
      }`;
    expect(await reportsFrom(script, { args: { file: bench.image(content), setUp } })).toEqual([1, 1, 1, 1, 1]);
  });

  test('the event loop stays alive for them', async () => {
    const script = `${setUp} Promise.all(writes).then(async (all) => { report(all.length); await device.close(); driver.close(); });`;
    expect(await reportsFrom(script, { args: bench.image(content) })).toEqual([50]);
  });

  traced('another device has its turn', async () => {
    const [flooded, other] = [bench.image(content), bench.image(content)];
    const script = `
      const driver = new BlockDriver({ requestMemory: ${MiB} });
      const options = { driver, mode: 'r+', access: 'pio', lock: false };
      const [flooded, other] = [openSync(args.flooded, options), openSync(args.other, options)];
      let settled = 0;
      const writes = Array.from({ length: 60 }, () => flooded.write(Buffer.alloc(${512 * KiB}), 0).then(() => { settled += 1; }));
      const long = flooded.write(Buffer.alloc(${4 * MiB}), 0).then(() => { settled += 1; });
      await Promise.all([other.write(Buffer.alloc(512), 0), other.read(Buffer.alloc(${MiB}), 0)]);
      report(settled);
      await Promise.all([...writes, long]);
      report(settled);
      await flooded.close();
      await other.close();`;
    const calls = ['pwrite64', 'pwritev', 'pwritev2'];
    const inject = calls.map((call) => `${call}:delay_enter=5000`);
    const result = await strace(script, { args: { flooded, other }, calls, inject, only: flooded });
    expect(result).toMatchObject({ code: 0, stderr: '', reports: [expect.any(Number), 61] });
    expect(result.reports[0]).toBeLessThan(30);
  });
});

traced('issue 13: a long durable write is synced once, behind its last part', async () => {
  const script = `
    for (const access of ['auto', 'pio']) {
      const device = openSync(args, { access, mode: 'r+', lock: false });
      mark(access);
      await device.write(Buffer.alloc(${4 * MiB}, 1), 4096, { fua: true });
      mark('end');
      report(device.driver.counters().flushes);
      await device.close();
    }`;
  const result = await strace(script, { args: bench.image(content), calls: SYNC_CALLS });
  expect(result).toMatchObject({ code: 0, stderr: '' });
  for (const access of ['auto', 'pio']) {
    const calls = result.after(access);
    expect(calls.filter(isSync)).toHaveLength(1);
    expect(isSync(calls.at(-1)!)).toBe(true);
  }
});

test('requestMemory is whole bytes from 1 MiB up', async () => {
  for (const wrong of [0, -1, MiB - 1, 1.5 * MiB + 0.5, Infinity, NaN]) {
    expect(await refusal(() => new BlockDriver({ requestMemory: wrong }))).toBe('ERR_OUT_OF_RANGE');
  }
  for (const wrong of [null, '64', 1n, {}]) {
    expect(await refusal(() => new BlockDriver({ requestMemory: wrong as number }))).toBe('ERR_INVALID_ARG_TYPE');
  }
  new BlockDriver({ requestMemory: Number.MAX_SAFE_INTEGER }).close();
});
