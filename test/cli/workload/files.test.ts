// rumpblk bench with a workload: what it does to files, its own and those of the user.
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { openSync } from 'rumpblk';
import { cli, documentOf, shell, start, TOOL, type Finished } from '../../support/cli';
import { loops } from '../../support/loop';
import { peer, run, testWith } from '../../support/peers';
import { KiB, MiB, pattern, rig } from '../../support/rig';
import { STRACE } from '../../support/strace';

const bench = rig();
const { attach, looped } = loops(bench);
const FIO = peer('fio', 'fio');
const PRLIMIT = peer('prlimit', 'util-linux');
const OURS = ['sync', 'batch', 'async', 'nbd', 'fs-sync', 'fs-callback', 'fs-promises'];

function ok(finished: Finished): any {
  expect(finished).toMatchObject({ status: 0, stderr: '' });
  return documentOf(finished);
}

describe('files', () => {
  const WRITE = ['--rw', 'randwrite', '--size', '64k', '--json'];

  test('what the user has in a file is written over with --overwrite only', async () => {
    const content = pattern(256 * KiB);
    const file = bench.image(content);
    for (const rw of ['write', 'randwrite', 'rw', 'randrw']) {
      const refused = await cli(['bench', file, '--rw', rw]);
      expect(refused).toMatchObject({
        status: 2,
        stderr: expect.stringMatching(/would write over '.*', which holds 256 KiB: --overwrite allows/),
      });
    }
    expect(readFileSync(file).equals(content)).toBe(true);
    ok(await cli(['bench', file, ...WRITE, '--overwrite']));
    expect(statSync(file).size).toBe(256 * KiB);
  });

  test('a job file is refused as a whole before its first job has touched anything', async () => {
    const content = pattern(256 * KiB);
    const file = bench.image(content);
    const jobs = bench.path('two.fio');
    writeFileSync(jobs, `[a]\nrw=read\nsize=64k\nfilename=${bench.path('made.tmp')}\n[b]\nstonewall\nrw=write\nfilename=${file}\n`);
    expect(await cli(['bench', '--jobs', jobs])).toMatchObject({ status: 2, stdout: Buffer.alloc(0) });
    expect(readFileSync(file).equals(content)).toBe(true);
    expect(readdirSync(bench.path('.'))).not.toContain('made.tmp');
  });

  test('what the bench makes is removed, in the end and after a signal; an empty file is empty again', async () => {
    const directory = bench.path('made');
    mkdirSync(directory);
    ok(await cli(['bench', ...WRITE, '--directory', directory, '--numjobs', '2']));
    ok(await cli(['bench', `${directory}/named`, ...WRITE]));
    expect(readdirSync(directory)).toEqual([]);
    writeFileSync(`${directory}/empty`, '');
    ok(await cli(['bench', `${directory}/empty`, ...WRITE]));
    expect(statSync(`${directory}/empty`).size).toBe(0);
    const killed = await cli(['bench', '--rw', 'randread', '--directory', directory], {
      watch: (text, kill) => text.includes('randread  sync') && kill('SIGINT'),
    });
    expect(killed).toMatchObject({ status: null, signal: 'SIGINT' });
    expect(readdirSync(directory)).toEqual(['empty']);
  }, 60_000);

  test('more than a file holds, and a directory', async () => {
    const file = bench.image(pattern(64 * KiB));
    const asks = async (...args: string[]) => cli(['bench', file, '--rw', 'read', ...args]);
    expect(await asks('--size', '1m')).toMatchObject({ status: 2, stderr: expect.stringContaining('asks for 1 MiB') });
    expect(await asks('--offset', '32k', '--size', '64k')).toMatchObject({ status: 2, stderr: expect.stringContaining('asks for 96 KiB') });
    expect(await asks('--bs', '128k')).toMatchObject({ status: 2, stderr: expect.stringContaining('less than one bs') });
    expect(await asks('--offset', '1m')).toMatchObject({ status: 2 });
    expect(await cli(['bench', bench.path('.'), '--rw', 'read'])).toMatchObject({ status: 1, stderr: expect.stringContaining('EINVAL') });
    expect(await cli(['bench', bench.path('no/where'), '--rw', 'read'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ENOENT'),
    });
    const share = await cli(['bench', bench.path('new'), '--rw', 'read', '--size', '10%']);
    expect(share).toMatchObject({ status: 2, stderr: expect.stringContaining('yet to be made') });
  });

  test('a file that another process has locked, unless --no-lock says so', async () => {
    const file = bench.image(pattern(64 * KiB));
    const holder = openSync(file, { mode: 'r+' });
    try {
      expect(await cli(['bench', file, '--rw', 'read'])).toMatchObject({ status: 1, stderr: expect.stringContaining('EBUSY') });
      ok(await cli(['bench', file, '--rw', 'read', '--size', '64k', '--json', '--no-lock']));
    } finally {
      holder.closeSync();
    }
  });

  test('--html does not write over what is no page', async () => {
    const file = bench.image(pattern(64 * KiB));
    const page = await cli(['bench', '--rw', 'read', '--size', '64k', '--html', file]);
    expect(page).toMatchObject({ status: 2, stderr: expect.stringContaining('is no page') });
    expect(readFileSync(file).equals(pattern(64 * KiB))).toBe(true);
  });

  testWith(PRLIMIT)(
    'a request that fails ends its job, the others go on, and the status is 1',
    async () => {
      const file = bench.image(pattern(128 * KiB));
      const jobs = bench.path('failing.fio');
      const written = bench.image(pattern(128 * KiB));
      writeFileSync(jobs, `[good]\nrw=read\nfilename=${file}\n[bad]\nrw=write\nfilename=${written}\n`);
      const tool = [process.execPath, TOOL, 'bench', '--jobs', jobs, '--overwrite', '--json'];
      for (const engine of OURS) {
        const finished = await start('prlimit', ['--fsize=65536', ...tool, '--engine', engine]); // EFBIG from there on
        // The protocol has one word for all that finds no room.
        const [code, errno] = engine === 'nbd' ? ['ENOSPC', 28] : ['EFBIG', 27];
        expect(finished).toMatchObject({ status: 1, stderr: expect.stringMatching(`^rumpblk: job bad, engine ${engine}: ${code}: .*\n$`) });
        const [good, bad] = documentOf(finished).jobs;
        expect(good).toMatchObject({ error: 0, read: { total_ios: 32 } });
        expect(bad).toMatchObject({ error: errno, write: { total_ios: 16 } });
      }
    },
    60_000,
  );

  looped('a block node is written with --overwrite only, and not while it is claimed', async () => {
    const content = pattern(MiB);
    const file = bench.image(content);
    const node = attach(file);
    const words = ['bench', node, '--rw', 'randwrite', '--loops', '1', '--engine', 'async,fs-sync', '--json'];
    expect(await cli(words)).toMatchObject({ status: 2, stderr: expect.stringContaining(`would write over '${node}', which holds 1 MiB`) });
    run('cmp', node, file);
    const holder = openSync(node, { mode: 'r+' });
    try {
      expect(await cli([...words, '--overwrite'])).toMatchObject({ status: 1, stderr: expect.stringContaining('EBUSY') });
    } finally {
      holder.closeSync();
    }
    expect(readFileSync(file).equals(content)).toBe(true);
    const { jobs } = ok(await cli([...words, '--overwrite']));
    expect(jobs.map((job: any) => job.write.io_bytes)).toEqual([MiB, MiB]);
  });

  testWith(FIO, ...STRACE)(
    'issue 13.21: the page cache is dropped once before a run, also one of several passes, on every engine',
    async () => {
      const file = bench.image(pattern(64 * KiB));
      const trace = bench.path('trace');
      for (const engine of ['sync', 'fs-sync', 'fio']) {
        const tool = [process.execPath, TOOL, 'bench', file, '--rw', 'read', '--loops', '6', '--engine', engine, '--json'];
        const { jobs } = ok(await start('strace', ['-f', '-qq', '-o', trace, '-P', file, '-e', 'trace=fadvise64', ...tool]));
        const dropped = readFileSync(trace, 'utf8').match(/POSIX_FADV_DONTNEED/g);
        expect([engine, jobs[0].read.io_bytes, dropped?.length]).toEqual([engine, 6 * 64 * KiB, 1]);
      }
    },
  );

  testWith(FIO)('fio is given the very file, whatever it is called', async () => {
    const directory = bench.path('a;b #c $d:e');
    mkdirSync(directory);
    const content = pattern(64 * KiB);
    const file = `${directory}/f;#1`;
    writeFileSync(file, content);
    const { jobs } = ok(await cli(['bench', file, '--rw', 'randwrite', '--loops', '1', '--overwrite', '--engine', 'fio', '--json']));
    expect(jobs).toMatchObject([{ engine: 'fio', error: 0, write: { io_bytes: 64 * KiB } }]);
    expect(readdirSync(directory)).toEqual(['f;#1']);
    const now = readFileSync(file);
    for (let block = 0; block < 16; block += 1) {
      const part = (all: Buffer): Buffer => all.subarray(block * 4 * KiB, (block + 1) * 4 * KiB);
      expect(part(now).equals(part(content))).toBe(false);
    }
  });

  testWith(FIO, PRLIMIT)('what fio cannot do is said, and the other engines are reported', async () => {
    const file = bench.image(pattern(128 * KiB));
    const words = ['bench', file, '--rw', 'write', '--loops', '1', '--overwrite', '--engine', 'fio,sync', '--json'];
    const finished = await start('prlimit', ['--fsize=65536', process.execPath, TOOL, ...words]); // SIGXFSZ ends fio
    expect(finished).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^rumpblk: job write, engine fio: .*\nrumpblk: job write, engine sync: EFBIG: .*\n$/),
    });
    expect(documentOf(finished).jobs.at(-1)).toMatchObject({ engine: 'sync', error: 27, write: { total_ios: 16 } });
  });

  test('the page is written also when the reader of the table has left', async () => {
    const page = bench.path('left.html');
    await shell('$RUMPBLK bench --rw read --size 64k --html "$1" 2>&1 | true', page);
    expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>[^]*<\/html>\n$/);
  });
});
