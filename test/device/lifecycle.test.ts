// Processes and workers that end at every stage of a device's life, and devices that nobody closes.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { reportsFrom, runChild } from '../support/child';
import { ACCESSES, MiB, pattern, rig } from '../support/rig';

const bench = rig();

// `global` keeps what was made: a device that is collected would end in another way.
const STAGES: [name: string, script: string][] = [
  ['loaded', ''],
  ['a driver made', 'global.driver = new BlockDriver();'],
  ['registered', 'global.driver = new BlockDriver(); driver.registerSync(args.file);'],
  ['registering', 'global.driver = new BlockDriver(); driver.register(args.file).catch(() => {});'],
  ['open', "global.device = openSync(args.file, { mode: 'r+', access: args.access });"],
  ['opening', "open(args.file, { mode: 'r+', access: args.access }).catch(() => {});"],
  [
    'sync I/O done',
    "global.device = openSync(args.file, { mode: 'r+', access: args.access }); device.writeSync(Buffer.alloc(512), 0); device.readSync(Buffer.alloc(512), 0);",
  ],
  [
    'I/O in flight',
    `global.device = openSync(args.file, { mode: 'r+', access: args.access });
     for (let i = 0; i < 300; i += 1) {
       device.read(Buffer.alloc(100000), i * 512).catch(() => {});
       device.write(Buffer.alloc(5000), i * 512, { fua: i % 50 === 0 }).catch(() => {});
     }`,
  ],
  [
    'flushing',
    "global.device = openSync(args.file, { mode: 'r+', access: args.access }); device.writeSync(Buffer.alloc(MiB), 0); device.flush().catch(() => {});",
  ],
  [
    'closing',
    `global.device = openSync(args.file, { mode: 'r+', access: args.access });
     for (let i = 0; i < 50; i += 1) device.write(Buffer.alloc(5000), i * 512).catch(() => {});
     device.close().catch(() => {});`,
  ],
  ['closed', 'global.device = openSync(args.file, { access: args.access }); device.readSync(Buffer.alloc(512), 0); device.closeSync();'],
];
const ENDS: [name: string, script: string, code: number][] = [
  ['its natural end', '', 0],
  ['process.exit', 'process.exit(7);', 7],
  ['process.exit in a later turn', 'setImmediate(() => process.exit(7)); await new Promise(() => {});', 7],
  ['an uncaught error', "throw new Error('mine');", 1],
];

describe.each(STAGES)('a process with a device %s', (_stage, stage) => {
  test.each(ENDS)('ends cleanly by %s', async (_end, end, code) => {
    const outcomes = await Promise.all(
      (stage.includes('args.access') ? ACCESSES : ['auto']).map((access) => {
        const file = bench.image(pattern(MiB));
        return runChild(`const MiB = 1048576; ${stage}\n${end}`, { args: { file, access } });
      }),
    );
    for (const { stderr, ...outcome } of outcomes) {
      expect(outcome).toMatchObject({ code, signal: null });
      if (code === 1) expect(stderr).toContain('Error: mine');
      else expect(stderr).toBe('');
    }
  });
});

test.each(ACCESSES)('B47: what completed outlives a process that is killed, deferred or not, under %s', async (access) => {
  const file = bench.image(Buffer.alloc(MiB));
  const script = `
    const device = openSync(args.file, { mode: 'r+', access: args.access });
    for (let i = 0; i < 100; i += 1) {
      if (i % 2) await device.strategy({ op: 'write', blkno: i, data: Buffer.alloc(512, i + 1), deferred: true });
      else await device.write(Buffer.alloc(512, i + 1), i * 512);
    }
    device.write(Buffer.alloc(400000, 200), 500000).catch(() => {});
    process.kill(process.pid, 'SIGKILL');`;
  expect(await runChild(script, { args: { file, access } })).toMatchObject({ code: null, signal: 'SIGKILL' });
  const content = readFileSync(file);
  for (let i = 0; i < 100; i += 1) expect(content.subarray(i * 512, i * 512 + 512).equals(Buffer.alloc(512, i + 1))).toBe(true);
});

describe('the event loop', () => {
  test('what was asked for before the natural end is done', async () => {
    const file = bench.image(Buffer.alloc(MiB));
    const script = `
      global.device = openSync(args, { mode: 'r+' });
      for (let i = 0; i < 200; i += 1) device.write(Buffer.alloc(5000, 1 + i), i * 5000).then(() => report(i));`;
    const { code, reports } = await runChild(script, { args: file });
    expect([code, reports.length]).toEqual([0, 200]);
    const content = readFileSync(file);
    for (let i = 0; i < 200; i += 1) expect(content.subarray(i * 5000, i * 5000 + 5000).equals(Buffer.alloc(5000, 1 + i))).toBe(true);
  });

  test('an idle open device does not keep the process, though its threads have started', async () => {
    const file = bench.image(pattern(MiB));
    const script =
      "const device = await open(args, { mode: 'r+' }); global.device = device; await device.write(Buffer.alloc(512), 0); report('idle');";
    expect(await reportsFrom(script, { args: file })).toEqual(['idle']);
  });
});

