// Which requests are on the medium when they complete: the table of cache modes, as strace sees it.
import { describe, expect, test } from '@jest/globals';
import type { CacheMode } from 'rumpblk';
import { failure } from '../support/failure';
import { testWith } from '../support/peers';
import { ACCESSES, KiB, MiB, pattern, rig } from '../support/rig';
import { STRACE, SYNC_CALLS, type Call, isSync, strace } from '../support/strace';

const bench = rig();
const traced = testWith(...STRACE);

/** One phase a kind of request; each writes to a place of its own. */
const PHASES = `
  const device = new BlockDriver();
  const minor = device.registerSync(args.file);
  const open = () => device.openSync(minor, { mode: 'r+', access: args.access, cache: args.cache, lock: false });
  const first = open();
  let disk = first;
  const data = Buffer.alloc(3000, 7);
  let place = 0;
  // Not at a page, so that an msync which forgot to round down would show.
  const next = () => (place += 16384) + 100;
  const phases = {
    plain: () => disk.writeSync(data, next()),
    plainPromise: () => disk.write(data, next()),
    fua: () => disk.writeSync(data, next(), { fua: true }),
    fuaPromise: () => disk.write(data, next(), { fua: true }),
    strategy: () => disk.strategySync({ op: 'write', blkno: next() >> 9, data }),
    strategyPromise: () => disk.strategy({ op: 'write', blkno: next() >> 9, data }),
    read: () => disk.readSync(Buffer.alloc(3000), next()),
    notFua: () => disk.writeSync(data, next(), { fua: false }),
    notFuaPromise: () => disk.write(data, next(), { fua: false }),
    deferred: () => disk.strategySync({ op: 'write', blkno: next() >> 9, data, deferred: true }),
    deferredPromise: () => disk.strategy({ op: 'write', blkno: next() >> 9, data, deferred: true }),
  };
  for (const [name, phase] of Object.entries(phases)) {
    mark(name);
    await phase();
  }
  for (const [name, sync] of [['flushSync', () => disk.flushSync()], ['flush', () => disk.flush()], ['ioctl', () => disk.ioctl('DIOCCACHESYNC')]]) {
    mark('before-' + name);
    await phases.deferred();
    mark(name);
    await sync();
  }
  for (const [name, close] of [['closeSync', () => disk.closeSync()], ['close', () => disk.close()]]) {
    mark('before-' + name);
    disk = open();
    await phases.deferred();
    mark(name);
    await close();
  }
  mark('end');
  await first.close();
`;
const PLAIN = ['plain', 'plainPromise'];
const FUA = ['fua', 'fuaPromise', 'strategy', 'strategyPromise'];
// The write before each sync is among those that must not sync by themselves.
const NEVER = ['read', 'notFua', 'notFuaPromise', 'deferred', 'deferredPromise', 'before-flushSync', 'before-flush', 'before-ioctl'];
const SYNCS = ['flushSync', 'flush', 'ioctl', 'closeSync', 'close'];
const EXPECTED: Record<CacheMode, string[]> = {
  writethrough: [...PLAIN, ...FUA, ...SYNCS],
  writeback: [...FUA, ...SYNCS],
  unsafe: [],
};

describe.each(ACCESSES)('under %s', (access) => {
  for (const cache of ['writethrough', 'writeback', 'unsafe'] as const) {
    traced(`B20, B44: ${cache} syncs where it promises and nowhere else (${access})`, async () => {
      const file = bench.image(pattern(MiB));
      const result = await strace(PHASES, { args: { file, access, cache }, calls: SYNC_CALLS });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      const synced = [...PLAIN, ...FUA, ...NEVER, ...SYNCS].filter((phase) => result.after(phase).some(isSync));
      // In one order on both sides: what is compared is which phases synced, not when.
      expect(synced).toEqual([...PLAIN, ...FUA, ...NEVER, ...SYNCS].filter((phase) => EXPECTED[cache].includes(phase)));
    });
  }

  traced(`B45: durable means this file's data, not a whole fsync or sync (${access})`, async () => {
    const file = bench.image(pattern(MiB));
    const result = await strace(PHASES, { args: { file, access, cache: 'writethrough' }, calls: SYNC_CALLS });
    const whole = result.calls.filter(({ name }) => ['fsync', 'sync', 'syncfs'].includes(name));
    expect(whole).toEqual([]);
  });
});

