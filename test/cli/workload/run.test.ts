// rumpblk bench with a workload: what its engines do, what it counts, and the shape of its JSON.
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { cli, documentOf, type Finished } from '../../support/cli';
import { peer, run, testWith } from '../../support/peers';
import { KiB, MiB, pattern, rig } from '../../support/rig';

const bench = rig();
const FIO = peer('fio', 'fio');
const TIMEOUT = 60_000;
const OURS = ['sync', 'batch', 'async', 'nbd', 'fs-sync', 'fs-callback', 'fs-promises'];
const BS = 4 * KiB;

function ok(finished: Finished): any {
  expect(finished).toMatchObject({ status: 0, stderr: '' });
  return documentOf(finished);
}

/** Requests of an element of `jobs`. */
function requests(job: any): number {
  return Number(job.read.total_ios) + Number(job.write.total_ios);
}

/** Blocks of `after` that are not as in `before`. */
function changed(before: Buffer, after: Buffer): number[] {
  expect(after.byteLength).toBe(before.byteLength);
  const blocks = Array.from({ length: before.byteLength / BS }, (_, block) => block);
  return blocks.filter((block) => !before.subarray(block * BS, (block + 1) * BS).equals(after.subarray(block * BS, (block + 1) * BS)));
}

describe.each(OURS)('the engine %s', (engine) => {
  const runOn = async (file: string, ...options: string[]) =>
    ok(await cli(['bench', file, '--engine', engine, '--json', '--iodepth', '4', '--loops', '1', ...options])).jobs;

  test('reads each block once at random, and changes nothing', async () => {
    const content = pattern(MiB);
    const file = bench.image(content);
    const [job, ...others] = await runOn(file, '--rw', 'randread');
    expect(others).toEqual([]);
    expect(job).toMatchObject({ engine, error: 0, read: { total_ios: 256, io_bytes: MiB, short_ios: 0 }, write: { total_ios: 0 } });
    expect(job.read.clat_ns).toMatchObject({ N: 256, min: expect.any(Number) });
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test('writes each block once at random, within offset and size, in two threads', async () => {
    const content = pattern(MiB);
    const file = bench.image(content);
    const jobs = await runOn(file, '--rw', 'randwrite', '--overwrite', '--offset', '256k', '--size', '512k', '--numjobs', '2');
    expect(jobs.map((job: any) => job.write.total_ios)).toEqual([128, 128]);
    expect(changed(content, readFileSync(file))).toEqual(Array.from({ length: 128 }, (_, block) => 64 + block));
  });

  test('a mix keeps to its ratio, and writes as many blocks as it says', async () => {
    const content = pattern(8 * MiB);
    const file = bench.image(content);
    const [job] = await runOn(file, '--rw', 'randrw', '--rwmixread', '70', '--overwrite');
    const { read, write } = job;
    expect(requests(job)).toBe(2048);
    expect(read.total_ios / 2048).toBeGreaterThan(0.67);
    expect(read.total_ios / 2048).toBeLessThan(0.73);
    expect(changed(content, readFileSync(file))).toHaveLength(write.total_ios);
  });

  test('syncs after every eighth write', async () => {
    const [{ write, sync }] = await runOn(bench.image(pattern(256 * KiB)), '--rw', 'write', '--fsync', '8', '--overwrite');
    expect(write.total_ios).toBe(64);
    expect(sync.total_ios).toBe(8);
    expect(sync.lat_ns.N).toBe(8);
  });

  test('in order, in several passes, until the runtime is over', async () => {
    const file = bench.image(pattern(256 * KiB));
    const [twice] = await runOn(file, '--rw', 'read', '--loops', '2');
    expect(twice.read.io_bytes).toBe(512 * KiB);
    const [timed] = await runOn(file, '--rw', 'read', '--runtime', '300ms', '--time_based');
    expect(timed.read.runtime).toBeGreaterThanOrEqual(300);
    expect(timed.read.total_ios).toBeGreaterThan(64);
  });
});

describe('the report', () => {
  test('jobs between two stonewalls run together, with threads merged by group_reporting', async () => {
    const jobs = bench.path('groups.fio');
    const lines = [
      '[global]',
      'size=64k',
      'group_reporting',
      '[a]',
      'rw=read',
      'numjobs=2',
      '[b]',
      'rw=write',
      '[c]',
      'stonewall',
      'rw=read',
    ];
    writeFileSync(jobs, lines.join('\n'));
    const report = ok(await cli(['bench', '--jobs', jobs, '--engine', 'sync,async', '--json']));
    expect(report['global options']).toEqual({ size: '64k', group_reporting: '' });
    const rows = report.jobs.map((job: any) => [job.jobname, job.engine, job.groupid, requests(job)]);
    expect(rows).toEqual([
      ['a', 'sync', 0, 32],
      ['a', 'async', 0, 32],
      ['b', 'sync', 0, 16],
      ['b', 'async', 0, 16],
      ['c', 'sync', 1, 16],
      ['c', 'async', 1, 16],
    ]);
  });

  test('the table and a plain line a phase, without a terminal', async () => {
    const { status, stdout, stderr } = await cli(['bench', '--rw', 'randrw', '--size', '256k', '--fsync', '4', '--engine', 'sync,async']);
    expect(status).toBe(0);
    const rows = stdout
      .toString()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/));
    const columns = ['job', 'engine', 'IOPS', 'MiB/s', 'mean', 'p50', 'p95', 'p99', 'p99.9', 'p99.99', 'max'];
    expect(rows.find(([job, engine]) => job === 'job' && engine === 'engine')).toEqual(columns);
    for (const engine of ['sync', 'async']) {
      for (const kind of ['read', 'write', 'sync']) {
        expect(rows.filter(([job, name, what]) => job === 'randrw' && name === engine && what === kind)).toHaveLength(1);
      }
    }
    expect(stderr.trimEnd().split('\n')).toEqual(['making 256 KiB of files ...', 'randrw  sync ...', 'randrw  async ...']);
  });

  /** The shape of a document: keys and types, without what is ours alone. */
  const shape = (value: any): any => {
    if (Array.isArray(value)) return value.map(shape);
    if (typeof value !== 'object' || value === null) return typeof value;
    const ours = new Set(['engine', 'rumpblk', 'disk_util', 'global options', 'job options', 'bins']);
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => !ours.has(key))
        .map(([key, part]) => [key, shape(part)]),
    );
  };

  testWith(FIO)(
    "--json has fio's keys in fio's order, for what happened and for what did not",
    async () => {
      const file = bench.image(pattern(MiB));
      const words = ['rw=randrw', 'bs=4k', 'size=256k', 'fsync=8', 'group_reporting=1', 'numjobs=2'];
      const real = JSON.parse(
        run('fio', '--output-format=json', '--name=shape', '--ioengine=psync', `--filename=${file}`, ...words.map((word) => `--${word}`)),
      );
      const jobs = bench.path('shape.fio');
      writeFileSync(jobs, ['[shape]', `filename=${file}`, ...words].join('\n'));
      const report = ok(await cli(['bench', '--jobs', jobs, '--overwrite', '--json', '--engine', 'sync,batch,fio']));
      const [sync, batch, ...others] = report.jobs;
      const wanted = shape(real);
      expect(shape({ ...report, jobs: [sync] })).toEqual(wanted);
      expect(shape({ ...report, jobs: [batch] })).toEqual(wanted);
      expect(Object.keys(shape(sync))).toEqual(Object.keys(wanted.jobs[0]));
      expect(Object.keys(sync.read)).toEqual(Object.keys(real.jobs[0].read));
      expect(Object.keys(sync.read.clat_ns.percentile)).toEqual(Object.keys(real.jobs[0].read.clat_ns.percentile));
      expect(sync['job options']).toEqual({ filename: file, ...Object.fromEntries(words.map((word) => word.split('='))) });
      expect(others.every((job: any) => job.engine === 'fio' && job.jobname === 'shape')).toBe(true);
      const merged = requests(sync);
      expect(merged).toBe(others.reduce((sum: number, job: any) => sum + requests(job), 0));
    },
    TIMEOUT,
  );

  testWith(FIO)(
    'of several passes over a small file every engine has as cold a first one and as warm others as fio',
    async () => {
      const file = bench.image(pattern(4 * MiB));
      const { jobs } = ok(await cli(['bench', file, '--rw', 'randread', '--loops', '400', '--engine', 'sync,fs-sync,fio', '--json']));
      const [sync, fs, fio] = jobs;
      expect(jobs.map((job: any) => [job.engine, requests(job)])).toEqual(['sync', 'fs-sync', 'fio'].map((engine) => [engine, 400 * 1024]));
      for (const own of [sync, fs]) {
        expect(own.read.iops / fio.read.iops).toBeLessThan(20);
        expect(fio.read.iops / own.read.iops).toBeLessThan(20);
      }
    },
    TIMEOUT,
  );

  test('the figures of a job agree with each other', async () => {
    const report = ok(await cli(['bench', '--rw', 'randread', '--size', '1m', '--runtime', '1200ms', '--time_based', '--json']));
    const [{ read, latency_ns, latency_us, latency_ms, iodepth_level, job_runtime }] = report.jobs;
    expect(read.io_bytes).toBe(read.total_ios * BS);
    expect(read.iops / ((read.total_ios / job_runtime) * 1000)).toBeCloseTo(1, 2);
    expect(read.bw_bytes / (read.iops * BS)).toBeCloseTo(1, 4);
    const { min, max, mean, percentile } = read.clat_ns;
    const steps = Object.values<number>(percentile);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(min).toBeLessThanOrEqual(steps[0]!);
    expect(max).toBeGreaterThanOrEqual(steps.at(-1)!);
    expect(mean).toBeGreaterThan(min);
    const shares = [latency_ns, latency_us, latency_ms].flatMap((part) => Object.values<number>(part));
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(100, 6);
    expect(iodepth_level['1']).toBe(100);
    expect(read.bw_samples).toBeGreaterThanOrEqual(1);
    expect(read.bw_min).toBeLessThanOrEqual(read.bw_max);
  });
});
