// rumpblk compare: against cmp and qemu-img compare, which tell the same of every pair.
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { numbers } from '../support/batch';
import { cli, documentOf, shell, start, TOOL } from '../support/cli';
import { ability, peer, run, testWith } from '../support/peers';
import { ACCESSES, KiB, MiB, pattern, rig, TiB } from '../support/rig';
import { STRACE } from '../support/strace';

const bench = rig();
const QEMU = peer('qemu-img', 'qemu-utils');

function put(image: string, position: number, data: Uint8Array): void {
  const descriptor = openSync(image, 'r+');
  writeSync(descriptor, data, 0, data.length, position);
  closeSync(descriptor);
}

function sparse(size: number, ...pieces: readonly [position: number, data: Uint8Array][]): string {
  const image = bench.sparse(size);
  for (const [position, data] of pieces) put(image, position, data);
  return image;
}

/** What cmp says, as a position; undefined: nothing. `longer`: both end in the same number of bytes. */
async function byCmp(a: string, b: string): Promise<number | undefined> {
  const { status, stdout } = await start('cmp', [a, b]);
  if (status === 0) return undefined;
  return Number(/: byte (\d+),/.exec(stdout.toString())?.[1]) - 1;
}

describe('two images', () => {
  testWith(QEMU)('of holes, zeros and data differ where cmp and qemu-img say', async () => {
    const next = numbers(7);
    const seen = new Set<boolean>();
    for (let round = 0; round < 12; round += 1) {
      const size = 4 * MiB;
      const pieces = Array.from({ length: 12 }, (_, i): [number, Uint8Array] => {
        const length = 1 + next(96 * KiB);
        const data = next(3) === 0 ? Buffer.alloc(length) : pattern(length, i + 1);
        return [next(size - length), data];
      });
      const [a, b] = [sparse(size, ...pieces), sparse(size, ...pieces)];
      // Written over with what is there it stays the same, hole or not.
      put(b, 64 * KiB, readFileSync(a).subarray(64 * KiB, 80 * KiB));
      for (let i = next(4); i > 0; i -= 1) put(b, next(size), Buffer.from([next(256)]));
      const where = await byCmp(a, b);
      const finished = await cli(['compare', a, b, '--json', '--access', ACCESSES[round % 3] as string]);
      expect(finished).toMatchObject({ status: where === undefined ? 0 : 1, stderr: '' });
      const report = documentOf(finished);
      expect(report).toMatchObject({ a, b, same: where === undefined, sizes: [size, size] });
      expect(report.difference?.position).toBe(where);
      if (where !== undefined) expect(report.difference.bytes).toEqual([a, b].map((file) => readFileSync(file)[where]));
      const theirs = await start('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', a, b]);
      expect(theirs.status).toBe(finished.status);
      seen.add(where === undefined);
    }
    expect(seen.size).toBe(2);
  });

  test('that differ in many places differ at the first', async () => {
    const content = pattern(16 * MiB);
    const other = Buffer.from(content);
    // Whichever chunks are under way at once, all of them differ.
    for (let at = 3 * MiB - 1; at < other.length; at += 64 * KiB) other.writeUInt8(other.readUInt8(at) ^ 0xff, at);
    const [a, b] = [bench.image(content), bench.image(other)];
    for (let round = 0; round < 5; round += 1) {
      const { difference } = documentOf(await cli(['compare', a, b, '--json']));
      expect(difference).toEqual({ position: 3 * MiB - 1, bytes: [content[3 * MiB - 1], other[3 * MiB - 1]] });
    }
  });

  test('are told in words', async () => {
    const [a, b] = [sparse(MiB, [4096, pattern(512)]), sparse(MiB, [4096, pattern(512)], [MiB - 1, Buffer.from([10])])];
    expect(await cli(['compare', a, a])).toMatchObject({ status: 0, stderr: '', stdout: Buffer.from(`'${a}' and '${a}' are the same\n`) });
    const { status, stdout } = await cli(['compare', a, b]);
    expect([status, stdout.toString()]).toEqual([1, `'${a}' and '${b}' differ at 1048575: 0x00 and 0x0a\n`]);
    expect(await cli(['compare', a, b, '-q'])).toMatchObject({ status: 1, stderr: '', stdout: Buffer.alloc(0) });
    // Nobody reads: the status tells it all the same.
    expect((await shell('{ $RUMPBLK compare "$1" "$2"; echo $? >&2; } | true', a, b)).stderr).toBe('1\n');
  });

  test('of two sizes are the same where the rest is zeros, and not for --strict', async () => {
    const data = pattern(10_000);
    const a = bench.image(data);
    const b = sparse(MiB, [0, data], [500_000, Buffer.alloc(5000)]);
    for (const pair of [
      [a, b],
      [b, a],
    ] as const) {
      const same = await cli(['compare', ...pair]);
      expect([same.status, same.stdout.toString()]).toEqual([
        0,
        expect.stringContaining('are the same but for zeros at the end of the longer one'),
      ]);
      const strict = await cli(['compare', '--strict', ...pair, '--json']);
      expect(strict.status).toBe(1);
      expect(documentOf(strict)).toEqual({ a: pair[0], b: pair[1], same: false, sizes: pair[0] === a ? [10_000, MiB] : [MiB, 10_000] });
    }
    put(b, 700_001, Buffer.from([9]));
    const { difference } = documentOf(await cli(['compare', a, b, '--json']));
    expect(difference).toEqual({ position: 700_001, bytes: [null, 9] });
    expect((await cli(['compare', b, a])).stdout.toString()).toContain('differ at 700001: 0x09 and nothing');
    expect((await cli(['compare', '--strict', a, a])).status).toBe(0);
  });

  testWith(ability('file system with files of 8 TiB', () => bench.sparse(8 * TiB) !== ''))(
    'of terabytes take as long as their data, and no hole is read',
    async () => {
      const places = [0, TiB, 8 * TiB - 4096];
      const [a, b] = [0, 1].map(() => sparse(8 * TiB, ...places.map((place): [number, Buffer] => [place, pattern(4096, 3)])));
      const report = documentOf(await cli(['compare', a as string, b as string, '--json']));
      expect(report).toMatchObject({ same: true, bytesRead: 2 * places.length * 4096 });
      put(b as string, 5 * TiB + 77, Buffer.from([1]));
      const other = documentOf(await cli(['compare', a as string, b as string, '--json']));
      expect(other).toMatchObject({ same: false, difference: { position: 5 * TiB + 77, bytes: [0, 1] } });
    },
  );
});