// From Linux 6.13 on a file whose times were looked at gets new ones at its next write, and the sync behind that writes them, too:
// 60 of 200 us.
traced('a flush looks at the length of the file, and not at its times', async () => {
  const script = `
    const disk = openSync(args, { mode: 'r+', lock: false });
    disk.writeSync(Buffer.alloc(512), 0);
    mark('flush');
    disk.flushSync();
    mark('end');`;
  const calls = ['fstat', 'newfstatat', 'statx', 'fdatasync'];
  const result = await strace(script, { args: bench.image(pattern(MiB)), calls });
  expect(result).toMatchObject({ code: 0, stderr: '' });
  const made = result.after('flush').filter(({ name, args }) => name === 'fdatasync' || args.includes('""'));
  expect(made.map(({ name }) => name)).toEqual(['fdatasync', 'statx']);
  expect(made[1]?.args).toMatch(/STATX_SIZE/);
  expect(made[1]?.args.split(', {')[0]).not.toMatch(/TIME|ALL|BASIC/);
});

describe('the mapped path', () => {
  const aligned = ({ args, result }: Call): boolean => {
    const address = /^(0x[0-9a-f]+)/.exec(args)?.[1] ?? '0x1';
    return BigInt(address) % 4096n === 0n && result === '0';
  };

  traced('B32: an unaligned durable write msyncs whole pages, in every window it touches', async () => {
    const file = bench.image(pattern(4 * MiB));
    const script = `
      const disk = openSync(args, { mode: 'r+', access: 'mmap', lock: false });
      for (const [i, [position, length]] of [[5, 10], [4095, 2], [100000, 30000], [1048576 - 3, 6], [3 * 1048576 + 1, 4095]].entries()) {
        mark('write' + i);
        await disk.write(Buffer.alloc(length, i), position, { fua: true });
      }
      mark('end');`;
    const result = await strace(script, { args: file, calls: SYNC_CALLS });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    for (const [i, count] of [1, 1, 1, 2, 1].entries()) {
      const syncs = result.after(`write${i}`).filter(isSync);
      expect(syncs.map(({ name }) => name)).toEqual(Array(count).fill('msync'));
      expect(syncs.every(aligned)).toBe(true);
    }
    // From the page of its first byte on: longer than the write by what lies before it there.
    const covered = /, (\d+), /.exec(result.after('write2').filter(isSync)[0]?.args ?? '')?.[1];
    expect(Number(covered)).toBeGreaterThanOrEqual(30000 + (100000 % 4096));
  });
});

describe('a sync that fails', () => {
  const everySync = ['fdatasync', 'fsync', 'msync'].map((name) => `${name}:error=EIO`);
  const report = `
    const driver = new BlockDriver();
    const minor = driver.registerSync(args.file);
    const open = () => driver.openSync(minor, { mode: 'r+', access: args.access, lock: false });
    const data = Buffer.alloc(512, 1);
    const answers = {};
    let disk = open();
    disk.writeSync(data, 0);
    answers.flush = await attempt(() => disk.flush());
    disk.writeSync(data, 0);
    answers.flushSync = await attempt(() => disk.flushSync());
    disk.writeSync(data, 0);
    const closing = disk.close();
    // Closed twice at once: the second call waits for the first and gets its answer.
    const meanwhile = disk.close();
    answers.close = await attempt(() => closing);
    answers.meanwhile = await attempt(() => meanwhile);
    answers.same = closing === meanwhile;
    answers.again = await attempt(() => disk.close());
    answers.closed = disk.closed;
    disk = open();
    disk.writeSync(data, 0);
    answers.closeSync = await attempt(() => disk.closeSync());
    answers.after = await attempt(() => disk.readSync(data, 0));
    answers.openCount = driver.minors()[0].openCount;
    driver.close();
    report(answers);`;

  for (const access of ACCESSES) {
    traced(`B25: flush and close report EIO, and close still frees (${access})`, async () => {
      const file = bench.image(pattern(64 * KiB));
      const result = await strace(report, { args: { file, access }, calls: SYNC_CALLS, inject: everySync });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      const failed = { code: 'EIO', errno: -5, syscall: expect.stringMatching(/^(fdatasync|msync)$/), brand: true };
      expect(result.reports).toMatchObject([
        { flush: failed, flushSync: failed, close: failed, closeSync: failed, closed: true, openCount: 0, after: { code: 'EBADF' } },
      ]);
      // Told to those who closed, and once.
      expect(result.reports[0]).toMatchObject({ meanwhile: failed, same: true });
      expect(result.reports[0].again).toEqual({});
    });

    traced(`B32, B40: a durable write whose sync fails is a failed write (${access})`, async () => {
      const file = bench.image(pattern(64 * KiB));
      const script = `
        const disk = openSync(args.file, { mode: 'r+', access: args.access, lock: false });
        const data = Buffer.alloc(512, 1);
        report({
          sync: await attempt(() => disk.writeSync(data, 100, { fua: true })),
          promise: await attempt(() => disk.write(data, 100, { fua: true })),
          strategy: await attempt(() => disk.strategy({ op: 'write', blkno: 1, data })),
          deferred: await attempt(() => disk.strategy({ op: 'write', blkno: 1, data, deferred: true })),
        });
        await attempt(() => disk.close());`;
      // Where the host has RWF_DSYNC the sync is part of the write, so that call fails too.
      const inject = [...everySync, 'pwritev2:error=EIO'];
      const result = await strace(script, { args: { file, access }, calls: SYNC_CALLS, inject });
      const failed = { code: 'EIO', errno: -5, brand: true };
      expect(result.reports).toMatchObject([{ sync: failed, promise: failed, strategy: failed, deferred: { value: { resid: 0 } } }]);
    });
  }
});

