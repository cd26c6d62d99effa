// Calls of the host that a signal interrupts, or that something in between denies: what is made again, what goes another way, and that
// neither is taken for a failure of the medium. By strace, which answers in the host's place.
import { readFileSync } from 'node:fs';
import { describe, expect } from '@jest/globals';
import { testWith } from '../support/peers';
import { ACCESSES, MiB, pattern, rig } from '../support/rig';
import { STRACE, SYNC_CALLS, isSync, strace } from '../support/strace';

const bench = rig();
const traced = testWith(...STRACE);
const EINTR = { code: 'EINTR', errno: -4, brand: true };
/** More than are made again in a row, and fewer than two rounds of that. */
const ENDLESS = 'error=EINTR:when=1..1500';

const WRITE = `
  const disk = openSync(args.file, { mode: 'r+', access: args.access, lock: false });
  const data = Buffer.alloc(512, 7);`;

describe.each(ACCESSES)('under %s', (access) => {
  traced(`a sync that is interrupted is made again, and nobody hears of it (${access})`, async () => {
    const file = bench.image(pattern(MiB));
    const script = `${WRITE}
      const answers = [];
      for (const [i, write] of [() => disk.writeSync(data, 0, { fua: true }), async () => (await disk.write(data, 512, { fua: true })).bytesWritten].entries())
        answers.push(await attempt(write));
      disk.writeSync(data, 1024);
      answers.push(await attempt(() => disk.flushSync()), await attempt(() => disk.close()));
      report(answers);`;
    const inject = ['msync', 'fdatasync', 'pwritev2'].map((name) => `${name}:error=EINTR:when=1..3`);
    const result = await strace(script, { args: { file, access }, calls: SYNC_CALLS, inject });
    expect(result).toMatchObject({ code: 0, stderr: '', reports: [[{ value: 512 }, { value: 512 }, {}, {}]] });
    expect(result.calls.filter(({ injected }) => injected).length).toBeGreaterThanOrEqual(3);
    expect(readFileSync(file).subarray(0, 1536).equals(Buffer.alloc(1536, 7))).toBe(true);
  });

  traced(`a sync that is interrupted without end is EINTR, sticks to nobody, and the next flush makes it (${access})`, async () => {
    const file = bench.image(pattern(MiB));
    const script = `${WRITE}
      disk.writeSync(data, 0);
      report([await attempt(() => disk.flushSync()), await attempt(() => disk.flushSync()), await attempt(() => disk.writeSync(data, 0, { fua: true }))]);
      mark('clean');
      report(await attempt(() => disk.flushSync()));
      await attempt(() => disk.close());`;
    const result = await strace(script, { args: { file, access }, calls: SYNC_CALLS, inject: [`fdatasync:${ENDLESS}`] });
    expect(result).toMatchObject({ code: 0, stderr: '', reports: [[{ ...EINTR, syscall: 'fdatasync' }, {}, { value: 512 }], {}] });
    expect(result.after('clean').filter(isSync)).toEqual([]);
  });

  traced(`a read and a write that are interrupted without end are EINTR, and go through later (${access})`, async () => {
    const file = bench.image(pattern(MiB));
    const script = `${WRITE}
      const answers = [];
      for (let i = 0; i < 2; i += 1) answers.push(await attempt(() => disk.readSync(data, 4096)), await attempt(() => disk.writeSync(data, 8192)));
      report(answers);
      await attempt(() => disk.close());`;
    const calls = [...SYNC_CALLS, 'pread64'];
    const inject = [`pread64:${ENDLESS}`, `pwrite64:${ENDLESS}`];
    const result = await strace(script, { args: { file, access }, calls, inject, only: file });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    // The first ones under mmap are copies, of which no signal knows.
    const first = access === 'mmap' ? [{ value: 512 }, { value: 512 }] : [EINTR, EINTR];
    expect(result.reports).toMatchObject([[...first, { value: 512 }, { value: 512 }]]);
  });
});

describe('a profile that denies a call', () => {
  for (const code of ['EPERM', 'EACCES', 'ENOSYS'])
    traced(`pwritev2 with ${code}: durable writes go by pwrite and fdatasync, and stay durable`, async () => {
      const file = bench.image(pattern(MiB));
      const script = `
      const disk = openSync(args, { mode: 'r+', access: 'auto', lock: false });
      const data = Buffer.alloc(512, 7);
      const answers = [];
      for (const phase of ['first', 'second']) {
        mark(phase);
        answers.push(await attempt(() => disk.writeSync(data, 0, { fua: true })));
      }
      mark('others');
      answers.push(await attempt(async () => (await disk.write(data, 512, { fua: true })).bytesWritten), await attempt(() => disk.flush()), await attempt(() => disk.close()));
      report(answers);`;
      const result = await strace(script, { args: file, calls: SYNC_CALLS, inject: [`pwritev2:error=${code}`] });
      expect(result).toMatchObject({ code: 0, stderr: '', reports: [[{ value: 512 }, { value: 512 }, { value: 512 }, {}, {}]] });
      expect(result.after('first').map(({ name }) => name)).toEqual(['pwritev2', 'pwrite64', 'fdatasync']);
      expect(result.after('second').map(({ name }) => name)).toEqual(['pwrite64', 'fdatasync']);
    });

  for (const code of ['EPERM', 'EACCES', 'ENOSYS'])
    traced(`preadv2 and statx with ${code}: reads and direct opens go on`, async () => {
      const file = bench.image(pattern(MiB));
      const script = `
      const answers = [];
      for (const options of [{}, { direct: true }]) {
        const disk = openSync(args, { mode: 'r+', lock: false, ...options });
        const data = Buffer.alloc(4096);
        answers.push((await disk.read(data, 4096)).bytesRead, (await disk.read(data, 4096)).bytesRead, data[0]);
        await disk.close();
      }
      report(answers);`;
      const inject = ['preadv2', 'statx'].map((name) => `${name}:error=${code}`);
      const result = await strace(script, { args: file, calls: ['preadv2', 'statx'], inject, only: file });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      const first = pattern(MiB)[4096];
      expect(result.reports).toEqual([[4096, 4096, first, 4096, 4096, first]]);
    });
});
