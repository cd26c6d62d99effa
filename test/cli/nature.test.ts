// The first line of rumpblk info says what a thing is, and a command that finds something else than was meant says what to do.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { cli, shell, start, TOOL } from '../support/cli';
import { SFDISK, sfdisk } from '../support/disks';
import { peer, run, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const QEMU_IMG = peer('qemu-img', 'qemu-utils');

/** A file with that content. */
function fileOf(content: Uint8Array): string {
  const file = bench.path('a file');
  writeFileSync(file, content);
  return file;
}

/** The first line about a file, without its name. */
async function firstLine(file: string, ...options: string[]): Promise<string> {
  const { status, stdout, stderr } = await cli(['info', file, ...options]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const [line = ''] = stdout.toString().split('\n');
  expect(line.startsWith(`${file}: `)).toBe(true);
  return line.slice(file.length + 2);
}

describe('the first line of info', () => {
  test('tells what holds nothing, or too little', async () => {
    expect(await firstLine(fileOf(Buffer.alloc(0)))).toBe('0 bytes, empty');
    expect(await firstLine(fileOf(pattern(100)))).toBe('100 bytes, less than a sector of 512 bytes');
    for (const name of ['memory:8M', 'null:1T', bench.sparse(8 * MiB)])
      expect(await firstLine(name)).toMatch(/^(8 MiB|1 TiB), blank: all of it reads as zeros$/);
    expect(await firstLine(fileOf(pattern(8 * KiB)))).toBe('8 KiB, no partition table and no file system that is known');
  });

  test('names what has to be unpacked, and the program that does', async () => {
    expect(await firstLine(fileOf(gzipSync(pattern(64 * KiB))))).toMatch(/, a gzip file: gunzip gives what is packed in it$/);
    for (const [magic, words] of [
      ['fd377a585a00', 'xz file: unxz'],
      ['28b52ffd', 'zstd file: unzstd'],
      ['504b0304', 'zip file: unzip'],
    ] as const)
      expect(await firstLine(fileOf(Buffer.concat([Buffer.from(magic, 'hex'), pattern(KiB)])))).toContain(words);
  });

  testWith(QEMU_IMG)('names the image whose bytes these are, and what shows the disk in it', async () => {
    const [qcow2, vmdk] = [bench.path('a.qcow2'), bench.path('a.vmdk')];
    run('qemu-img', 'create', '-q', '-f', 'qcow2', qcow2, '8M');
    run('qemu-img', 'create', '-q', '-f', 'vmdk', vmdk, '8M');
    expect(await firstLine(qcow2)).toMatch(/, the bytes of a qcow2 image: --format qcow2 shows the disk in it$/);
    expect(await firstLine(qcow2, '--format', 'auto')).toBe('8 MiB, blank: all of it reads as zeros');
    expect(await firstLine(vmdk)).toMatch(/, the bytes of a VMDK image, which is not read here: qemu-nbd serves the disk in it/);
  });

  test('tells of a table in which there is nothing', async () => {
    const file = bench.sparse(8 * MiB);
    await cli(['partitions', file, '--write', '-'], { input: Buffer.from('{ "scheme": "gpt", "partitions": [] }') });
    expect(await firstLine(file)).toBe('8 MiB, GPT without partitions');
  });
});

describe('what is not what was meant', () => {
  testWith(QEMU_IMG, SFDISK)('a partition is looked for in the bytes of an image', async () => {
    const [raw, file] = [bench.sparse(8 * MiB), bench.path('disk.qcow2')];
    sfdisk(raw, 'label: gpt\nsize=1M\n');
    run('qemu-img', 'convert', '-O', 'qcow2', raw, file);
    const why = 'the bytes of a qcow2 image: --format qcow2 shows the disk in it';
    expect(await cli(['read', file, '--partition', '1', '-o', bench.path('out')])).toMatchObject({
      status: 1,
      stderr: `rumpblk: ENXIO: no partition 1 in '${file}' (${why})\n`,
    });
    expect((await cli(['partitions', file])).stdout.toString()).toBe(`${file}: not divided, ${why}\n`);
    const copied = await cli(['copy', file, bench.path('nested.qcow2'), '-O', 'qcow2']);
    expect([copied.status, copied.stderr]).toEqual([0, `rumpblk: '${file}' was copied as ${why.replace('shows', 'copies')}\n`]);
  });

  test('a server of NBD that is not there, and an export that it does not have', async () => {
    const socket = bench.path('s.sock');
    const info = (name: string): string => `$RUMPBLK info "nbd+unix:///${name}?socket=$2"`;
    const nobody = await shell(info(''), '', socket);
    expect([nobody.status, nobody.stderr]).toEqual([1, expect.stringContaining(`(no socket ${socket}: is the server running?)\n`)]);
    const served = await shell(
      `$RUMPBLK serve memory:1M --socket "$2" --fork --pid-file "$2.pid"; ${info('nope')}; kill "$(cat "$2.pid")"`,
      '',
      socket,
    );
    expect(served.stderr).toContain("(the server has no export 'nope': nbdinfo --list shows those that it has)\n");
    const closed = await cli(['info', 'nbd://localhost:1/x']);
    expect([closed.status, closed.stderr]).toEqual([1, expect.stringContaining('(no server listens there)\n')]);
  });

  test('a file to be written is not there, or is a folder', async () => {
    const file = bench.path('none.img');
    for (const command of [['write'], ['zero', '-p', '0', '-l', '1k'], ['partitions', '--repair']]) {
      const { status, stderr } = await cli([...command, file], { input: Buffer.alloc(1) });
      expect([status, stderr]).toEqual([1, expect.stringContaining(`(truncate -s 64M ${file} makes an empty image)\n`)]);
    }
    const folder = path.dirname(file);
    const { status, stderr } = await cli(['copy', 'memory:1M', folder]);
    expect([status, stderr]).toEqual([2, `rumpblk: '${folder}' is a directory: give the name of a file in it\n`]);
  });

  test('a command is the name of a file, an option that others have, a program that is not there', async () => {
    const file = bench.sparse(KiB);
    expect(await cli([file])).toMatchObject({ status: 2, stderr: expect.stringContaining(`(rumpblk info ${file} tells what it is)\n`) });
    expect(await cli(['-v'])).toMatchObject({ status: 2, stderr: expect.stringContaining("unknown option '-v' (rumpblk --version)\n") });
    expect(await cli(['man'])).toMatchObject({ status: 2, stderr: expect.stringContaining('rumpblk help COMMAND') });
    const { status, stderr } = await cli(['record', 'memory:1M', '--out', bench.path('log'), '--', 'no-such-program']);
    expect([status, stderr]).toEqual([1, expect.stringContaining("rumpblk: 'no-such-program' cannot be run: no such program is found\n")]);
  });

  test('an error says its reason once, and in the words of the command line', async () => {
    const log = bench.path('none.jsonl');
    expect((await cli(['log', 'show', log])).stderr).toBe(`rumpblk: ENOENT: no such file or directory, open '${log}'\n`);
    const { stderr } = await cli(['serve', 'memory:1M', '--listen', '0.0.0.0:0']);
    expect(stderr).toBe("rumpblk: '0.0.0.0' is reached from other machines, which needs --allow-remote: NBD asks nobody for a password\n");
  });

  test('a recording without data cannot be tested', async () => {
    const log = bench.path('w.jsonl');
    await cli(['record', 'memory:1M', '--out', log, '--', process.execPath, TOOL, 'write', '{}', '-i', fileOf(pattern(4 * KiB))]);
    const { status, stderr } = await cli(['crashtest', log, '--', 'test', '-f', '{}']);
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining('(a log without data: crashtest IMAGE --run COMMAND records one with data)\n'),
    ]);
  });
});