describe('a sync that failed once', () => {
  for (const access of ACCESSES) {
    traced(`stays the answer of flush and durable writes until the last close (${access})`, async () => {
      const file = bench.image(pattern(64 * KiB));
      const script = `
        const driver = new BlockDriver();
        const minor = driver.registerSync(args.file);
        const open = () => driver.openSync(minor, { mode: 'r+', access: args.access });
        const [one, two] = [open(), open()];
        const data = Buffer.alloc(512, 1);
        one.writeSync(data, 0);
        const answers = [await attempt(() => one.flush())];
        // Another open of the same minor, which has written nothing.
        answers.push(await attempt(() => two.flush()));
        answers.push(await attempt(() => one.flushSync()));
        answers.push(await attempt(() => two.writeSync(data, 512, { fua: true })));
        const others = [await attempt(() => one.writeSync(data, 512)), await attempt(() => two.readSync(data, 0))];
        await attempt(() => one.close());
        answers.push(await attempt(() => two.flush()));
        await attempt(() => two.close());
        // strace counts for each thread and call, so the first rounds may meet failures of their own.
        for (const round of [attempt, attempt, (action) => action()]) {
          const fresh = open();
          await round(() => fresh.writeSync(data, 0, { fua: true }));
          fresh.writeSync(data, 0);
          await round(() => fresh.flushSync());
          await round(() => fresh.closeSync());
        }
        report({ answers, others });`;
      const inject = ['fdatasync', 'fsync', 'msync'].map((name) => `${name}:error=EIO:when=1`);
      const result = await strace(script, { args: { file, access }, calls: SYNC_CALLS, inject });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      const failed = { code: 'EIO', errno: -5, brand: true };
      expect(result.reports).toMatchObject([
        { answers: [failed, failed, failed, failed, failed], others: [{ value: 512 }, { value: 512 }] },
      ]);
    });
  }
});

describe.each(ACCESSES)('what another open of the minor wrote, under %s', (access) => {
  traced(`is durable after a flush, whatever that open promised, and when it is closed (${access})`, async () => {
    const script = `
      const driver = new BlockDriver();
      const minor = driver.registerSync(args.file);
      const open = (more) => driver.openSync(minor, { mode: 'r+', access: args.access, ...more });
      const unsafe = () => open({ cache: 'unsafe' });
      const write = (device) => device.writeSync(Buffer.alloc(512, 1), 0, { fua: true });
      const reader = open({ mode: 'r' });
      let writer = unsafe();
      write(writer);
      writer.flushSync();
      mark('reader');
      reader.flushSync();
      mark('clean');
      reader.flushSync();
      write(writer);
      writer.closeSync();
      mark('last');
      reader.closeSync();
      mark('unsafe');
      writer = unsafe();
      write(writer);
      writer.closeSync();
      writer = open();
      mark('next');
      writer.flushSync();
      mark('end');
      writer.closeSync();`;
    const result = await strace(script, { args: { file: bench.image(pattern(MiB)), access }, calls: SYNC_CALLS });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const syncs = ['reader', 'clean', 'last', 'unsafe', 'next', 'end'].map((phase) => result.after(phase).filter(isSync).length);
    expect(syncs).toEqual([1, 0, 1, 0, 1, 0]);
  });
});

test('flush and close work on every kind of open', async () => {
  for (const access of ACCESSES) {
    for (const mode of ['r', 'r+'] as const) {
      const device = bench.device(bench.image(pattern(MiB)), { access, mode });
      await device.flush();
      device.flushSync();
      await device.ioctl('DIOCCACHESYNC');
      await device.close();
      await failure(() => device.flush(), 'EBADF');
      await failure(() => device.flushSync(), 'EBADF');
    }
  }
});
