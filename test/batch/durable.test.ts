// What batches ask of the host: writes merged, one sync for all that are durable, and what becomes of one that fails.
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { BATCH_FLUSH, BATCH_READ, BATCH_WRITE } from 'rumpblk';
import { FORMS, fill } from '../support/batch';
import { runChild } from '../support/child';
import { testWith } from '../support/peers';
import { ACCESSES, KiB, MiB, pattern, rig } from '../support/rig';
import { STRACE, SYNC_CALLS, type Call, isSync, strace } from '../support/strace';

const bench = rig();
const traced = testWith(...STRACE);
const content = pattern(MiB);
const EIO = -5;

const PRELUDE = `
  const { BATCH_READ: R, BATCH_WRITE: W, BATCH_FLUSH: F } = rumpblk;
  const disk = openSync(args.file, { mode: args.mode ?? 'r+', access: args.access, cache: args.cache, lock: false });
  const batch = disk.createBatch({ depth: 64, arena: 1 << 20 });
  // Differs from sector to sector, so that a write that lands elsewhere shows.
  for (let i = 0; i < batch.arena.length; i += 1) batch.arena[i] = (i * 7 + (i >> 9)) % 251;
  // Each row: [op, blkno, bcount, offset, fua].
  const put = (rows) => {
    rows.forEach(([op, blkno, bcount = 512, offset = blkno * 512, fua = 0], i) => {
      batch.op[i] = op; batch.blkno[i] = blkno; batch.bcount[i] = bcount; batch.offset[i] = offset; batch.fua[i] = fua;
    });
    return rows.length;
  };
  const errors = (count) => Array.from(batch.error.subarray(0, count));
  const resids = (count) => Array.from(batch.resid.subarray(0, count));
  // Every third sector: no two continue each other.
  const scattered = (fua) => Array.from({ length: 32 }, (_, i) => [W, i * 3, 512, i * 1024, fua]);
  const FORMS = { runSync: (count) => batch.runSync(count), run: (count) => batch.run(count) };
`;

const isWrite = ({ name }: Call): boolean => name.startsWith('pwrite');
const sizeOf = ({ result }: Call): number => Number.parseInt(result, 10);

describe.each(ACCESSES)('durable entries under %s', (access) => {
  traced(`32 durable writes cost one fdatasync, and no sync of their own (${access})`, async () => {
    const script = `${PRELUDE}
      for (const [form, run] of Object.entries(FORMS)) {
        mark(form);
        await run(put(scattered(1)));
        mark(form + '-plain');
        await run(put(scattered(0)));
        mark(form + '-flush');
        await run(put([...scattered(0), [F, 0]]));
        mark(form + '-clean');
        await run(put([[F, 0], [R, 1], [F, 0]]));
        mark(form + '-mixed');
        await run(put([[W, 1], [F, 0], [W, 9], [W, 20, 512, 0, 1], [F, 0]]));
      }
      mark('end');
      await disk.close();`;
    const expected: Record<string, Record<string, number>> = {
      writeback: { '': 1, '-plain': 0, '-flush': 1, '-clean': 0, '-mixed': 2 },
      writethrough: { '': 1, '-plain': 1, '-flush': 1, '-clean': 0, '-mixed': 2 },
      unsafe: { '': 0, '-plain': 0, '-flush': 0, '-clean': 0, '-mixed': 0 },
    };
    for (const [cache, counts] of Object.entries(expected)) {
      const result = await strace(script, { args: { file: bench.image(content), access, cache }, calls: SYNC_CALLS });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      for (const [form] of FORMS) {
        for (const [phase, count] of Object.entries(counts)) {
          const syncs = result.after(form + phase).filter(isSync);
          expect({ cache, phase: form + phase, syncs: syncs.map(({ name }) => name) }).toEqual({
            cache,
            phase: form + phase,
            syncs: Array(count).fill('fdatasync'),
          });
        }
      }
    }
  });

  traced(`a failed sync is the error of every durable entry it served, and stays (${access})`, async () => {
    const script = `${PRELUDE}
      const rows = [[W, 0, 512, 0, 1], [R, 100], [W, 10], [F, 0], [W, 1, 512, 512, 1], [W, 2, 512, 1024, 1], [W, -1, 512, 0, 1], [W, 50, 0, 0]];
      const answer = { first: await FORMS[args.form](put(rows)), errors: errors(8), resids: resids(8) };
      answer.again = await FORMS[args.form](put(rows));
      answer.againErrors = errors(8);
      answer.againResids = resids(8);
      answer.plain = [await FORMS[args.form](put([[W, 30], [R, 0]])), errors(2)];
      answer.flush = await attempt(() => disk.flush());
      answer.fua = await attempt(() => disk.writeSync(Buffer.alloc(512), 0, { fua: true }));
      answer.close = await attempt(() => disk.close());
      report(answer);`;
    for (const [form] of FORMS) {
      const file = bench.image(content);
      // Only the first fails, on whatever thread: later syncs would succeed, and must not be believed.
      const inject = ['fdatasync:error=EIO:when=1', 'msync:error=EIO:when=1'];
      const result = await strace(script, { args: { file, access, form }, calls: SYNC_CALLS, inject });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      const failed = { code: 'EIO', errno: EIO, brand: true };
      expect(result.reports).toMatchObject([
        {
          first: 3,
          errors: [EIO, 0, 0, EIO, EIO, EIO, EIO, 0],
          // Those behind the flush are refused before they move, whatever else is the matter with them.
          resids: [0, 0, 0, 0, 512, 512, 512, 0],
          // The same three: a read, a plain write, and one of nothing.
          again: 3,
          againErrors: [EIO, 0, 0, EIO, EIO, EIO, EIO, 0],
          // After the failure durable writes are refused before they move: their residuals are whole now.
          againResids: [512, 0, 0, 0, 512, 512, 512, 0],
          plain: [2, [0, 0]],
          ...{ flush: failed, fua: failed, close: failed },
        },
      ]);
      expect(result.calls.filter(({ name, injected }) => injected && name === 'fdatasync')).toHaveLength(1);
    }
  });
});

