// access 'pio': pread and pwrite, looped over what the host does in parts, and O_DIRECT.
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { openSync } from 'rumpblk';
import { reportsFrom } from '../support/child';
import { failure } from '../support/failure';
import { ability, peer, run, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';
import { STRACE, SYNC_CALLS, isSync, strace } from '../support/strace';

const bench = rig();
const traced = testWith(...STRACE);
const SIZE = 256 * KiB;
const READS = ['pread64', 'preadv', 'preadv2'];
const WRITES = ['pwrite64', 'pwritev', 'pwritev2'];

describe('what the host does in parts', () => {
  // strace answers in the kernel's place: an injected short count moves no byte, so the first 1000 keep what they had.
  const read = `
    const disk = openSync(args.file, { access: 'pio', lock: false });
    const got = Buffer.alloc(${SIZE}, 1);
    const moved = args.sync ? disk.readSync(got, 0) : (await disk.read(got, 0)).bytesRead;
    fs.writeFileSync(args.out, got);
    report(moved);`;
  const write = `
    const disk = openSync(args.file, { access: 'pio', mode: 'r+', lock: false });
    const data = fs.readFileSync(args.data);
    report(args.sync ? disk.writeSync(data, 0) : (await disk.write(data, 0)).bytesWritten);
    await disk.close();`;

  for (const sync of [true, false]) {
    const form = sync ? 'Sync' : '';

    traced(`B40: read${form} goes on after a short pread`, async () => {
      const content = pattern(SIZE);
      const file = bench.image(content);
      const out = bench.path('read-out');
      const inject = READS.map((name) => `${name}:retval=1000:when=1`);
      const result = await strace(read, { args: { file, out, sync }, calls: READS, inject, only: file });
      expect(result).toMatchObject({ code: 0, stderr: '', reports: [SIZE] });
      expect(result.calls.some(({ injected }) => injected)).toBe(true);
      const got = readFileSync(out);
      expect(got.subarray(1000).equals(content.subarray(1000))).toBe(true);
      expect(got.subarray(0, 1000).equals(content.subarray(0, 1000))).toBe(false);
    });

    traced(`B40: write${form} goes on after a short pwrite`, async () => {
      const [before, after] = [pattern(SIZE, 1), pattern(SIZE, 2)];
      const file = bench.image(before);
      const data = bench.image(after);
      const inject = WRITES.map((name) => `${name}:retval=1000:when=1`);
      const result = await strace(write, { args: { file, data, sync }, calls: WRITES, inject, only: file });
      expect(result).toMatchObject({ code: 0, stderr: '', reports: [SIZE] });
      const got = readFileSync(file);
      expect(got.subarray(0, 1000).equals(before.subarray(0, 1000))).toBe(true);
      expect(got.subarray(1000).equals(after.subarray(1000))).toBe(true);
    });

    traced(`B40: EINTR is tried again by read${form} and write${form}`, async () => {
      const [before, after] = [pattern(SIZE, 1), pattern(SIZE, 2)];
      const file = bench.image(before);
      const data = bench.image(after);
      const out = bench.path('eintr-out');
      const inject = [...READS, ...WRITES].map((name) => `${name}:error=EINTR:when=1..3`);
      const calls = [...READS, ...WRITES];
      const reading = await strace(read, { args: { file, out, sync }, calls, inject, only: file });
      expect(reading).toMatchObject({ code: 0, stderr: '', reports: [SIZE] });
      expect(reading.calls.some(({ injected }) => injected)).toBe(true);
      expect(readFileSync(out).equals(before)).toBe(true);
      const writing = await strace(write, { args: { file, data, sync }, calls, inject, only: file });
      expect(writing).toMatchObject({ code: 0, stderr: '', reports: [SIZE] });
      expect(writing.calls.some(({ injected }) => injected)).toBe(true);
      expect(readFileSync(file).equals(after)).toBe(true);
    });
  }

  traced('B40: EINTR of a sync is tried again', async () => {
    const file = bench.image(pattern(SIZE));
    const script = `
      const disk = openSync(args, { access: 'pio', mode: 'r+', lock: false });
      disk.writeSync(Buffer.alloc(512), 0);
      disk.flushSync();
      report(disk.driver.counters().flushes);
      await disk.close();`;
    const result = await strace(script, { args: file, calls: ['fdatasync'], inject: ['fdatasync:error=EINTR:when=1..2'] });
    expect(result).toMatchObject({ code: 0, stderr: '', reports: [1] });
    expect(result.calls.filter(({ name }) => name === 'fdatasync').length).toBeGreaterThanOrEqual(3);
  });

  test('an error in the middle is the error of the read, with what had moved', async () => {
    const content = pattern(SIZE);
    const file = bench.image(content);
    const device = bench.keep(openSync(file, { access: 'pio' }));
    truncateSync(file, 100_000);
    const got = Buffer.alloc(SIZE, 1);
    expect(await failure(() => device.readSync(got, 512), 'EIO')).toMatchObject({ bytesTransferred: 99_488, blkno: 1 });
    expect(got.subarray(0, 99_488).equals(content.subarray(512, 100_000))).toBe(true);
    expect(await failure(() => device.read(got, 512), 'EIO')).toMatchObject({ bytesTransferred: 99_488 });
    truncateSync(file, SIZE);
  });

  testWith(peer('prlimit', 'util-linux'))('an error in the middle is the error of the write, with what had moved', async () => {
    const [before, after] = [pattern(SIZE, 1), pattern(SIZE, 2)];
    const file = bench.image(before);
    const script = `
      const disk = openSync(args.file, { access: 'pio', mode: 'r+' });
      const data = fs.readFileSync(args.data);
      report([await attempt(() => disk.writeSync(data, 512)), await attempt(() => disk.write(data, 512)), await attempt(() => disk.writeSync(data, 200000))]);
      await disk.close();`;
    const under = ['prlimit', '--fsize=100000'];
    const [answers] = await reportsFrom(script, { args: { file, data: bench.image(after) }, under });
    const partial = { code: 'EFBIG', syscall: expect.stringMatching(/^pwrite/), brand: true, bytesTransferred: 99_488 };
    expect(answers).toMatchObject([partial, partial, { code: 'EFBIG', bytesTransferred: 0 }]);
    const got = readFileSync(file);
    expect(got.subarray(512, 100_000).equals(after.subarray(0, 99_488))).toBe(true);
    expect(got.subarray(100_000).equals(before.subarray(100_000))).toBe(true);
  });
});

describe('direct', () => {
  const shapes: [string, number, number][] = [
    ['aligned', 8192, 16384],
    ['a position off the grid', 100, 8192],
    ['a length off the grid', 4096, 5000],
    ['one byte', 77777, 1],
    ['everything', 0, SIZE],
    ['over the end', SIZE - 700, 4096],
  ];

  test.each(shapes)('reads and writes %s', async (_name, position, length) => {
    const content = pattern(SIZE, 1);
    const file = bench.image(content);
    const device = bench.device(file, { access: 'pio', direct: true, mode: 'r+' });
    const expected = Math.min(length, SIZE - position);
    // Memory that O_DIRECT can take as it comes from Node, and memory that it cannot.
    for (const offset of [0, 1]) {
      const got = Buffer.alloc(length + 1);
      expect(device.readSync(got, position, { offset, length })).toBe(expected);
      expect(got.subarray(offset, offset + expected).equals(content.subarray(position, position + expected))).toBe(true);
      const promised = await device.read(Buffer.alloc(length + 1), position, { offset, length });
      expect(promised.bytesRead).toBe(expected);
      expect(promised.buffer.subarray(offset, offset + expected).equals(content.subarray(position, position + expected))).toBe(true);
      const data = pattern(length + 1, 2 + offset);
      expect(device.writeSync(data, position, { offset, length })).toBe(expected);
      data.copy(content, position, offset, offset + expected);
      expect(readFileSync(file).equals(content)).toBe(true);
      const more = pattern(length + 1, 5 + offset);
      expect(await device.write(more, position, { offset, length, fua: true })).toMatchObject({ bytesWritten: expected });
      more.copy(content, position, offset, offset + expected);
      expect(readFileSync(file).equals(content)).toBe(true);
    }
  });

  traced('B38: uses O_DIRECT, and a durable write still syncs', async () => {
    const file = bench.image(pattern(SIZE));
    const script = `
      const disk = openSync(args, { access: 'pio', mode: 'r+', direct: true, lock: false });
      mark('durable');
      await disk.write(Buffer.alloc(65536, 1), 0, { fua: true });
      mark('deferred');
      await disk.write(Buffer.alloc(65536, 2), 65536, { fua: false });
      mark('flush');
      await disk.flush();
      mark('end');
      report(disk.readSync(Buffer.alloc(8192), 4096));
      await disk.close();`;
    const calls = [...SYNC_CALLS, 'open', 'openat', 'openat2', 'fcntl'];
    const result = await strace(script, { args: file, calls });
    expect(result).toMatchObject({ code: 0, stderr: '', reports: [8192] });
    expect(result.calls.some(({ args }) => args.includes('O_DIRECT'))).toBe(true);
    expect(['durable', 'deferred', 'flush'].map((phase) => result.after(phase).some(isSync))).toEqual([true, false, true]);
  });

  traced('issue 13: reads go to the O_DIRECT descriptor alone, whatever their shape, and ask the page cache nothing', async () => {
    const file = bench.image(pattern(SIZE));
    const script = `
      const disk = openSync(args, { driver: new BlockDriver({ engine: 'threads' }), access: 'auto', direct: true, lock: false });
      mark('reads');
      const shapes = [[0, 4096], [4096, 65536], [100, 4096], [4096, 5000], [77777, 1], [${SIZE} - 700, 4096]];
      for (const [position, length] of shapes) {
        disk.readSync(Buffer.alloc(length), position);
        disk.readSync(Buffer.alloc(length + 1), position, { offset: 1 });
        await disk.read(Buffer.alloc(length), position);
      }
      await Promise.all(Array.from({ length: 32 }, (_, i) => disk.read(Buffer.alloc(4096), i * 4096)));
      mark('end');
      await disk.close();`;
    const result = await strace(script, { args: file, calls: [...READS, 'openat'] });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const descriptorOf = (text: string): string | undefined => /^(\d+)</.exec(text)?.[1];
    // The first one was to ask what it takes.
    const direct = result.calls.filter(({ name, args }) => name === 'openat' && args.includes('O_DIRECT')).at(-1);
    const reads = result.after('reads').filter(({ name, args }) => READS.includes(name) && args.includes(path.basename(file)));
    expect(reads.length).toBeGreaterThanOrEqual(6 * 3 + 32);
    expect(new Set(reads.map(({ args }) => descriptorOf(args)))).toEqual(new Set([descriptorOf(direct?.result ?? '')]));
    expect(reads.filter(({ name }) => name === 'preadv2')).toEqual([]);
  });

  traced('B18: a host that refuses O_DIRECT is used without it, and no descriptor is left', async () => {
    const content = pattern(SIZE);
    const file = bench.image(content);
    const script = `
      const descriptors = () => fs.readdirSync('/proc/self/fd').length;
      const driver = new BlockDriver({ engine: 'threads' });
      const round = async () => {
        const disk = openSync(args, { driver, access: 'pio', direct: true, lock: false });
        const { bytesRead, buffer } = await disk.read(Buffer.alloc(65536), 0);
        await disk.close();
        return bytesRead === 65536 && buffer.equals(fs.readFileSync(args).subarray(0, 65536));
      };
      report(await round());
      const before = descriptors();
      for (let i = 0; i < 5; i += 1) report(await round());
      report(descriptors() - before);`;
    const inject = READS.map((name) => `${name}:error=EINVAL:when=1`);
    const result = await strace(script, { args: file, calls: READS, inject, only: file });
    expect(result).toMatchObject({ code: 0, stderr: '', reports: [true, true, true, true, true, true, 0] });
    expect(result.calls.some(({ injected }) => injected)).toBe(true);
  });

  const tmpfs = ability('right to mount a tmpfs', () => run('unshare', '-m', 'mount', '-t', 'tmpfs', 'none', '/mnt') === '');
  testWith(peer('unshare', 'util-linux'), tmpfs)(
    'ENOSPC of a full file system is the error of the write, and reading goes on',
    async () => {
      const directory = mkdtempSync(path.join(bench.path('.'), 'full-'));
      const script = 'mount -t tmpfs -o size=1M none "$1" && shift && exec "$@"';
      const [result] = await reportsFrom(
        `const file = args + '/sparse';
       fs.writeFileSync(file, '');
       fs.truncateSync(file, ${4 * MiB});
       fs.writeFileSync(args + '/ballast', Buffer.alloc(${MiB - 64 * KiB}));
       const answers = [];
       for (const access of ['pio', 'mmap', 'auto']) {
         const disk = openSync(file, { access, mode: 'r+', lock: false });
         answers.push(await attempt(() => disk.writeSync(Buffer.alloc(${MiB}, 1), ${MiB})));
         answers.push(await attempt(() => disk.write(Buffer.alloc(${MiB}, 1), ${2 * MiB})));
         answers.push(disk.readSync(Buffer.alloc(4096), ${3 * MiB}));
         await attempt(() => disk.close());
       }
       report(answers);`,
        { args: directory, under: ['unshare', '-m', 'sh', '-c', script, 'sh', directory] },
      );
      rmSync(directory, { recursive: true });
      const full = { code: expect.stringMatching(/^(ENOSPC|EIO)$/), brand: true };
      const exact = { code: 'ENOSPC', brand: true };
      expect(result).toMatchObject([exact, exact, 4096, full, full, 4096, exact, exact, 4096]);
    },
  );
});

test('a change made on the host is seen at once', () => {
  const file = bench.image(pattern(SIZE));
  const device = bench.device(file, { access: 'pio' });
  const got = Buffer.alloc(SIZE);
  device.readSync(got, 0);
  const changed = pattern(SIZE, 8);
  writeFileSync(file, changed, { flag: 'r+' });
  device.readSync(got, 0);
  expect(got.equals(changed)).toBe(true);
});
