// Batches and leases in worker threads: side by side, and when their thread ends under them.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { reportsFrom, runChild } from '../support/child';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const content = pattern(MiB);
const MAPPED = ['auto', 'mmap'] as const;

const JOB = `
  const { workerData, parentPort } = require('node:worker_threads');
  const { BlockDriver, BATCH_WRITE } = require('rumpblk');
  const { file, access, id } = workerData;
  const driver = new BlockDriver({ windowSize: 65536, windowCount: 4 });
  const device = driver.openSync(driver.registerSync(file), { mode: 'r+', access });
`;
const MAIN = `
  const { Worker } = require('node:worker_threads');
  const start = (job, data) => new Worker(args.job + job, { eval: true, workerData: data });
  const ended = (worker) => new Promise((resolve, reject) => {
    worker.on('message', (message) => { worker.message = message; });
    worker.on('error', reject);
    worker.on('exit', (code) => resolve([code, worker.message]));
  });
  // One that ends before it says more has failed; nothing else keeps this thread alive, so it would end without a word.
  const said = (worker) => new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error('the worker ended by itself, with ' + code)));
  });
`;

test.each(['auto', 'mmap', 'pio'] as const)(
  'batches of several threads run side by side, closed or not at their end, under %s',
  async (access) => {
    const files = Array.from({ length: 4 }, () => bench.image(content));
    const job = `
    (async () => {
      const batch = device.createBatch({ depth: 32 });
      let good = 0;
      for (let round = 0; round < 20; round += 1) {
        batch.op.fill(BATCH_WRITE); batch.bcount.fill(512); batch.fua.fill(round % 10 === 9 ? 1 : 0);
        for (let i = 0; i < 32; i += 1) { batch.blkno[i] = (round * 32 + i) * 2; batch.offset[i] = i * 512; }
        batch.arena.fill(id + round);
        good += round % 2 ? batch.runSync(32) : await batch.run(32);
        batch.op.fill(0);
        good += await batch.run(32);
        if (!batch.arena.subarray(0, 32 * 512).every((byte) => byte === id + round)) throw new Error('wrong bytes');
      }
      if (id % 2) { await device.close(); driver.close(); }
      parentPort.postMessage(good);
    })();`;
    const script = `${MAIN}
    report(await Promise.all(args.files.map((file, i) => ended(start(args.work, { file, access: args.access, id: 10 * i + i % 2 })))));`;
    const [answers] = await reportsFrom(script, { args: { job: JOB, work: job, files, access } });
    expect(answers).toEqual(Array(4).fill([0, 1280]));
    for (const [i, file] of files.entries()) {
      const expected = Buffer.from(content);
      for (let k = 0; k < 640; k += 1) expected.fill(10 * i + (i % 2) + Math.floor(k / 32), k * 1024, k * 1024 + 512);
      expect(readFileSync(file).equals(expected)).toBe(true);
    }
  },
);

test.each(MAPPED)('leases of several threads see their stores in the file, released or not at their end, under %s', async (access) => {
  const files = Array.from({ length: 4 }, () => bench.image(content));
  const job = `
    const views = [0, 1, 2].map((window) => device.mapSync(window * 65536 + 7, 1000));
    for (const { bytes } of views) bytes.fill(id);
    const reader = driver.openSync(0, { access });
    const own = reader.mapSync(0, 3000);
    own.bytes.fill(255);
    if (id % 2) for (const view of [...views, own]) view.release();
    parentPort.postMessage(views.map(({ bytes }) => bytes.length));`;
  const script = `${MAIN}
    report(await Promise.all(args.files.map((file, i) => ended(start(args.work, { file, access: args.access, id: i + 1 })))));`;
  const [answers] = await reportsFrom(script, { args: { job: JOB, work: job, files, access } });
  expect(answers).toEqual([1, 2, 3, 4].map((id) => [0, Array(3).fill(id % 2 ? 0 : 1000)]));
  for (const [i, file] of files.entries()) {
    const expected = Buffer.from(content);
    for (const window of [0, 1, 2]) expected.fill(i + 1, window * 65536 + 7, window * 65536 + 1007);
    expect(readFileSync(file).equals(expected)).toBe(true);
  }
});

