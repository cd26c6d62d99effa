// memory:SIZE and null:SIZE in place of a file, in every command.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { cli, documentOf, shell } from '../support/cli';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const TIMEOUT = 60_000;

test('info tells what it is', async () => {
  const { status, stdout } = await cli(['info', 'memory:3M', '--verbose']);
  expect(status).toBe(0);
  for (const part of ['memory:3M: 3 MiB, blank', 'disk in memory', '3 MiB (3145728 bytes)', 'pio', 'none mapped'])
    expect(stdout.toString()).toContain(part);
  const [memory, nothing] = [await cli(['info', 'memory:8s', '--offset', '1k', '--json']), await cli(['info', 'null:1T', '--json'])];
  expect(documentOf(memory)).toMatchObject({ file: 'memory:8s', source: 'memory', type: 'block', offset: KiB, size: 3 * KiB });
  expect(documentOf(nothing)).toMatchObject({ source: 'null', size: 2 ** 40 });
  expect(documentOf(await cli(['info', bench.sparse(MiB), '--json']))).toMatchObject({ source: 'file', type: 'file' });
});

test('read gives zeros, write takes what fits', async () => {
  for (const name of ['memory:5k', 'null:5k']) {
    const read = await cli(['read', name]);
    expect({ status: read.status, stderr: read.stderr }).toEqual({ status: 0, stderr: '' });
    expect(read.stdout.equals(Buffer.alloc(5 * KiB))).toBe(true);
    const written = await cli(['write', name, '-p', '1k', '--json'], { input: pattern(4 * KiB) });
    expect(documentOf(written)).toMatchObject({ file: name, position: KiB, bytesWritten: 4 * KiB });
    const full = await cli(['write', name], { input: pattern(6 * KiB) });
    expect(full.status).toBe(1);
    expect(full.stderr).toContain(`5120 bytes written, then the device ended at 5120`);
  }
});

test('-o and -i take them as well', async () => {
  const file = bench.image(pattern(2 * MiB));
  expect(await cli(['write', file, '-i', 'null:1M'])).toMatchObject({ status: 0, stderr: '' });
  const { stdout } = await cli(['read', file]);
  expect(stdout.equals(Buffer.concat([Buffer.alloc(MiB), pattern(2 * MiB).subarray(MiB)]))).toBe(true);
  expect(documentOf(await cli(['read', file, '-o', 'memory:2M', '--json']))).toMatchObject({ bytesRead: 2 * MiB, output: 'memory:2M' });
  expect((await cli(['read', file, '-o', 'memory:1M'])).stderr).toContain("ENOSPC: no space left on device, write 'memory:1M'");
});

test('partitions and label write on them', async () => {
  const table = bench.path('table.json');
  writeFileSync(table, JSON.stringify({ scheme: 'gpt', partitions: [{ start: MiB, size: MiB, type: 'linux' }] }));
  const written = documentOf(await cli(['partitions', 'memory:16M', '--write', table, '--json', '--sector-size', '4k']));
  expect(written.table).toMatchObject({ scheme: 'gpt', position: 4096, problems: [] });
  expect((await cli(['partitions', 'null:16M'])).stdout.toString()).toBe('null:16M: not divided\n');
  expect((await cli(['label', 'memory:16M'])).status).toBe(0);
});

test('a file of that name is reached with a folder before it, and never without', async () => {
  const folder = bench.path('');
  writeFileSync(path.join(folder, 'memory:1k'), 'a file');
  const run = (name: string) => cli(['read', name], { cwd: folder });
  expect((await run('./memory:1k')).stdout.toString()).toBe('a file');
  expect((await run('memory:1k')).stdout.equals(Buffer.alloc(KiB))).toBe(true);
});

test.each([
  [['info', 'memory:'], "'memory:'"],
  [['info', 'null:64Q'], 'a file of that name is ./null:64Q'],
  [['read', 'memory:1.5k'], '; a file of that name is'],
  [['read', 'x', '-o', 'memory:-1'], './memory:-1'],
  [['bench', 'null:9007199254740992'], '; a file of that name is'],
])('%j is a wrong command line', async (args, words) => {
  const { status, stderr } = await cli(args);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(words) });
});

