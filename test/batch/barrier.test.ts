// A flush inside a batch is a barrier: what stands before it is on the medium before anything behind it begins.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { BATCH_FLUSH, BATCH_READ, BATCH_WRITE, type BlockDevice, type CacheMode } from 'rumpblk';
import { FORMS, fill, outcomesOf } from '../support/batch';
import { testWith } from '../support/peers';
import { type Ground, MiB, pattern, rig } from '../support/rig';
import { STRACE, SYNC_CALLS, type Call, isSync, strace } from '../support/strace';

const bench = rig();
const traced = testWith(...STRACE);
const BLOCK = 4096;
const EIO = -5;
const WAYS = {
  auto: { access: 'auto' },
  mmap: { access: 'mmap' },
  pio: { access: 'pio' },
  direct: { access: 'pio', direct: true },
} as const;
const CACHES: readonly CacheMode[] = ['writethrough', 'writeback', 'unsafe'];

/** Rows of a batch: writes of one block, named by the number of the block, `F` for a flush, `+` behind one that is durable. */
const SCRIPT = `
  const disk = openSync(args.file, { driver: new BlockDriver({ engine: 'threads' }), mode: 'r+', lock: false, cache: args.cache, ...args.way });
  const batch = disk.createBatch({ depth: 16, arena: 16 * ${BLOCK} });
  batch.arena.fill(7);
  const put = (rows) => {
    rows.split(' ').forEach((row, i) => {
      batch.op[i] = row === 'F' ? rumpblk.BATCH_FLUSH : rumpblk.BATCH_WRITE;
      batch.blkno[i] = row === 'F' ? 0 : Number.parseInt(row, 10) * ${BLOCK / 512};
      batch.bcount[i] = row === 'F' ? 0 : ${BLOCK};
      batch.offset[i] = i * ${BLOCK};
      batch.fua[i] = row.endsWith('+') ? 1 : 0;
    });
    return rows.split(' ').length;
  };
  const FORMS = { runSync: (count) => batch.runSync(count), run: (count) => batch.run(count) };
`;

/** The calls of a phase as rows: the number of the block that was written, `F` for a sync. */
function rowsOf(calls: Call[]): string {
  return calls
    .filter((call) => isSync(call) || call.name.startsWith('pwrite'))
    .map((call) => (isSync(call) ? 'F' : String(Number(/, (\d+)$/.exec(call.args)?.[1]) / BLOCK)))
    .join(' ');
}

/** What the host is to see of each phase; of `mmap` strace sees the syncs alone. */
const PHASES: Record<string, Record<CacheMode, string>> = {
  '16 F 0': { writethrough: '16 F 0 F', writeback: '16 F 0', unsafe: '16 0' },
  '16 F 0+': { writethrough: '16 F 0 F', writeback: '16 F 0 F', unsafe: '16 0' },
  '16+ 20+ F 0+ 4+': { writethrough: '16 20 F 0 4 F', writeback: '16 20 F 0 4 F', unsafe: '16 20 0 4' },
  '16+ 20 F 30 F 0 F': { writethrough: '16 20 F 30 F 0 F', writeback: '16 20 F 30 F 0 F', unsafe: '16 20 30 0' },
  'F F 16 F F 0+ 4': { writethrough: '16 F 0 4 F', writeback: '16 F 0 4 F', unsafe: '16 0 4' },
};