describe.each(['auto', 'pio'] as const)('neighbours under %s', (access) => {
  traced(`that continue each other, on the device and in the arena, are one pwrite (${access})`, async () => {
    const phases: Record<string, [rows: string, sizes: number[]]> = {
      contiguous: ['Array.from({ length: 32 }, (_, i) => [W, i])', [32 * 512]],
      ofOddEnd: ['[[W, 0, 512], [W, 1, 100], [W, 2, 512]]', [612, 512]],
      gapOnDevice: ['[[W, 0, 512, 0], [W, 2, 512, 512]]', [512, 512]],
      gapInArena: ['[[W, 0, 512, 0], [W, 1, 512, 1024]]', [512, 512]],
      backwards: ['[[W, 1], [W, 0]]', [512, 512]],
      overReads: ['[[W, 0], [R, 9], [W, 1]]', [512, 512]],
      overFlush: ['[[W, 0], [F, 0], [W, 1]]', [512, 512]],
      differentFua: ['[[W, 0, 512, 0, 0], [W, 1, 512, 512, 1], [W, 2, 512, 1024, 1]]', [512, 1024]],
      overBad: ['[[W, 0], [W, NaN, 512, 512], [W, 1], [W, 2]]', [512, 1024]],
      twoRuns: ['[[W, 0], [W, 1], [W, 100], [W, 101], [W, 102]]', [1024, 1536]],
      oneByOne: ['[[W, 5]]', [512]],
    };
    for (const [form] of FORMS) {
      const script = `${PRELUDE}
        const phases = { ${Object.entries(phases)
          .map(([name, [rows]]) => `${name}: ${rows}`)
          .join(', ')} };
        for (const [name, rows] of Object.entries(phases)) {
          mark(name);
          await FORMS[args.form](put(rows));
        }
        mark('end');
        disk.closeSync();`;
      const result = await strace(script, { args: { file: bench.image(content), access, form }, calls: SYNC_CALLS });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      for (const [name, [, sizes]] of Object.entries(phases)) {
        expect({ name, sizes: result.after(name).filter(isWrite).map(sizeOf) }).toEqual({ name, sizes });
      }
    }
  });

  traced(`a merged write that fails is the error of its first entry; the others are written by themselves (${access})`, async () => {
    const file = bench.image(content);
    const script = `${PRELUDE}
      const rows = [[W, 4], [W, 5], [W, 6], [W, 7]];
      report([batch.runSync(put(rows)), errors(4), resids(4), disk.driver.counters().bytesWritten]);
      await attempt(() => disk.close());`;
    const inject = ['pwrite64:error=ENOSPC:when=1'];
    const result = await strace(script, { args: { file, access }, calls: SYNC_CALLS, inject, only: file });
    expect(result).toMatchObject({ code: 0, stderr: '', reports: [[3, [-28, 0, 0, 0], [512, 0, 0, 0], 3 * 512]] });
    expect(
      result.calls.filter(isWrite).map(({ injected, result: answer }) => (injected ? 'failed' : sizeOf({ result: answer } as Call))),
    ).toEqual(['failed', 512, 512, 512]);
    const expected = Buffer.from(content);
    for (let i = 5 * 512; i < 8 * 512; i += 1) expected[i] = (i * 7 + (i >> 9)) % 251;
    expect(readFileSync(file).equals(expected)).toBe(true);
  });

  test('up to the end of the device and beyond, each entry has the outcome that it has alone', () => {
    const file = bench.image(content.subarray(0, 8 * KiB));
    const device = bench.device(file, { access, mode: 'r+' });
    const batch = device.createBatch({ depth: 4 });
    const count = fill(
      batch,
      // Sector 15 is the last: the four are merged, and the one write is short.
      Array.from({ length: 4 }, (_, i) => ({ op: BATCH_WRITE, blkno: 15 + i })),
    );
    expect(batch.runSync(count)).toBe(2);
    expect([[...batch.error], [...batch.resid]]).toEqual([
      [0, 0, -22, -22],
      [0, 512, 512, 512],
    ]);
    expect(device.driver.counters()).toMatchObject({ ioTotal: 2, bytesWritten: 512 });
    expect(statSync(file).size).toBe(8 * KiB);
  });
});

