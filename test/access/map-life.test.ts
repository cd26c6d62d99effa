// Leases in processes of their own: what a flush owes them, files that shrink under them, and ends that nobody asked for.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { reportsFrom, runChild } from '../support/child';
import { testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';
import { STRACE, SYNC_CALLS, isSync, strace } from '../support/strace';

const bench = rig();
const traced = testWith(...STRACE);
const MAPPED = ['auto', 'mmap'] as const;
const content = pattern(4 * MiB);
const EIO = { code: 'EIO', errno: -5, brand: true };

describe.each(MAPPED)('under %s', (access) => {
  traced(`what was stored through a lease is dirty until a flush that starts after its release (${access})`, async () => {
    const script = `
      const open = (mode) => openSync(args.file, { mode, access: args.access, lock: false });
      let disk = open('r+');
      const phases = {
        idle: () => disk.flushSync(),
        leased: () => { phases.view = disk.mapSync(5000, 100); phases.view.bytes[0] += 1; return disk.flush(); },
        stillLeased: () => disk.flushSync(),
        released: () => { phases.view.release(); return disk.flush(); },
        again: () => disk.flushSync(),
        unstored: () => { disk.mapSync(0, 10).release(); disk.flushSync(); },
        batch: () => { disk.mapSync(0, 10).release(); const batch = disk.createBatch({ depth: 1 }); batch.op[0] = 2; return batch.runSync(1); },
        closed: () => { disk.mapSync(0, 10).bytes[1] = 7; return disk.close(); },
        readOnly: () => { disk = open('r'); const view = disk.mapSync(0, 10); view.bytes[1] = 9; disk.flushSync(); view.release(); disk.flushSync(); return disk.close(); },
      };
      for (const name of Object.keys(phases)) { mark(name); await phases[name](); }
      mark('end');`;
    const file = bench.image(content);
    const result = await strace(script, { args: { file, access }, calls: SYNC_CALLS });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const expected = { idle: 0, leased: 1, stillLeased: 1, released: 1, again: 0, unstored: 1, batch: 1, closed: 1, readOnly: 0 };
    for (const [phase, count] of Object.entries(expected)) {
      expect({ phase, syncs: result.after(phase).filter(isSync).length }).toEqual({ phase, syncs: count });
    }
    expect(readFileSync(file)[1]).toBe(7);
  });

  for (const mode of ['r', 'r+'] as const) {
    test(`an image that shrinks under a lease kills nobody; release says EIO (${mode})`, async () => {
      const script = `
        const MiB = 1 << 20;
        const device = openSync(args.file, { mode: args.mode, access: args.access });
        const other = openSync(args.other, { mode: 'r+', access: args.access });
        const [gone, kept, edge, still] = [2 * MiB, 4096, MiB, 3 * MiB].map((position) => device.mapSync(position, 12288));
        const mine = other.mapSync(0, 100);
        fs.truncateSync(args.file, MiB + 5000);
        const seen = gone.bytes.every((byte) => byte === 0);
        gone.bytes.fill(6);
        edge.bytes[8192] = 1;
        const answer = {
          seen,
          stored: gone.bytes[0],
          kept: kept.bytes[100] === args.kept,
          releases: [await attempt(() => gone.release()), await attempt(() => kept.release()), await attempt(() => edge.release())],
          second: await attempt(() => gone.release()),
          // Nobody touched what is gone of it.
          untouched: await attempt(() => still.release()),
          detached: [gone, kept, edge].map(({ bytes }) => bytes.length),
        };
        if (args.mode === 'r+') answer.flush = await attempt(() => device.flush());
        answer.close = await attempt(() => device.close());
        mine.bytes.fill(5);
        mine.release();
        answer.other = [await attempt(() => other.flush()), other.readSync(Buffer.alloc(10), 0)];
        await other.close();
        report(answer);`;
      const file = bench.image(content);
      const args = { file, other: bench.image(content), access, mode, kept: content[4196] };
      const [answer] = await reportsFrom(script, { args });
      expect(answer).toMatchObject({
        ...{ seen: true, stored: 6, kept: true, detached: [0, 0, 0], second: {}, other: [{}, 10] },
        releases: [EIO, {}, EIO],
        untouched: {},
      });
      expect(answer.releases[0].lost).toEqual({ position: 2 * MiB, length: 12288 });
      expect(answer.releases[2].lost).toEqual({ position: MiB + 8192, length: 4096 });
      if (mode === 'r+') {
        expect(answer).toMatchObject({ flush: EIO, close: EIO });
        // The end that the image lacks is told by each, and what the views have lost lies in it.
        const missing = { position: MiB + 5000, length: content.length - MiB - 5000 };
        expect([answer.flush.lost, answer.close.lost]).toEqual([missing, missing]);
      }
      expect(readFileSync(file).length).toBe(MiB + 5000);
    });
  }

  test('a lease that is lost when its device closes is an EIO of close', async () => {
    const script = `
      const device = openSync(args.file, { mode: args.mode, access: args.access });
      const { bytes } = global.view = device.mapSync(2 << 20, 100);
      fs.truncateSync(args.file, 4096);
      bytes[0] = 1;
      report([await attempt(() => device[args.close]()), bytes.length, device.closed, await attempt(() => view.release())]);`;
    for (const mode of ['r', 'r+']) {
      for (const close of ['close', 'closeSync']) {
        const reports = await reportsFrom(script, { args: { file: bench.image(content), access, mode, close } });
        expect(reports).toEqual([[expect.objectContaining(EIO), 0, true, {}]]);
        if (mode === 'r+') expect(reports[0][0].lost).toEqual({ position: 4096, length: content.length - 4096 });
      }
    }
  });

  describe('garbage collection', () => {
    const options = { nodeFlags: ['--expose-gc', '--no-warnings'] };
    const until = `const until = async (done) => { for (let turn = 0; turn < 2000 && !done(); turn += 1) { if (turn % 20 === 0) gc(); await new Promise(setImmediate); } return done(); };`;

    test('of a view that nobody released ends its lease, with what was stored', async () => {
      const file = bench.image(content);
      const script = `${until}
        const driver = new BlockDriver({ windowSize: 1 << 20, windowCount: 2 });
        const device = openSync(args.file, { driver, mode: 'r+', access: args.access });
        (() => { device.mapSync(0, 100).bytes[0] = 0x5a; })();
        report((await attempt(() => device.mapSync(1 << 20, 1))).code);
        report(await until(() => device.windows().every(({ refs }) => refs === 0)));
        report((await attempt(() => device.mapSync(1 << 20, 1).release())).code ?? 'free');
        device.flushSync();
        report(driver.counters().flushes);
        await device.close();`;
      expect(await reportsFrom(script, { args: { file, access }, ...options })).toEqual(['EBUSY', true, 'free', 1]);
      expect(readFileSync(file)[0]).toBe(0x5a);
    });

    test('takes no view that is being made', async () => {
      // Array.isArray is what lib asks about each answer of native code: the moment between the two halves of mapSync().
      const script = `
        const device = openSync(args.file, { mode: 'r+', access: args.access });
        const { isArray } = Array;
        Array.isArray = (value) => { gc(); return isArray(value); };
        const view = device.mapSync(4096, 100);
        Array.isArray = isArray;
        report([view.bytes[0], view.bytes.length]);
        view.release();
        await device.close();`;
      const reports = await reportsFrom(script, { args: { file: bench.image(content), access }, ...options });
      expect(reports).toEqual([[content[4096], 100]]);
    });

    test("of an 'r' view unmaps it", async () => {
      const script = `${until}
        const device = openSync(args.file, { access: args.access });
        const maps = () => fs.readFileSync('/proc/self/maps', 'utf8').split(args.file).length - 1;
        const before = maps();
        (() => { for (let i = 0; i < 50; i += 1) device.mapSync(i * 8192, 100); })();
        report(maps() > before);
        report(await until(() => maps() === before));
        await device.close();`;
      expect(await reportsFrom(script, { args: { file: bench.image(content), access }, ...options })).toEqual([true, true]);
    });

    test('of the view leaves its bytes usable, and close takes them back all the same', async () => {
      const script = `${until}
        const device = openSync(args.file, { mode: args.mode, access: args.access });
        const bytes = (() => device.mapSync(4096, 100).bytes)();
        for (let i = 0; i < 40; i += 1) { gc(); await new Promise(setImmediate); }
        bytes[1] = 3;
        report([bytes[0], bytes[1], bytes.length]);
        await device.close();
        report(bytes.length);`;
      for (const mode of ['r', 'r+']) {
        const reports = await reportsFrom(script, { args: { file: bench.image(content), access, mode }, ...options });
        expect(reports).toEqual([[content[4096], 3, 100], 0]);
      }
    });

    test('does not close a device under a view', async () => {
      const script = `
        const warnings = [];
        process.on('warning', (warning) => warnings.push(warning.code));
        const view = (() => openSync(args.file, { mode: 'r+', access: args.access }).mapSync(0, 100))();
        for (let i = 0; i < 50; i += 1) { gc(); await new Promise(setImmediate); }
        report([view.bytes.length, warnings]);`;
      expect(await reportsFrom(script, { args: { file: bench.image(content), access }, ...options })).toEqual([[100, []]]);
    });
  });

  test.each([
    ['its natural end', '', 0],
    ['process.exit', 'process.exit(7);', 7],
    ['an uncaught error', "throw new Error('mine');", 1],
  ])('a process with leases ends cleanly by %s, and its stores are in the file', async (_end, end, code) => {
    const file = bench.image(content);
    const script = `
      global.device = openSync(args.file, { mode: 'r+', access: args.access });
      global.views = [0, 1, 2].map((i) => device.mapSync(i * 70000, 1000));
      for (const { bytes } of views) bytes.fill(8);
      global.reader = openSync(args.other, { access: args.access });
      global.more = reader.mapSync(0, 1000);
      more.bytes.fill(1);
      ${end}`;
    const outcome = await runChild(script, { args: { file, access, other: bench.image(content) } });
    expect(outcome).toMatchObject({ code, signal: null });
    const expected = Buffer.from(content);
    for (const i of [0, 1, 2]) expected.fill(8, i * 70000, i * 70000 + 1000);
    expect(readFileSync(file).equals(expected)).toBe(true);
  });

  test('requests of other threads run while windows are leased, released and replaced', async () => {
    const script = `
      const driver = new BlockDriver({ windowSize: 65536, windowCount: 4, workers: 4 });
      const minor = driver.registerSync(args.file);
      const device = driver.openSync(minor, { mode: 'r+', access: args.access });
      const content = fs.readFileSync(args.file);
      const wrong = [];
      const reads = [];
      let leases = 0;
      for (let round = 0; round < 60; round += 1) {
        for (let i = 0; i < 8; i += 1) {
          const position = (round * 8 + i) * 7919 % (3 << 20);
          reads.push(device.read(Buffer.alloc(500000), position).then(({ buffer }) => {
            if (!buffer.equals(content.subarray(position, position + 500000))) wrong.push(position);
          }));
        }
        const at = (round * 5 % 60) * 65536 + 100;
        const answer = await attempt(() => device.mapSync(at, 3000));
        if (answer.code === 'EBUSY') continue;
        leases += 1;
        if (!Buffer.from(answer.value.bytes).equals(content.subarray(at, at + 3000))) wrong.push(['lease', at]);
        await reads[reads.length - 8];
        answer.value.release();
      }
      await Promise.all(reads);
      await device.close();
      report([wrong, leases > 0]);`;
    expect(await reportsFrom(script, { args: { file: bench.image(pattern(4 * MiB)), access } })).toEqual([[[], true]]);
  });
});

test('a lease of a device that has no mapping to lend is ENOTSUP', async () => {
  const script = `
    const direct = openSync(args, { access: 'auto', direct: true, mode: 'r+' });
    report([direct.access, (await attempt(() => direct.mapSync(0, 10))).code]);
    await direct.close();`;
  expect(await reportsFrom(script, { args: bench.image(pattern(64 * KiB)) })).toEqual([['pio', 'ENOTSUP']]);
});
