// rumpblk bench: how job files and job options are read. --parse-only says what was understood.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { ROOT } from '../../support/child';
import { cli, cliMany, documentOf } from '../../support/cli';
import { peer, testWith, type Need } from '../../support/peers';
import { KiB, MiB, rig } from '../../support/rig';

const bench = rig();
const EXAMPLES = '/usr/share/doc/fio/examples';
const FIO = peer('fio', 'fio');
const FIO_EXAMPLES: Need = { met: existsSync(EXAMPLES), why: `${EXAMPLES} is missing: apt-get install fio-examples`, installable: true };

function jobFile(...lines: string[]): string {
  const file = bench.path('jobs.fio');
  writeFileSync(file, lines.join('\n'));
  return file;
}

async function parse(lines: readonly string[], ...options: string[]): Promise<any> {
  const finished = await cli(['bench', '--jobs', jobFile(...lines), '--parse-only', '--json', ...options]);
  expect(finished).toMatchObject({ status: 0, stderr: '' });
  return documentOf(finished);
}

describe('a job file', () => {
  test('[global] is for the sections below it, and a section wins over it', async () => {
    const { jobs, global } = await parse([
      '# a comment',
      '[global]',
      'bs=8k ; and another',
      'iodepth = 4',
      '[first]',
      '; rw=write',
      'rw=randread',
      'bs=16k',
      '[global]',
      'numjobs=2',
      '[second]',
      'readwrite=readwrite',
      'stonewall',
    ]);
    expect(jobs).toMatchObject([
      { name: 'first', rw: 'randread', bs: { read: 16 * KiB, write: 16 * KiB }, iodepth: 4, numjobs: 1, stonewall: false },
      { name: 'second', rw: 'rw', bs: { read: 8 * KiB, write: 8 * KiB }, iodepth: 4, numjobs: 2, stonewall: true },
    ]);
    expect(global).toEqual({ bs: '8k', iodepth: '4', numjobs: '2' });
    expect(jobs[0].given).toEqual({ rw: 'randread', bs: '16k' });
  });

  test('every key, and the other names of some', async () => {
    const { jobs } = await parse([
      '[all]',
      'rw=randrw',
      'blocksize=4k,64K',
      'iodepth=16',
      'numjobs=3',
      'size=1G',
      'io_size=50%',
      'offset=10%',
      'timeout=1500ms',
      'time_based=1',
      'rwmixwrite=30',
      'filename=a\\:b',
      'directory=/data',
      'loops=2',
      'randseed=7',
      'norandommap',
      'fsync=32',
      'fdatasync=16',
      'buffered=0',
      'invalidate=0',
      'wait_for_previous',
      'group_reporting',
      'ioengine=libaio',
    ]);
    expect(jobs).toEqual([
      expect.objectContaining({
        rw: 'randrw',
        bs: { read: 4 * KiB, write: 64 * KiB },
        iodepth: 16,
        numjobs: 3,
        size: { bytes: 1024 * MiB },
        ioSize: { percent: 50 },
        offset: { percent: 10 },
        runtime: 1.5,
        timeBased: true,
        rwmixread: 70,
        filename: 'a:b',
        directory: '/data',
        loops: 2,
        randseed: 7,
        norandommap: true,
        fsync: 32,
        fdatasync: 16,
        direct: true,
        invalidate: false,
        stonewall: true,
        groupReporting: true,
        ioengine: 'libaio',
      }),
    ]);
  });

  test('units are those of fio', async () => {
    const sizes = ['512', '0x200', '1k', '1M', '2g', '1t'];
    const { jobs } = await parse(sizes.flatMap((size, index) => [`[${index}]`, `size=${size}`]));
    expect(jobs.map((job: any) => job.size.bytes)).toEqual([512, 512, KiB, MiB, 2048 * MiB, MiB * MiB]);
    const times = ['3', '3s', '250ms', '500us', '2m', '1h', '1d'];
    const { jobs: timed } = await parse(times.flatMap((time, index) => [`[${index}]`, `runtime=${time}`]));
    expect(timed.map((job: any) => job.runtime)).toEqual([3, 3, 0.25, 0.0005, 120, 3600, 86400]);
  });

  test('environment variables, and options that replace a key in every job', async () => {
    const file = jobFile('[a]', 'size=${BENCH_SIZE}', '[b]', 'size=1g', 'runtime=900');
    const { jobs } = documentOf(
      await cli(['bench', '--jobs', file, '--parse-only', '--json', '--runtime', '1'], { env: { BENCH_SIZE: '2m' } }),
    );
    expect(jobs).toMatchObject([
      { size: { bytes: 2 * MiB }, runtime: 1 },
      { size: { bytes: 1024 * MiB }, runtime: 1 },
    ]);
    expect(await cli(['bench', '--jobs', file, '--parse-only'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('line 2: the environment has no BENCH_SIZE'),
    });
  });

  test('a key that changes nothing here is a line on stderr', async () => {
    const { status, stderr } = await cli(['bench', '--jobs', jobFile('[a]', 'thread', 'gtod_reduce=1'), '--parse-only']);
    expect(status).toBe(0);
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^rumpblk: '.*jobs\.fio', line 2: thread in \[a\] changes nothing here$/),
      expect.stringMatching(/line 3: gtod_reduce in \[a\] changes nothing here$/),
    ]);
  });

  describe('what is refused', () => {
    const REFUSED: readonly (readonly [lines: string[], message: string])[] = [
      [['[a]', 'wibble=3'], "line 2: wibble in [a]: '3': not a key of this bench"],
      [['[a]', 'verify=crc32c'], 'it does not verify what it reads'],
      [['[a]', 'thinktime=10'], 'without a pause'],
      [['[a]', 'rw=trim'], 'give one of read, write, randread'],
      [['[a]', 'rw='], 'a value is missing'],
      [['[a]', 'bs=4KiB'], 'give k, m, g, t or p for powers of 1024'],
      [['[a]', 'bs=0'], 'give a size up to 64m'],
      [['[a]', 'bs=1k,2k,3k'], 'one for reads and one for writes'],
      [['[a]', 'size=110%'], 'at most 100%'],
      [['[a]', 'size=-1'], 'give whole bytes'],
      [['[a]', 'size=9999999t'], 'give whole bytes'],
      [['[a]', 'iodepth=0'], 'from 1 to 4096'],
      [['[a]', 'numjobs=1.5'], 'from 1 to 256'],
      [['[a]', 'rwmixread=101'], 'from 0 to 100'],
      [['[a]', 'runtime=soon'], 'give a time'],
      [['[a]', 'time_based=yes'], 'give 1 or 0'],
      [['[a]', 'time_based'], 'time_based needs a runtime'],
      [['[a]', 'runtime=0'], 'a runtime of 0'],
      [['[a]', 'filename=x:y'], 'one file a job'],
      [['[a]', 'ioengine=rados'], "none of fio's engines on files"],
      [['[a]', 'bs=64m', 'iodepth=64'], 'more than 256 MiB'],
      [['[a]', 'bs=1000', 'direct=1'], 'whole sectors'],
      [['rw=read', '[a]'], "line 1: 'rw=read' is in no section"],
      [['[]'], 'a section needs a name'],
      [['[a]', '= 3'], 'no key=value'],
      [['[global]', 'bs=4k'], 'has no job'],
      [[''], 'has no job'],
    ];
    let finished: Awaited<ReturnType<typeof cliMany>> = [];

    beforeAll(async () => {
      const commands = REFUSED.map(([lines], i) => {
        const file = bench.path(`refused-${i}.fio`);
        writeFileSync(file, lines.join('\n'));
        const options = lines.includes('iodepth=64') ? ['--engine', 'async'] : [];
        return ['bench', '--jobs', file, '--parse-only', ...options];
      });
      finished = await cliMany(commands);
    });

    test.each(REFUSED.map(([lines, message], i) => [lines, message, i] as const))('%j', (_, message, i) => {
      expect(finished[i]).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining(message) });
      expect(finished[i]?.stderr).toMatch(/^rumpblk: .*\n$/);
    });
  });
});