testWith(peer('script', 'bsdutils'))('a terminal sees how far it is, and a clean line again', async () => {
  const [a, b] = [bench.image(pattern(8 * MiB)), bench.image(pattern(8 * MiB))];
  const line = `'${process.execPath}' '${TOOL}' compare --progress '${a}' '${b}'`;
  const { status, stdout } = await start('script', ['-qec', line, '/dev/null'], { env: { TERM: 'xterm', NO_COLOR: '1' } });
  const text = stdout.toString();
  expect([status, text]).toEqual([0, expect.stringMatching(/ \d+ % {2}\[[#.]{30}\] {2}comparing/)]);
  expect(text.lastIndexOf('\r\u001b[K')).toBeGreaterThan(text.lastIndexOf(']  comparing'));
  expect(text).toContain(`'${a}' and '${b}' are the same`);
});

describe('formats, partitions, media', () => {
  testWith(QEMU)('an image holds what it was converted from', async () => {
    const raw = sparse(8 * MiB, [0, pattern(100_000)], [5 * MiB, pattern(300_000, 2)]);
    const [qcow2, packed] = [bench.path('a.qcow2'), bench.path('packed.qcow2')];
    run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2);
    run('qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, packed);
    expect(await cli(['compare', raw, qcow2, '--format-b', 'qcow2'])).toMatchObject({ status: 0, stderr: '' });
    expect(await cli(['compare', qcow2, packed, '--format', 'qcow2', '--format-b', 'auto'])).toMatchObject({ status: 0, stderr: '' });
    expect(await cli(['compare', qcow2, raw, '-q'])).toMatchObject({ status: 1 });
  });

  testWith(peer('sfdisk', 'fdisk'))('a partition is compared with a file, and with another one', async () => {
    const content = pattern(MiB);
    const disk = sparse(8 * MiB, [2 * MiB, content], [4 * MiB, content]);
    const table = bench.path('table');
    writeFileSync(table, 'label: gpt\nstart=4096,size=2048\nstart=8192,size=2048\n');
    await shell('sfdisk -q "$1" < "$2"', disk, table);
    const file = bench.image(content);
    expect(await cli(['compare', disk, file, '--partition', 'p1'])).toMatchObject({ status: 0, stderr: '' });
    expect(await cli(['compare', file, disk, '--partition-b', '2'])).toMatchObject({ status: 0, stderr: '' });
    expect(await cli(['compare', disk, disk, '--partition', '1', '--partition-b', '2'])).toMatchObject({ status: 0, stderr: '' });
    expect(await cli(['compare', disk, file, '-q'])).toMatchObject({ status: 1 });
  });

  test('zeros are what memory and the null medium hold', async () => {
    expect(await cli(['compare', 'memory:3M', 'null:4M'])).toMatchObject({ status: 0, stderr: '' });
    expect(await cli(['compare', 'null:1T', bench.image(Buffer.from([0, 0, 7])), '-q'])).toMatchObject({ status: 1 });
    expect(await cli(['compare', bench.image(Buffer.alloc(0)), 'null:0'])).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('what cannot be told ends with 2', () => {
  test('a file that is not there, one that is written elsewhere', async () => {
    const image = bench.image(pattern(MiB));
    const missing = await cli(['compare', image, bench.path('missing')]);
    expect(missing).toMatchObject({ status: 2, stderr: expect.stringMatching(/^rumpblk: ENOENT: .*missing'\n$/) });
    const json = await cli(['compare', bench.path('missing'), image, '--json']);
    expect(json.status).toBe(2);
    expect(documentOf(json).error).toMatchObject({ code: 'ENOENT', path: bench.path('missing') });
    bench.device(image, { mode: 'r+' });
    expect(await cli(['compare', image, image])).toMatchObject({ status: 2, stderr: expect.stringContaining('--no-lock') });
    expect(await cli(['compare', image, image, '--no-lock'])).toMatchObject({ status: 0, stderr: '' });
  });

  testWith(...STRACE, peer('python3', 'python3'))('a disk that fails', async () => {
    const [a, b] = [bench.image(pattern(MiB)), bench.image(pattern(MiB))];
    const inject = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=pread64,preadv2', '-e', 'inject=pread64,preadv2:error=EIO', '-P', b];
    // strace sees no ring: one that is denied is not used.
    const ringless = path.join(__dirname, '..', '..', 'scripts', 'suites', 'without-ring.py');
    const failed = await start('python3', [ringless, 'strace', ...inject, process.execPath, TOOL, 'compare', a, b, '--access', 'pio']);
    expect(failed).toMatchObject({ status: 2, stderr: `rumpblk: EIO: i/o error, read '${b}'\n`, stdout: Buffer.alloc(0) });
  });

  test.each([
    [['compare', 'x']],
    [['compare', 'x', 'y', '--format', 'vmdk']],
    [['compare', 'x', 'y', 'z']],
    [['compare', 'x', 'y', '--partition', '']],
  ])('%j', async (args) => {
    expect(await cli(args)).toMatchObject({ status: 2, stderr: expect.stringMatching(/^rumpblk: /) });
  });
});