describe('worker threads', () => {
  const job = `
    const { workerData, parentPort } = require('node:worker_threads');
    const { BlockDriver, BlockDeviceError } = require('rumpblk');
    (async () => {
      const driver = new BlockDriver();
      const minor = await driver.register(workerData.file);
      const device = await driver.open(minor, { mode: 'r+', access: workerData.access });
      await Promise.all(Array.from({ length: 200 }, (_, i) => device.write(Buffer.alloc(512, workerData.id), i * 512)));
      const got = Buffer.alloc(512);
      device.readSync(got, 199 * 512);
      const error = await device.read(got, 1e9).catch((e) => e);
      const { ioTotal } = driver.counters();
      if (workerData.close) { await device.close(); driver.close(); }
      parentPort.postMessage({ first: got[0], minor, ioTotal, code: error.code, brand: error instanceof BlockDeviceError });
    })();`;
  const main = `
    const { Worker } = require('node:worker_threads');
    const start = (data) => new Promise((resolve, reject) => {
      const worker = new Worker(args.job, { eval: true, workerData: data });
      worker.on('message', (message) => { worker.message = message; });
      worker.on('error', reject);
      worker.on('exit', (code) => resolve({ code, ...worker.message }));
    });`;

  test('several at once work, each with a table of its own, closed or not at their end', async () => {
    const files = Array.from({ length: 6 }, () => bench.image(pattern(MiB)));
    const script = `${main}
      const device = openSync(args.own);
      for (let round = 0; round < 3; round += 1) {
        report(await Promise.all(args.files.map((file, i) =>
          start({ file, id: i + 1, close: i % 2 === 0, access: ['auto', 'mmap', 'pio'][i % 3] }))));
      }
      report(device.readSync(Buffer.alloc(512), 0));
      await device.close();`;
    const args = { job, files, own: bench.image(pattern(MiB)) };
    const reports = await reportsFrom(script, { args });
    const answers = files.map((_, i) => ({ code: 'EINVAL', first: i + 1, minor: 0, ioTotal: 201, brand: true }));
    expect(reports).toEqual([answers, answers, answers, 512]);
  });

  test.each(ACCESSES)('terminate() in the middle of its I/O leaves the rest of the process well, under %s', async (access) => {
    const files = [bench.image(pattern(4 * MiB)), bench.image(pattern(4 * MiB))];
    const busy = `
      const { workerData, parentPort } = require('node:worker_threads');
      const { openSync } = require('rumpblk');
      const device = openSync(workerData.file, { mode: 'r+', access: workerData.access });
      const load = () => {
        for (let i = 0; i < 100; i += 1) device.write(Buffer.alloc(20000, 1), (i * 30000) % 4000000, { fua: i % 30 === 0 }).catch(() => {});
        for (let i = 0; i < 100; i += 1) device.read(Buffer.alloc(20000), (i * 30000) % 4000000).catch(() => {});
        parentPort.postMessage('busy');
        setImmediate(load);
      };
      load();`;
    const script = `
      const { Worker } = require('node:worker_threads');
      const device = openSync(args.files[1], { mode: 'r+', access: args.access });
      for (let round = 0; round < 5; round += 1) {
        const worker = new Worker(args.busy, { eval: true, workerData: { file: args.files[0], access: args.access } });
        await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
        await worker.terminate();
        await device.write(Buffer.alloc(512, round), round * 512);
        report((await device.read(Buffer.alloc(512), round * 512)).buffer[0]);
      }
      // The locks of the ended workers are gone.
      const again = openSync(args.files[0], { mode: 'r+' });
      report(again.readSync(Buffer.alloc(512), 0));
      await again.close();
      await device.close();`;
    expect(await reportsFrom(script, { args: { busy, files, access } })).toEqual([0, 1, 2, 3, 4, 512]);
  });

  test('one that ends while a close waits for requests leaves no lock and no descriptor', async () => {
    const file = bench.image(pattern(MiB));
    const closing = `
      const { workerData } = require('node:worker_threads');
      const { BlockDriver, openSync } = require('rumpblk');
      const device = openSync(workerData, { mode: 'r+', driver: new BlockDriver({ workers: 1 }) });
      for (let i = 0; i < 200; i += 1) device.write(Buffer.alloc(5000), i * 5000, { fua: true }).catch(() => {});
      device.close().catch(() => {});
      process.exit(0);`;
    const script = `
      const { Worker } = require('node:worker_threads');
      const held = () => fs.readdirSync('/proc/self/fd').filter((fd) => {
        try { return fs.readlinkSync('/proc/self/fd/' + fd) === args.file; } catch { return false; }
      }).length;
      for (let round = 0; round < 3; round += 1) {
        const worker = new Worker(args.closing, { eval: true, workerData: args.file });
        report(await new Promise((resolve, reject) => { worker.once('exit', resolve); worker.once('error', reject); }));
      }
      report(held());
      const again = openSync(args.file, { mode: 'r+' });
      report(again.readSync(Buffer.alloc(512), 0));
      await again.close();`;
    expect(await reportsFrom(script, { args: { closing, file } })).toEqual([0, 0, 0, 0, 512]);
  });

  test('a process that exits with workers at work ends cleanly', async () => {
    const files = [1, 2, 3].map(() => bench.image(pattern(MiB)));
    const script = `${main}
      for (const file of args.files) start({ file, id: 1, close: false, access: 'mmap' });
      const device = openSync(args.own, { mode: 'r+' });
      for (let i = 0; i < 100; i += 1) device.write(Buffer.alloc(5000), i * 512).catch(() => {});
      setImmediate(() => process.exit(3));`;
    for (let round = 0; round < 5; round += 1) {
      const outcome = await runChild(script, { args: { job, files, own: bench.image(pattern(MiB)) } });
      expect(outcome).toMatchObject({ code: 3, signal: null });
    }
  });
});