test('the job file of docs/bench.md is understood, and every key of its table is known', async () => {
  const [, guide = ''] = /^## A job file\n([^]*?)^## /m.exec(readFileSync(path.join(ROOT, 'docs', 'bench.md'), 'utf8')) ?? [];
  const [, example = ''] = /```ini\n([^]*?)```/.exec(guide) ?? [];
  const { jobs } = await parse(example.split('\n'));
  expect(jobs.map((job: any) => job.name)).toEqual(['cold random reads', 'database']);
  const keys = Array.from(guide.matchAll(/^\| (`\w+`(?:, `\w+`)*) \| /gm), ([, names = '']) =>
    names.replaceAll('`', '').split(', '),
  ).flat();
  expect(keys).toEqual(expect.arrayContaining(['rw', 'bs', 'ioengine', 'group_reporting']));
  const files = keys.map((key) => bench.path(`key-${key}.fio`));
  for (const [i, key] of keys.entries()) writeFileSync(files[i] ?? '', `[a]\n${key}=`);
  for (const [i, { stderr }] of (await cliMany(files.map((file) => ['bench', '--jobs', file, '--parse-only']))).entries()) {
    expect([keys[i], stderr]).not.toEqual([keys[i], expect.stringContaining('not a key')]);
  }
}, 60_000);

