// How long a medium lives, and what ends in the middle of its requests: references, the garbage collector, threads, aborts, closes.
import { expect, test } from '@jest/globals';
import { open } from 'rumpblk';
import { memory, nullMedium } from 'rumpblk/media';
import { reportsFrom, runChild } from '../support/child';
import { thrownBy } from '../support/failure';
import { GiB, KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const content = pattern(MiB);

const PRELUDE = `
  const { memory, nullMedium } = require('rumpblk/media');
  const { setImmediate: turn } = require('node:timers/promises');
  const MiB = 1 << 20, SIZE = 96 * MiB;
  const noise = require('node:crypto').randomBytes(MiB);
  const rss = () => process.memoryUsage.rss();
  const fill = (device) => { for (let at = 0; at < SIZE; at += MiB) device.writeSync(noise, at); };
  // Collections and finalisers until it holds; the test's own time is the limit.
  const until = async (holds) => { while (!holds()) { gc(); await turn(); } return true; };
`;
const GC = { nodeFlags: ['--expose-gc', '--no-warnings'] };

test('its memory goes with the last reference: variable, minor, device, in any order', async () => {
  const script = `${PRELUDE}
    const device = (medium) => openSync(medium, { mode: 'r+' });
    const holds = {
      variable: () => { let medium = memory({ size: SIZE }); const d = device(medium); fill(d); d.closeSync(); return () => { medium = undefined; }; },
      minor: () => {
        const driver = new BlockDriver();
        const minor = driver.registerSync(memory({ size: SIZE }));
        const d = driver.openSync(minor, { mode: 'r+' });
        fill(d);
        d.closeSync();
        return () => driver.deregister(minor);
      },
      'driver that is closed': () => {
        const driver = new BlockDriver();
        const d = driver.openSync(driver.registerSync(memory({ size: SIZE })), { mode: 'r+' });
        fill(d);
        d.closeSync();
        return () => driver.close();
      },
      device: () => { let d = device(memory({ size: SIZE })); fill(d); return () => { d.closeSync(); d = undefined; }; },
      'device that nobody closes': () => { let d = device(memory({ size: SIZE })); fill(d); return () => { d = undefined; }; },
    };
    for (const [name, hold] of Object.entries(holds)) {
      const before = rss();
      const release = hold();
      for (let i = 0; i < 3; i += 1) { gc(); await turn(); }
      const kept = rss() - before > SIZE / 2;
      release();
      report([name, kept, await until(() => rss() - before < SIZE / 4)]);
    }`;
  expect(await reportsFrom(script, GC)).toEqual(
    ['variable', 'minor', 'driver that is closed', 'device', 'device that nobody closes'].map((name) => [name, true, true]),
  );
});

test('a loop that makes disks and forgets them does not fill the memory', async () => {
  const script = `${PRELUDE}
    let most = 0;
    for (let i = 0; i < 24; i += 1) {
      const device = await open(memory({ size: SIZE }), { mode: 'r+' });
      fill(device);
      await device.close();
      most = Math.max(most, rss());
      await turn();
    }
    report(most < 8 * SIZE);`;
  expect(await reportsFrom(script, { nodeFlags: [] })).toEqual([true]);
});

test('opens and registrations go on when the medium is collected meanwhile', async () => {
  const script = `${PRELUDE}
    const driver = new BlockDriver({ minorCount: 100 });
    for (let round = 0; round < 20; round += 1) {
      const begun = [];
      for (let i = 0; i < 4; i += 1) {
        begun.push(driver.register(memory({ size: 4096 + round * 4 + i })).then((minor) => driver.open(minor, { mode: 'r+' })));
        begun.push(open(nullMedium({ size: 4096 }), { mode: 'r+' }), open(memory({ size: 4096 }), { mode: 'r+', driver }));
      }
      gc();
      await turn();
      gc();
      for (const device of await Promise.all(begun)) {
        await device.write(noise.subarray(0, 512), 0);
        await device.close();
      }
    }
    report(driver.minors().length);`;
  expect(await reportsFrom(script, GC)).toEqual([80]);
});

test('requests go on when nothing but they are left of the medium', async () => {
  const script = `${PRELUDE}
    let device = openSync(memory({ size: 64 * MiB }), { mode: 'r+' });
    const writes = Array.from({ length: 64 }, (_, i) => device.write(noise, i * MiB));
    const closed = device.close();
    device = undefined;
    gc();
    const results = await Promise.all(writes);
    await closed;
    report(results.every(({ bytesWritten }) => bytesWritten === MiB));`;
  expect(await reportsFrom(script, GC)).toEqual([true]);
});

test('each thread makes its own: what is posted to another is no medium', async () => {
  const script = `
    const { Worker } = require('node:worker_threads');
    const { memory } = require('rumpblk/media');
    const medium = memory({ size: 4096 });
    const worker = new Worker(\`
      const { parentPort, workerData } = require('node:worker_threads');
      const { openSync } = require('rumpblk');
      const { memory } = require('rumpblk/media');
      const answers = [];
      try { openSync(workerData); } catch (error) { answers.push(error.code); }
      const device = openSync(memory({ size: 4096 }), { mode: 'r+' });
      answers.push(device.writeSync(Buffer.alloc(512), 0));
      device.closeSync();
      parentPort.postMessage(answers);
    \`, { eval: true, workerData: medium });
    report(await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject)));
    report(openSync(medium).size);`;
  expect(await reportsFrom(script)).toEqual([['ERR_INVALID_ARG_TYPE', 512], 4096]);
});

test('a thread that is terminated in the middle of requests takes its media with it, and nothing else', async () => {
  const script = `${PRELUDE}
    const { Worker } = require('node:worker_threads');
    const own = openSync(memory({ size: MiB }), { mode: 'r+' });
    own.writeSync(noise, 0);
    const before = rss();
    for (let round = 0; round < 8; round += 1) {
      const worker = new Worker(\`
        const { parentPort } = require('node:worker_threads');
        const { open } = require('rumpblk');
        const { memory, nullMedium } = require('rumpblk/media');
        const data = Buffer.alloc(1 << 20, 1);
        (async () => {
          for (;;) {
            const device = await open(\${round % 2} === 0 ? memory({ size: 64 << 20 }) : nullMedium({ size: 64 << 20 }), { mode: 'r+' });
            const begun = Array.from({ length: 64 }, (_, i) => device.write(data, i << 20));
            parentPort.postMessage(0);
            await Promise.all(begun);
            await device.close();
          }
        })();
      \`, { eval: true });
      for (let i = 0; i < 1 + (round % 3); i += 1) await new Promise((resolve) => worker.once('message', resolve));
      await worker.terminate();
    }
    report(await until(() => rss() - before < 2 * SIZE));
    const data = Buffer.alloc(MiB);
    own.readSync(data, 0);
    report(data.equals(noise));
    own.closeSync();`;
  const ended = await runChild(script, GC);
  expect([ended.code, ended.signal, ended.reports]).toEqual([0, null, [true, true]]);
});

test('a process may end in the middle of requests', async () => {
  for (const end of ['process.exit(0)', 'process.reallyExit(0)', '']) {
    const script = `${PRELUDE}
      const device = openSync(memory({ size: 64 * MiB }), { mode: 'r+' });
      for (let i = 0; i < 64; i += 1) void device.write(noise, i * MiB);
      ${end}`;
    expect(await runChild(script, GC)).toMatchObject({ code: 0, signal: null });
  }
});

test.each([
  ['memory', () => memory({ size: GiB })],
  ['null', () => nullMedium({ size: 1024 * GiB })],
])('requests of %s are aborted, and a close waits for those in flight', async (_name, make) => {
  const device = bench.keep(await open(make(), { mode: 'r+', isolated: true }));
  const data = Buffer.alloc(64 * KiB, 7);
  for (let round = 0; round < 10; round += 1) {
    const controller = new AbortController();
    const begun = Array.from({ length: 64 }, (_, i) => device.write(data, i * data.length, { signal: controller.signal }));
    const settled = Promise.allSettled(begun);
    controller.abort(new Error('enough'));
    // Each was done, or was not and says why.
    for (const result of await settled) {
      if (result.status === 'rejected') expect(String(result.reason)).toBe('Error: enough');
      else expect(result.value.bytesWritten).toBe(data.length);
    }
  }
  const begun = Array.from({ length: 100 }, (_, i) => device.read(data, i * data.length));
  const closed = device.close();
  for (const { bytesRead } of await Promise.all(begun)) expect(bytesRead).toBe(data.length);
  await closed;
  expect(await thrownBy(() => device.read(data, 0))).toMatchObject({ code: 'EBADF' });
});

test('many devices of one medium, opened and closed while others read, see whole writes', async () => {
  const medium = memory({ size: MiB });
  const driver = bench.driver({ workers: 4 });
  const minor = await driver.register(medium);
  const writer = bench.keep(await driver.open(minor, { mode: 'r+' }));
  await writer.write(content, 0);
  await Promise.all(
    Array.from({ length: 16 }, async (_, lane) => {
      for (let i = 0; i < 20; i += 1) {
        const device = await driver.open(minor);
        const data = Buffer.alloc(4096);
        const at = ((lane * 20 + i) * 4096) % MiB;
        await Promise.all([device.read(data, at), writer.write(content.subarray(at, at + 4096), at)]);
        expect(data.equals(content.subarray(at, at + 4096))).toBe(true);
        await device.close();
      }
    }),
  );
  expect(driver.minors()[minor]!.openCount).toBe(1);
});