test.each(ACCESSES)('counters count entries, not calls of the host, under %s', async (access) => {
  const device = bench.device(bench.image(content), { access, mode: 'r+' });
  const { driver } = device;
  const batch = device.createBatch({ depth: 64 });
  const writes = Array.from({ length: 40 }, (_, i) => ({ op: BATCH_WRITE, blkno: i, fua: 1 as const }));
  for (const [, run] of FORMS) {
    driver.resetCounters();
    expect(
      await run(
        batch,
        fill(batch, [...writes, { op: BATCH_FLUSH }, { op: BATCH_READ, bcount: 100, offset: 0 }, { bcount: 0 }, { blkno: -1, offset: 0 }]),
      ),
    ).toBe(43);
    expect(driver.counters()).toMatchObject({
      ioTotal: 41,
      ioAsync: 0,
      bytesRead: 100,
      bytesWritten: 40 * 512,
      bytesWrittenAsync: 0,
      flushes: 1,
    });
    expect(await run(batch, fill(batch, [{ op: BATCH_FLUSH }, { op: BATCH_FLUSH }]))).toBe(2);
    expect(driver.counters()).toMatchObject({ ioTotal: 41, flushes: 1 });
  }
});

traced('the default arena begins at a page of memory, whatever its size', async () => {
  const output = path.join(bench.path('.'), 'pointers');
  const file = bench.image(content);
  const script = `
    const disk = openSync(args, { driver: new BlockDriver({ engine: 'threads' }), access: 'pio' });
    for (const arena of [undefined, 12345, 12345, 12345, 1 << 20]) {
      const batch = disk.createBatch({ arena, depth: 8 });
      batch.bcount[0] = 12345;
      if (batch.runSync(1) !== 1) throw new Error(String(batch.error[0]));
    }
    disk.closeSync();`;
  // The address that pread got, as a number.
  const under = ['strace', '-f', '-qq', '-o', output, '-e', 'trace=pread64', '-e', 'raw=pread64'];
  expect(await runChild(script, { args: file, under })).toMatchObject({ code: 0, stderr: '' });
  const pointers = [...readFileSync(output, 'utf8').matchAll(/pread64\(0x[0-9a-f]+, (0x[0-9a-f]+), 0x3039,/g)].map(
    ([, pointer]) => BigInt(pointer!) % 4096n,
  );
  expect(pointers).toEqual([0n, 0n, 0n, 0n, 0n]);
});