describe('options', () => {
  test.each([
    [['--bs', '4k'], '--bs belongs to a workload'],
    [['--html', 'x.html'], '--html belongs to a workload'],
    [['jobs.fio'], 'a fio job file is given with --jobs'],
    [['--rw', 'read', '--quick'], '--quick is for the demonstration'],
    [['--rw', 'backwards'], "--rw: 'backwards': give one of"],
    [['--rw', 'read', '--engine', 'turbo'], "'turbo' is none of sync, batch"],
    [['--rw', 'read', '--bs', '1000', '--engine', 'batch'], 'whole sectors'],
    [['--rw', 'read', '--direct', 'x.img'], "--direct: 'x.img': give 1 or 0"],
    [['--size', 'big'], "--size: 'big'"],
  ])('%j are refused', async (args, message) => {
    expect(await cli(['bench', ...args])).toMatchObject({ status: 2, stderr: expect.stringContaining(message) });
  });

  test('a workload that nothing bounds takes three seconds; fio is asked for only where it is', async () => {
    const { jobs, engines } = documentOf(await cli(['bench', '--rw', 'randread', '--iodepth', '4', '--parse-only', '--json']));
    expect(jobs).toMatchObject([{ name: 'randread', runtime: 3, timeBased: true }]);
    expect(engines).toEqual(['async']);
    const alone = { env: { PATH: '/nowhere' } };
    expect(await cli(['bench', '--rw', 'read', '--engine', 'fio'], alone)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('not installed'),
    });
    const all = await cli(['bench', '--rw', 'read', '--engine', 'all', '--parse-only', '--json'], alone);
    expect(all.stderr).toContain('fio is not installed');
    expect(documentOf(all).engines).toEqual(['sync', 'batch', 'async', 'nbd', 'fs-sync', 'fs-callback', 'fs-promises']);
  });
});

describe("fio's own examples", () => {
  const REFUSAL = /rumpblk: '.*', line \d+: \w+ in \[.*\]: .+\n$/;
  const RUN = 'aio-read fio-rand-RW fio-rand-read fio-rand-write fio-seq-RW fio-seq-read fio-seq-write fsx ssd-test'.split(' ');

  testWith(FIO_EXAMPLES)(
    'are understood, or refused with the line and the key',
    async () => {
      const files = readdirSync(EXAMPLES).filter((name) => name.endsWith('.fio'));
      expect(files.length).toBeGreaterThan(50);
      const understood: string[] = [];
      const finished = await cliMany(files.map((name) => ['bench', '--jobs', path.join(EXAMPLES, name), '--parse-only']));
      for (const [i, { status, stderr }] of finished.entries()) {
        const name = files[i] ?? '';
        if (status === 0) understood.push(name.replace('.fio', ''));
        else expect({ name, status, stderr }).toMatchObject({ status: 2, stderr: expect.stringMatching(REFUSAL) });
      }
      expect(understood).toEqual(expect.arrayContaining(RUN));
    },
    120_000,
  );

  testWith(FIO, FIO_EXAMPLES)(
    'that are understood run, on our engines and on fio',
    async () => {
      const directory = bench.path('examples');
      mkdirSync(directory);
      const small = ['--size', '256k', '--runtime', '100ms', '--loops', '1', '--directory', directory, '--json', '--engine', 'async,fio'];
      for (const name of RUN) {
        const file = path.join(EXAMPLES, `${name}.fio`);
        const finished = await cli(['bench', '--jobs', file, ...small]);
        expect({ name, status: finished.status, stderr: finished.stderr.replace(/^.*changes nothing here\n/gm, '') }).toEqual({
          name,
          status: 0,
          stderr: '',
        });
        const sections = Array.from(readFileSync(file, 'utf8').matchAll(/^\[(.*)\]/gm), ([, title]) => title).filter(
          (title) => title !== 'global',
        );
        const { jobs } = documentOf(finished);
        expect([...new Set(jobs.map((job: any) => job.jobname))]).toEqual(sections);
        for (const job of jobs) expect(Math.max(job.read.total_ios, job.write.total_ios)).toBeGreaterThan(0);
      }
      expect(readdirSync(directory)).toEqual([]);
    },
    120_000,
  );
});