describe('garbage collection', () => {
  const collect = `
    const warnings = [];
    process.on('warning', (warning) => warnings.push({ name: warning.name, code: warning.code, message: warning.message }));
    const held = () => fs.readdirSync('/proc/self/fd').filter((fd) => {
      try { return fs.readlinkSync('/proc/self/fd/' + fd).startsWith(args); } catch { return false; }
    }).length;
    const until = async (done) => {
      for (let turn = 0; turn < 10000 && !done(); turn += 1) { if (turn % 100 === 0) gc(); await new Promise(setImmediate); }
    };`;

  test('closes a device that nobody holds, with a warning that has a code', async () => {
    const file = bench.image(pattern(MiB));
    const script = `${collect}
      await (async () => { const device = openSync(args, { mode: 'r+' }); device.writeSync(Buffer.alloc(512, 9), 0); })();
      report(held() > 0);
      await until(() => warnings.length > 0 && held() === 0);
      report(warnings);
      report(held());
      const again = openSync(args, { mode: 'r+' });
      report(again.readSync(Buffer.alloc(512), 0));
      again.closeSync();`;
    const reports = await reportsFrom(script, { args: file, nodeFlags: ['--expose-gc', '--no-warnings'] });
    expect(reports).toEqual([
      true,
      [{ name: expect.any(String), code: expect.stringMatching(/^[A-Z_]+$/), message: expect.stringContaining(file) }],
      0,
      512,
    ]);
    expect(readFileSync(file)[0]).toBe(9);
  });

  test('does not close one whose request is in flight, and says nothing of closed ones', async () => {
    const file = bench.image(pattern(MiB));
    const script = `${collect}
      for (let i = 0; i < 20; i += 1) (await open(args)).closeSync();
      const pending = [];
      (() => { const device = openSync(args); for (let i = 0; i < 200; i += 1) pending.push(device.read(Buffer.alloc(50000), i * 512)); })();
      gc();
      const all = await Promise.all(pending);
      report(all.every(({ bytesRead }) => bytesRead === 50000));
      await until(() => held() === 0);
      report(warnings.length);`;
    expect(await reportsFrom(script, { args: file, nodeFlags: ['--expose-gc', '--no-warnings'] })).toEqual([true, 1]);
  });

  test('a driver is kept by its devices', async () => {
    const file = bench.image(pattern(MiB));
    const script = `
      const device = (() => { const driver = new BlockDriver(); return driver.openSync(driver.registerSync(args)); })();
      for (let i = 0; i < 20; i += 1) { gc(); await new Promise(setImmediate); }
      report((await device.read(Buffer.alloc(512), 0)).bytesRead);
      report(device.driver.minors().length);
      await device.close();`;
    expect(await reportsFrom(script, { args: file, nodeFlags: ['--expose-gc'] })).toEqual([512, 1]);
  });
});

describe('close', () => {
  test('B16: waits for what is in flight; closeSync is EBUSY instead', async () => {
    const device = bench.device(bench.image(pattern(4 * MiB)), { mode: 'r+', access: 'pio' }, { workers: 1 });
    const writes = Array.from({ length: 100 }, (_, i) => device.write(Buffer.alloc(40000, i), i * 40000));
    expect(() => device.closeSync()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    expect(device.closed).toBe(false);
    const closing = device.close();
    expect(device.closed).toBe(true);
    expect(await Promise.all(writes)).toHaveLength(100);
    await closing;
    await device.close();
    device.closeSync();
  });

  test('using and await using close', async () => {
    const file = bench.image(pattern(MiB));
    const driver = bench.driver();
    driver.registerSync(file);
    const one = driver.openSync(0);
    one[Symbol.dispose]();
    const two = await driver.open(0);
    await two[Symbol.asyncDispose]();
    expect([one.closed, two.closed, driver.minors()[0]?.openCount]).toEqual([true, true, 0]);
    driver[Symbol.dispose]();
    expect(() => driver.minors()).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });
});