test('more than there is address space for is a failure', async () => {
  expect(await cli(['info', 'memory:8000T'])).toMatchObject({
    status: 1,
    stderr: "rumpblk: ENOMEM: not enough memory, map 'memory:8000T'\n",
  });
});

test('the help says so', async () => {
  expect((await cli(['--help'])).stdout.toString()).toContain('FILE may be memory:SIZE');
  for (const command of ['info', 'read', 'write', 'copy', 'compare', 'label', 'partitions', 'bench']) {
    expect((await cli([command, '--help'])).stdout.toString().replace(/\s+/g, ' ')).toContain('memory:SIZE, null:SIZE or an nbd: URL');
  }
});

describe('bench', () => {
  test.each(['memory:4M', 'null:4M'])(
    'of %s writes, verifies and shows what requests cost',
    async (name) => {
      const report = documentOf(await cli(['bench', name, '--quick', '--json']));
      expect(report).toMatchObject({ ok: true, problems: [], image: { path: name, size: 4 * MiB, temporary: true } });
      expect(report.verify.map(({ minor, access }: any) => `${minor} ${access}`)).toEqual(['0 pio', '2 pio']);
      for (const run of report.verify) expect(run).toMatchObject({ mismatches: 0, writes: expect.any(Number) });
      expect(report.compare).toHaveLength(6);
      for (const { scores } of report.compare) expect(scores).toEqual({ pio: { nanoseconds: expect.any(Number) } });
    },
    TIMEOUT,
  );

  test('shows no node:fs beside it', async () => {
    const { stdout } = await cli(['bench', 'memory:4M', '--quick']);
    expect(stdout.toString()).toContain('4 MiB in memory');
    expect(stdout.toString()).not.toContain('node:fs');
  });

  test(
    'runs workloads on them, each thread on a disk of its own',
    async () => {
      const jobs = bench.path('mix.fio');
      const lines = ['[memory]', 'filename=memory\\:8M', 'rw=randrw', 'numjobs=2', 'loops=2', '[null]', 'stonewall', 'filename=null\\:1T'];
      writeFileSync(jobs, [...lines, 'rw=randwrite', 'iodepth=4', 'io_size=4m'].join('\n'));
      const finished = await cli(['bench', '--jobs', jobs, '--engine', 'all', '--json']);
      expect(finished).toMatchObject({ status: 0, stderr: expect.stringContaining('the engines of devices alone') });
      const entries = documentOf(finished).jobs as any[];
      expect(entries.map(({ jobname, engine }) => `${jobname} ${engine}`)).toEqual([
        ...['sync', 'sync', 'batch', 'batch', 'async', 'async', 'nbd', 'nbd'].map((engine) => `memory ${engine}`),
        ...['sync', 'batch', 'async', 'nbd'].map((engine) => `null ${engine}`),
      ]);
      for (const { jobname, error, read, write } of entries) {
        expect([error, Number(read.io_bytes) + Number(write.io_bytes)]).toEqual([0, jobname === 'null' ? 4 * MiB : 16 * MiB]);
      }
    },
    TIMEOUT,
  );

  test.each([
    [['memory:8M', '--rw', 'read', '--engine', 'fs-sync'], "the engine fs-sync needs a file, and 'memory:8M' is none"],
    [['null:0', '--rw', 'read'], "0 of 'null:0' are less than one bs"],
    [['null:1M', '--rw', 'read', '--partition', '1'], "'null:1M' is not"],
    [['memory:2G'], '1 GiB at most'],
    [['memory:1k'], 'smaller than 1 MiB'],
  ])('%j is refused', async (args, words) => {
    const { status, stderr } = await cli(['bench', ...args]);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(words) });
  });

  test('a job file with a size that is none is refused', async () => {
    const jobs = bench.path('wrong.fio');
    writeFileSync(jobs, '[a]\nfilename=memory\\:8Q\n');
    expect(await cli(['bench', '--jobs', jobs])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("'memory:8Q': Give whole bytes"),
    });
  });
});

test('pipes go through: nothing of it is kept', async () => {
  const { stdout, status } = await shell('printf hello | $RUMPBLK write memory:4k && $RUMPBLK read memory:4k -l 5 | od -An -tx1');
  expect([status, stdout.toString().trim()]).toEqual([0, '00 00 00 00 00']);
});