describe('what is printed', () => {
  test('help and version that nobody can take are a failure', async () => {
    for (const words of ['--help', 'help read', 'read --help', '--version'])
      expect(await shell(`$RUMPBLK ${words} > /dev/full`)).toMatchObject({ status: 1, stderr: expect.stringContaining('ENOSPC') });
    expect(await shell('{ $RUMPBLK --help; echo "status $?" >&2; } | true')).toMatchObject({ stderr: 'status 0\n' });
  });

  testWith(peer('script', 'bsdutils'))('is bold where a terminal shows it or FORCE_COLOR asks, and not where NO_COLOR is set', async () => {
    const BOLD = '\u001b[1m';
    const line = `"${process.execPath}" "$TOOL" info memory:1M`;
    const onTerminal = async (env: NodeJS.ProcessEnv): Promise<boolean> => {
      const { stdout } = await start('script', ['-qec', line, '/dev/null'], {
        env: { TERM: 'xterm', NO_COLOR: '', FORCE_COLOR: '', TOOL, ...env },
      });
      expect(stdout.toString()).toContain('memory:1M: 1 MiB');
      return stdout.includes(BOLD);
    };
    expect(await Promise.all([{}, { NO_COLOR: '1' }, { TERM: 'dumb' }, { FORCE_COLOR: '0' }].map(onTerminal))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    const piped = async (env: NodeJS.ProcessEnv): Promise<boolean> => (await cli(['info', 'memory:1M'], { env })).stdout.includes(BOLD);
    expect([await piped({ FORCE_COLOR: '' }), await piped({ FORCE_COLOR: '1' })]).toEqual([false, true]);
  });

  testWith(peer('script', 'bsdutils'))('the page of a tool without a command fits into 40 columns where words allow it', async () => {
    const line = `stty cols 40; "${process.execPath}" "${TOOL}"; true`;
    const { stdout } = await start('script', ['-qec', line, '/dev/null']);
    const prose = stdout
      .toString()
      .replaceAll('\r', '')
      .split('\n')
      .filter((text) => !text.startsWith('    '));
    expect(prose.filter((text) => text.length > 40)).toEqual([]);
  });
});
