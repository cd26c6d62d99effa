// rumpblk bench, and what the tool does on a terminal.
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { cli, documentOf, shell, start, TOOL } from '../support/cli';
import { peer, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const TIMEOUT = 60_000;
const SMALL = ['bench', '--quick', '--size', '4M'];

/** A new folder, to see what stays in it. */
function folder(name: string): string {
  const directory = bench.path(name);
  mkdirSync(directory);
  return directory;
}

describe('bench', () => {
  test(
    '--quick --json: one document, everything verified, nothing left behind',
    async () => {
      const directory = folder('json');
      const finished = await cli([...SMALL, '--json', '--dir', directory]);
      expect(finished).toMatchObject({ status: 0, stderr: '' });
      const report = documentOf(finished);
      expect(report).toMatchObject({ ok: true, problems: [], image: { size: 4 * MiB, temporary: true } });
      expect(report.minors).toMatchObject([
        { minor: 0, offset: 0, size: 4 * MiB, openCount: 1 },
        { minor: 1, offset: 0, size: 2 * MiB },
        { minor: 2, offset: 2 * MiB, size: 2 * MiB },
      ]);
      const runs = report.verify.map((run: { minor: number; access: string }) => `${run.minor} ${run.access}`);
      expect(runs).toEqual(['0 auto', '0 mmap', '0 pio', '2 auto', '2 mmap', '2 pio']);
      for (const run of report.verify) {
        expect(run.mismatches).toBe(0);
        expect(run.reads).toBeGreaterThan(0);
        expect(run.writes).toBeGreaterThan(0);
      }
      expect(report.faults.failed[0]).toEqual(report.faults.failed[1]);
      expect(report.counters.faultsInjected).toBe(report.faults.failed.flat().length);
      const jobs = report.compare.map((row: { op: string; form: string; depth: number }) => `${row.op} ${row.form} ${row.depth}`);
      expect(jobs).toEqual(['read sync 1', 'read promise 1', 'read promise 32', 'write sync 1', 'write promise 1', 'write promise 32']);
      for (const row of report.compare) expect(Object.keys(row.scores)).toEqual(['node:fs', 'auto', 'mmap', 'pio']);
      expect(readdirSync(directory)).toEqual([]);
    },
    TIMEOUT,
  );

  test(
    'seed 1 fails the requests of the golden sequence',
    async () => {
      const { faults } = documentOf(await cli([...SMALL, '--json', '--seed', '1']));
      expect(faults).toMatchObject({ seed: 1, rate: 500, requests: 200 });
      expect(faults.failed[0]).toEqual([30, 43, 48, 61, 120, 167, 169, 174, 176, 192, 195]);
    },
    TIMEOUT,
  );

  test(
    'without a terminal: the report on stdout, a plain line a phase on stderr, no escapes',
    async () => {
      const { status, stdout, stderr } = await cli(SMALL);
      expect(status).toBe(0);
      for (const part of [
        'Table of minors',
        'Label of minor 0',
        'all equal',
        'the same requests failed',
        'Counters',
        'node:fs',
        'everything verified',
      ]) {
        expect(stdout.toString()).toContain(part);
      }
      expect(stderr.trimEnd().split('\n')).toHaveLength(3);
      expect(`${stdout.toString()}${stderr}`).not.toContain('\u001b');
      expect(stdout.toString()).not.toContain('mmap keeps to 16 windows'); // which cover 4 MiB
    },
    TIMEOUT,
  );

  test(
    'a given image is read and not written',
    async () => {
      const file = bench.image(pattern(2 * MiB + 100));
      const report = documentOf(await cli(['bench', file, '--quick', '--json']));
      expect(report).toMatchObject({ ok: true, image: { path: file, temporary: false } });
      expect(report.compare.every((row: { op: string }) => row.op === 'read')).toBe(true);
      expect(report.counters.bytesWritten).toBe(0);
      expect(readFileSync(file).equals(pattern(2 * MiB + 100))).toBe(true);
      expect(await cli(['bench', bench.image(pattern(64 * KiB))])).toMatchObject({ status: 2 });
    },
    TIMEOUT,
  );

  test(
    'SIGINT removes the temporary image, and the process dies of it',
    async () => {
      const directory = folder('interrupted');
      const finished = await cli(['bench', '--size', '4M', '--dir', directory], { watch: (_, kill) => kill('SIGINT') });
      expect(finished).toMatchObject({ status: null, signal: 'SIGINT' });
      expect(readdirSync(directory)).toEqual([]);
    },
    TIMEOUT,
  );

  test(
    'a reader that leaves early ends it, quietly and tidily',
    async () => {
      const directory = folder('reader');
      const line = '{ $RUMPBLK bench --quick --size 4M --dir "$1"; echo "status $?" >&2; } | head -n 1';
      const finished = await shell(line, directory);
      expect(finished.stderr).toMatch(/status 0\n$/);
      expect(finished.stderr).not.toContain('rumpblk:');
      expect(readdirSync(directory)).toEqual([]);
    },
    TIMEOUT,
  );

  test('no room for the image is a failure that leaves nothing', async () => {
    const finished = await cli([...SMALL, '--dir', bench.path('missing')]);
    expect(finished).toMatchObject({ status: 1, stderr: expect.stringMatching(/^rumpblk: ENOENT: /) });
  });
});

describe('on a terminal', () => {
  const SCRIPT = peer('script', 'bsdutils');
  const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const terminal = (...args: string[]) =>
    start('script', ['-qec', [process.execPath, TOOL, ...args].map(quote).join(' '), '/dev/null'], {
      env: { TERM: 'xterm', NO_COLOR: '1' },
    });

  testWith(SCRIPT)(
    'bench draws a bar and removes it',
    async () => {
      const { status, stdout } = await terminal(...SMALL);
      const text = stdout.toString();
      expect(status).toBe(0);
      expect(text).toMatch(/ \d+ % {2}\[[#.]{6,30}\] {2}random requests/);
      expect(text).toContain('everything verified');
    },
    TIMEOUT,
  );

  testWith(SCRIPT)(
    'a workload draws a bar with figures and removes it',
    async () => {
      const { status, stdout } = await terminal('bench', '--rw', 'randread', '--size', '1m', '--runtime', '700ms', '--time_based');
      const text = stdout.toString();
      expect(status).toBe(0);
      expect(text).toMatch(/\d+ % {2}\[[#.]{6,30}\] {2}randread {2}sync, \d[\d ]* IOPS {2}\d[\d .]* MiB\/s/);
      expect(text).toContain('p99.99');
      expect(text.lastIndexOf('\r\u001b[K')).toBeGreaterThan(text.lastIndexOf(']  randread')); // the bar is gone
    },
    TIMEOUT,
  );

  testWith(SCRIPT)('raw data stays off the screen, and is not typed in, unless - insists', async () => {
    const file = bench.image(Buffer.from('plain text\n'));
    const refused = await terminal('read', file);
    expect(refused.status).toBe(2);
    expect(refused.stdout.toString()).toContain('not writing raw data to a terminal');
    expect((await terminal('read', file, '-o', '-')).stdout.toString()).toContain('plain text');
    const typed = await terminal('write', file);
    expect(typed.status).toBe(2);
    expect(typed.stdout.toString()).toContain('not reading from a terminal');
  });
});
