// rumpblk info, read and write: real files and pipes, messages, exit statuses.
import { linkSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import packageJson from '../../package.json';
import { cli, documentOf, shell } from '../support/cli';
import { STRACE } from '../support/strace';
import { testWith } from '../support/peers';
import { ACCESSES, KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * KiB;

describe('the command line', () => {
  test('--help and --version end with 0, nothing at all shows the help and ends with 2', async () => {
    const help = await cli(['--help']);
    expect(help).toMatchObject({ status: 0, stderr: '' });
    for (const command of ['info', 'read', 'write', 'bench']) expect(help.stdout.toString()).toContain(`  ${command} `);
    const version = await cli(['--version']);
    expect(version.stdout.toString()).toBe(`${packageJson.version}\n`);
    const nothing = await cli([]);
    expect(nothing.status).toBe(2);
    expect(nothing.stdout).toHaveLength(0);
    expect(nothing.stderr).toContain('Usage: rumpblk');
    expect(nothing.stderr).toContain('rumpblk read disk.img --partition 2');
  });

  test.each([
    ['1536', 1536],
    ['0x600', 1536],
    ['3s', 1536],
    ['2k', 2048],
    ['2KiB', 2048],
    ['2kB', 2000],
  ])('reads %s as %i bytes', async (text, bytes) => {
    const { stdout } = await cli(['read', bench.image(pattern(SIZE)), '--length', text]);
    expect(stdout).toHaveLength(bytes);
  });

  test('a failure is one line on stderr, and a document with --json; 1', async () => {
    const missing = bench.path('missing');
    const text = await cli(['info', missing]);
    expect(text.status).toBe(1);
    expect(text.stdout).toHaveLength(0);
    expect(text.stderr).toMatch(/^rumpblk: ENOENT: no such file or directory, \w+ '.*missing'\n$/);
    const json = await cli(['info', missing, '--json']);
    expect(json.status).toBe(1);
    expect(documentOf(json).error).toMatchObject({ code: 'ENOENT', errno: -2, path: missing });
  });
});

describe('info', () => {
  test('shows what it is first, and label, windows and counters with --verbose', async () => {
    const file = bench.sparse(3 * MiB);
    const brief = (await cli(['info', file])).stdout.toString();
    expect(brief).toContain(`${file}: 3 MiB, blank: all of it reads as zeros\n`);
    for (const part of ['rumpd', 'Windows', 'Counters']) expect(brief).not.toContain(part);
    const { status, stdout, stderr } = await cli(['info', file, '--access', 'mmap', '--verbose']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const text = stdout.toString();
    for (const part of ['3 MiB (3145728 bytes)', '6 144 of 512 bytes', 'regular file', 'rumpd', 'Windows', 'Counters'])
      expect(text).toContain(part);
  });

  test('--json describes the range that was chosen', async () => {
    const file = bench.sparse(3 * MiB);
    const description = documentOf(await cli(['info', file, '--offset', '1M', '--size', '3s', '--json']));
    expect(description).toMatchObject({ file, type: 'file', offset: MiB, size: 1536, sectorSize: 512, sectors: 3 });
    expect(description.label).toMatchObject({ secperunit: 3, secsize: 512, partitions: [{ offset: 0, size: 3 }] });
    expect(description.counters).toMatchObject({ ioTotal: 2, bytesRead: 1024, bytesWritten: 0 });
    expect(Array.isArray(description.windows)).toBe(true);
  });

  test('an empty file and one of less than a sector are devices', async () => {
    for (const size of [0, 100]) {
      expect(documentOf(await cli(['info', bench.sparse(size), '--json']))).toMatchObject({ size, sectors: 0 });
    }
  });

  test.each([
    [[], ['--offset', '1M'], '--offset 1 MiB, but the file has 64 KiB'],
    [[], ['--size', '1T'], '--size 1 TiB, but the file has 64 KiB'],
    [[], ['--offset', '60k', '--size', '8k'], '--size 8 KiB, but the file has 4 KiB from --offset 60 KiB on'],
    [['/tmp'], [], 'a directory, and neither an image nor a disk'],
    [['/dev/zero'], [], 'it is no disk, or one that does not tell its size: --size gives it'],
  ])('what cannot be a device is EINVAL, and the line says why: %j %j', async (files, options, why) => {
    const [file = bench.sparse(SIZE)] = files;
    const finished = await cli(['info', file, ...options]);
    expect(finished).toMatchObject({ status: 1, stderr: `rumpblk: EINVAL: invalid argument, register '${file}' (${why})\n` });
  });

  test('numbers and nouns agree', async () => {
    const text = (await cli(['info', bench.sparse(1023), '--verbose'])).stdout.toString();
    for (const part of ['  1 023 bytes\n', '  1 sector a track, 1 track a cylinder, 1 cylinder\n']) expect(text).toContain(part);
  });
});

describe('read', () => {
  const content = pattern(3 * MiB + 700);

  test.each(ACCESSES)('copies the device to a pipe under access %s', async (access) => {
    const { status, stdout, stderr } = await cli(['read', bench.image(content), '--access', access]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.equals(content)).toBe(true);
  });

  test('copies a range of a range to a file, and reports with --json', async () => {
    const output = bench.path('part');
    writeFileSync(output, 'what was there before, and longer than what comes'.repeat(100));
    const range = ['--offset', '1k', '--size', '2M', '-p', '1', '-l', '4k'];
    const finished = await cli(['read', bench.image(content), ...range, '-o', output, '--json']);
    expect(documentOf(finished)).toMatchObject({ position: 1, bytesRead: 4096, output, counters: { bytesRead: 4096 } });
    expect(readFileSync(output).equals(content.subarray(1025, 1025 + 4096))).toBe(true);
  });

  test('a range past the end gives what there is, and a line on stderr', async () => {
    const finished = await cli(['read', bench.image(content.subarray(0, 1000)), '-p', '600', '-l', '1k']);
    expect(finished).toMatchObject({ status: 0, stderr: 'rumpblk: the device has 1 000 bytes: 400 of 1024 bytes read, from 600 to 999\n' });
    expect(finished.stdout.equals(content.subarray(600, 1000))).toBe(true);
  });

  test('nothing at the end, EINVAL beyond it, and then the output is left alone', async () => {
    const file = bench.image(content.subarray(0, 1024));
    expect(await cli(['read', file, '-p', '1024'])).toMatchObject({ status: 0, stderr: '', stdout: Buffer.alloc(0) });
    const output = bench.path('untouched');
    writeFileSync(output, 'precious');
    const beyond = await cli(['read', file, '-p', '1025', '-o', output]);
    expect(beyond.status).toBe(1);
    expect(beyond.stderr).toMatch(/^rumpblk: EINVAL: .*\(position 1025 is beyond the end: the device has 1 024 bytes\)\n$/);
    expect(readFileSync(output, 'utf8')).toBe('precious');
  });

  test('a reader that leaves early is no failure', async () => {
    const line = '{ $RUMPBLK read "$1"; echo "status $?" >&2; } | head -c 5';
    const finished = await shell(line, bench.image(content));
    expect(finished.stderr).toBe('status 0\n');
    expect(finished.stdout.equals(content.subarray(0, 5))).toBe(true);
  });

  test('a full disk under the output is ENOSPC', async () => {
    const file = bench.image(content);
    expect(await cli(['read', file, '-o', '/dev/full'])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^rumpblk: ENOSPC: .*\/dev\/full/),
    });
    expect(await shell('$RUMPBLK read "$1" > /dev/full', file)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^rumpblk: ENOSPC: .*stdout/),
    });
  });

  test('the image itself is refused as the output, whatever its name', async () => {
    const file = bench.image(content);
    symlinkSync(file, bench.path('symlink'));
    linkSync(file, bench.path('hardlink'));
    for (const output of [file, bench.path('symlink'), bench.path('hardlink')]) {
      const finished = await cli(['read', file, '-o', output]);
      expect(finished).toMatchObject({ status: 2, stderr: `rumpblk: the output is '${file}' itself\n` });
    }
    expect(await shell('$RUMPBLK read "$1" >> "$1"', file)).toMatchObject({ status: 2 });
    expect(readFileSync(file).equals(content)).toBe(true);
  });
});