describe.each(Object.entries(WAYS))('under %s', (name, way) => {
  for (const cache of CACHES)
    traced(`a flush stands between what is before it and what is behind it (${name}, ${cache})`, async () => {
      for (const [form] of FORMS) {
        const file = bench.image(pattern(MiB));
        const script = `${SCRIPT}
        for (const rows of args.phases) {
          mark(rows.replaceAll(' ', '_'));
          if ((await FORMS[args.form](put(rows))) !== rows.split(' ').length) throw new Error(String(batch.error));
          mark('clean');
          disk.flushSync();
        }
        disk.closeSync();`;
        const phases = Object.keys(PHASES);
        const result = await strace(script, { args: { file, way, cache, form, phases }, calls: SYNC_CALLS });
        expect(result).toMatchObject({ code: 0, stderr: '' });
        const seen = Object.fromEntries(phases.map((rows) => [rows, rowsOf(result.after(rows.replaceAll(' ', '_')))]));
        const expected = Object.fromEntries(
          phases.map((rows) => [rows, name === 'mmap' ? PHASES[rows]![cache].replace(/\d+ ?/g, '').trim() : PHASES[rows]![cache]]),
        );
        expect({ form, ...seen }).toEqual({ form, ...expected });
      }
    });

  traced(`no write behind a flush that failed begins; reads do, and so do later batches (${name})`, async () => {
    for (const [form] of FORMS) {
      const file = bench.image(pattern(MiB));
      const script = `${SCRIPT}
        const before = await FORMS[args.form](put('16 F 0 4+ 30'));
        const outcomes = [before, [...batch.error.subarray(0, 5)], [...batch.resid.subarray(0, 5)]];
        batch.op[4] = rumpblk.BATCH_READ;
        const reads = [await FORMS[args.form](5), batch.error[4], batch.resid[4], batch.arena[4 * ${BLOCK}]];
        const later = [await FORMS[args.form](put('40')), batch.error[0]];
        await attempt(() => disk.close());
        report({ outcomes, reads, later });`;
      const result = await strace(script, { args: { file, way, form }, calls: SYNC_CALLS, inject: ['fdatasync:error=EIO:when=1'] });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      expect(result.reports).toEqual([
        {
          outcomes: [1, [0, EIO, EIO, EIO, EIO], [0, 0, BLOCK, BLOCK, BLOCK]],
          reads: [2, 0, 0, pattern(MiB)[30 * BLOCK]],
          later: [1, 0],
        },
      ]);
      const [left, was] = [readFileSync(file), pattern(MiB)];
      const changed = [0, 4, 16, 30, 40].filter(
        (block) => !left.subarray(block * BLOCK, (block + 1) * BLOCK).equals(was.subarray(block * BLOCK, (block + 1) * BLOCK)),
      );
      expect(changed).toEqual([16, 40]);
    }
  });
});

describe.each(FORMS)('%s', (_form, run) => {
  const [file, memory] = bench.media as [Ground, Ground];
  test.each([
    ...Object.entries(WAYS).map(([name, way]) => ({ name, way, disk: file.disk })),
    { name: 'memory', way: {}, disk: memory.disk },
  ])('reads behind a flush see what was written before it, and counts are of syncs, under $name', async ({ way, disk }) => {
    const device: BlockDevice = bench.device(disk(pattern(MiB)), { mode: 'r+', ...way });
    const batch = device.createBatch({ depth: 5 });
    const count = fill(batch, [
      { op: BATCH_WRITE, blkno: 8, bcount: BLOCK, offset: 0, fua: 1 },
      { op: BATCH_WRITE, blkno: 64, bcount: BLOCK, offset: BLOCK, fua: 1 },
      { op: BATCH_FLUSH },
      { op: BATCH_READ, blkno: 8, bcount: BLOCK, offset: 2 * BLOCK },
      { op: BATCH_WRITE, blkno: 128, bcount: BLOCK, offset: 3 * BLOCK, fua: 1 },
    ]);
    batch.arena.fill(1, 0, BLOCK);
    expect(await run(batch, count)).toBe(count);
    expect(outcomesOf(batch, count)).toEqual(Array(count).fill([0, 0]));
    expect(batch.arena.subarray(2 * BLOCK, 3 * BLOCK).every((byte) => byte === 1)).toBe(true);
    expect(device.driver.counters()).toMatchObject({ flushes: 2, ioTotal: 4 });
  });
});