test.each(MAPPED)('views and columns are not transferred to another thread, and stay good, under %s', async (access) => {
  const script = `${MAIN}
    const { MessageChannel } = require('node:worker_threads');
    const device = openSync(args.file, { mode: 'r+', access: args.access });
    const view = device.mapSync(0, 4096);
    const batch = device.createBatch({ depth: 4 });
    const { port1 } = new MessageChannel();
    const names = [];
    for (const { buffer } of [view.bytes, batch.error]) {
      // Node 20 leaves it where it is, later ones throw.
      try { port1.postMessage(null, [buffer]); } catch (error) { names.push(error.name); }
    }
    port1.close();
    report([names.every((name) => name === 'DataCloneError'), view.bytes.length, batch.error.length, batch.runSync(4), view.bytes[5]]);
    await device.close();`;
  expect(await reportsFrom(script, { args: { job: JOB, file: bench.image(content), access } })).toEqual([[true, 4096, 4, 4, content[5]]]);
});

describe('terminate() leaves the rest of the process well, and the locks free', () => {
  const busy = `
    const batch = device.createBatch({ depth: 64 });
    batch.op.fill(BATCH_WRITE); batch.bcount.fill(4096);
    for (let i = 0; i < 64; i += 1) { batch.blkno[i] = i * 8; batch.offset[i] = i * 4096; }
    const views = [];
    const load = () => {
      batch.run(64).then(load);
      if (access !== 'pio') for (let i = 0; i < 20; i += 1) { const view = device.mapSync(0, 100); view.bytes[0] += 1; views.push(view); if (i % 2) views.shift().release(); }
      parentPort.postMessage('busy');
    };
    load();`;

  test.each(['auto', 'mmap', 'pio'] as const)('in the middle of batches and leases, under %s', async (access) => {
    const files = [bench.image(content), bench.image(content)];
    const script = `${MAIN}
      const device = openSync(args.files[1], { mode: 'r+', access: args.access });
      const batch = device.createBatch({ depth: 4 });
      batch.bcount.fill(512);
      const view = args.access === 'pio' ? undefined : device.mapSync(0, 64);
      for (let round = 0; round < 6; round += 1) {
        const worker = start(args.busy, { file: args.files[0], access: args.access, id: round });
        // A little further into its work each time.
        for (let i = 0; i <= round; i += 1) await said(worker);
        await worker.terminate();
        report([batch.runSync(4), await batch.run(4), view?.bytes[5] ?? args.fifth]);
      }
      const again = openSync(args.files[0], { mode: 'r+' });
      report(again.readSync(Buffer.alloc(512), 0));
      await again.close();
      await device.close();`;
    const reports = await reportsFrom(script, { args: { job: JOB, busy, files, access, fifth: content[5] } });
    expect(reports).toEqual([...Array(6).fill([4, 4, content[5]]), 512]);
  });

  test('in the middle of any call', async () => {
    const calls = [
      'device.mapSync(0, 100).release()',
      'device.mapSync(0, 100)[Symbol.dispose]()',
      'device.createBatch({ depth: 1, arena: 512 })',
      'batch.runSync(1)',
      'device.windows()',
      'driver.counters()',
      "device.ioctl('DIOCGDINFO')",
      'driver.openSync(0).closeSync()',
      'driver.minors()',
      'new BlockDriver().close()',
    ];
    // Each worker does nothing else, so that its end finds it in there.
    const endless = `
      const batch = device.createBatch({ depth: 1 });
      batch.bcount[0] = 512;
      const call = new Function('device', 'driver', 'batch', 'BlockDriver', id);
      parentPort.postMessage('busy');
      for (;;) call(device, driver, batch, BlockDriver);`;
    const script = `${MAIN}
      for (let round = 0; round < 8; round += 1) {
        const workers = args.calls.map((call) => start(args.endless, { file: args.file, access: 'auto', id: call }));
        await Promise.all(workers.map(said));
        await Promise.all(workers.map((worker) => worker.terminate()));
      }
      report('survived');`;
    const args = { job: JOB.replace("mode: 'r+'", "mode: 'r'"), calls, endless, file: bench.image(content) };
    expect(await reportsFrom(script, { args })).toEqual(['survived']);
  }, 60_000);

  test.each(MAPPED)('and of the process itself, under %s', async (access) => {
    for (let round = 0; round < 3; round += 1) {
      const files = [bench.image(content), bench.image(content.subarray(0, 512 * KiB))];
      const script = `${MAIN}
        const workers = args.files.map((file) => start(args.busy, { file, access: args.access, id: 1 }));
        await Promise.all(workers.map(said));
        process.exit(5);`;
      expect(await runChild(script, { args: { job: JOB, busy, files, access } })).toMatchObject({ code: 5, signal: null, stderr: '' });
    }
  });
});