describe('write', () => {
  test.each(ACCESSES)('copies a pipe onto the device under access %s', async (access) => {
    const file = bench.image(pattern(4 * MiB));
    const input = pattern(2 * MiB + 333, 2);
    const finished = await cli(['write', file, '-p', '1M', '--access', access], { input });
    expect(finished).toMatchObject({ status: 0, stderr: '', stdout: Buffer.alloc(0) });
    const expected = pattern(4 * MiB);
    expected.set(input, MiB);
    expect(readFileSync(file).equals(expected)).toBe(true);
  });

  test('copies a file into a range, and reports with --json', async () => {
    const file = bench.image(Buffer.alloc(SIZE));
    const input = bench.image(pattern(2048));
    const finished = await cli(['write', file, '--offset', '4k', '--size', '8k', '-p', '1s', '-i', input, '--fua', '--json']);
    expect(documentOf(finished)).toMatchObject({
      position: 512,
      bytesWritten: 2048,
      input,
      fua: true,
      flushed: true,
      counters: { bytesWritten: 2048 },
    });
    const expected = Buffer.alloc(SIZE);
    expected.set(pattern(2048), 4096 + 512);
    expect(readFileSync(file).equals(expected)).toBe(true);
  });

  test('what does not fit is ENOSPC, and what fits has been written', async () => {
    const file = bench.image(Buffer.alloc(SIZE));
    const input = pattern(3000);
    const finished = await cli(['write', file, '--size', '8k', '-p', '6k', '--json'], { input });
    expect(finished.status).toBe(1);
    expect(finished.stderr).toBe(
      `rumpblk: 2048 bytes written, then the device ended at 8192\nrumpblk: ENOSPC: no space left on device, write '${file}'\n`,
    );
    expect(documentOf(finished).error).toMatchObject({ code: 'ENOSPC', syscall: 'write', path: file, bytesTransferred: 2048 });
    const expected = Buffer.alloc(SIZE);
    expected.set(input.subarray(0, 2048), 6144);
    expect(readFileSync(file).equals(expected)).toBe(true);
  });

  test('exactly to the end is a success, at the end ENOSPC, beyond it EINVAL', async () => {
    const file = bench.image(Buffer.alloc(1024));
    expect(await cli(['write', file, '-p', '512'], { input: pattern(512) })).toMatchObject({ status: 0, stderr: '' });
    const codes = async (position: string): Promise<string> => (await cli(['write', file, '-p', position], { input: pattern(1) })).stderr;
    expect(await codes('1024')).toContain('rumpblk: ENOSPC: ');
    expect(await codes('1025')).toContain('rumpblk: EINVAL: ');
    expect(readFileSync(file)).toHaveLength(1024);
  });

  test('--length takes that much of the input, and says when there is less', async () => {
    const file = bench.image(Buffer.alloc(1024));
    expect(await cli(['write', file, '-l', '10'], { input: pattern(100) })).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(file).equals(Buffer.concat([pattern(100).subarray(0, 10), Buffer.alloc(1014)]))).toBe(true);
    const short = await cli(['write', file, '-l', '10'], { input: pattern(7) });
    expect(short).toMatchObject({ status: 0, stderr: 'rumpblk: the input ended: 7 of 10 bytes written\n' });
  });

  test('no input changes nothing, and the image is never made or made longer', async () => {
    const file = bench.image(pattern(1024));
    expect(await cli(['write', file])).toMatchObject({ status: 0 });
    expect(readFileSync(file).equals(pattern(1024))).toBe(true);
    const missing = await cli(['write', bench.path('none'), '-i', file]);
    expect(missing.stderr).toMatch(/^rumpblk: ENOENT: .*none' \(truncate -s 64M .*none makes an empty image\)\n$/);
    const noInput = await cli(['write', file, '-i', bench.path('none')]);
    expect(noInput).toMatchObject({ status: 1, stderr: expect.stringMatching(/^rumpblk: ENOENT: .*none'\n$/) });
  });

  test('the image itself is refused as the input', async () => {
    const file = bench.image(pattern(1024));
    expect(await cli(['write', file, '-p', '512', '-i', file])).toMatchObject({ status: 2 });
    expect(await shell('$RUMPBLK write "$1" -p 512 < "$1"', file)).toMatchObject({ status: 2 });
    expect(readFileSync(file).equals(pattern(1024))).toBe(true);
  });

  test('an image that another process has open is EBUSY, unless --no-lock', async () => {
    const file = bench.image(pattern(1024));
    bench.device(file, { mode: 'r+' });
    expect(await cli(['read', file])).toMatchObject({ status: 1, stderr: expect.stringMatching(/^rumpblk: EBUSY: .*--no-lock/) });
    expect(await cli(['read', file, '--no-lock'])).toMatchObject({ status: 0, stdout: pattern(1024) });
  });

  test('a pipe from one device to another', async () => {
    const target = bench.image(Buffer.alloc(2 * MiB));
    await shell('$RUMPBLK read "$1" -p 1M | $RUMPBLK write "$2" -p 512k', bench.image(pattern(2 * MiB)), target);
    expect(
      readFileSync(target)
        .subarray(512 * KiB, 1536 * KiB)
        .equals(pattern(2 * MiB).subarray(MiB)),
    ).toBe(true);
  });

  const SYNCS = 'fsync,fdatasync,msync,sync_file_range,pwritev2';
  const traced = (file: string, ...args: string[]) =>
    shell(
      `strace -f -o "$2" -e trace=${SYNCS} -- $RUMPBLK write "$1" ${args.join(' ')} < "$3"`,
      file,
      bench.path('trace'),
      bench.image(pattern(512)),
    );

  testWith(...STRACE)('syncs before it ends, and does not with --no-flush', async () => {
    const file = bench.image(Buffer.alloc(SIZE));
    const syncs = (): number =>
      readFileSync(bench.path('trace'), 'utf8')
        .split('\n')
        .filter((line) => /sync\(|DSYNC/.test(line)).length;
    await traced(file);
    expect(syncs()).toBeGreaterThan(0);
    await traced(file, '--fua');
    expect(syncs()).toBeGreaterThan(0);
    await traced(file, '--no-flush');
    expect(syncs()).toBe(0);
  });

  testWith(...STRACE)('a flush that fails is a failure', async () => {
    const inject = 'strace -f -o /dev/null -e inject=fdatasync,fsync,msync:error=EIO -- ';
    const finished = await shell(`${inject}$RUMPBLK write "$1" < "$2"`, bench.image(Buffer.alloc(SIZE)), bench.image(pattern(512)));
    expect(finished).toMatchObject({ status: 1, stderr: expect.stringMatching(/^rumpblk: EIO: i\/o error, \w+ '/) });
  });
});
