// Every program of examples/ is run as its first lines say, on images that other people's programs made, and judged by those again.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { ROOT } from '../support/child';
import { EXT4 } from '../support/file-systems';
import { NO_SANITIZER, peer, run as runTool, runWith, testWith, type Need } from '../support/peers';
import { MiB, rig } from '../support/rig';

jest.setTimeout(120_000);
const bench = rig();
const EXAMPLES = path.join(ROOT, 'examples');
const QCOW2 = [peer('qemu-img', 'qemu-utils'), peer('qemu-io', 'qemu-utils')];
const SFDISK = peer('sfdisk', 'fdisk');
const SEABIOS: Need = {
  met: existsSync('/usr/share/seabios/bios.bin'),
  why: 'SeaBIOS is missing: apt-get install seabios',
  installable: true,
};

let cwd = '';
beforeEach(() => {
  cwd = mkdtempSync(bench.path('example-'));
});

interface Said {
  stdout: string;
  stderr: string;
  code: number;
}

/** Runs a program of examples/ in a folder of its own, as its reader does. */
function example(name: string, ...args: string[]): Promise<Said> {
  return promisify(execFile)(process.execPath, [path.join(EXAMPLES, name), ...args], { cwd }).then(
    ({ stdout, stderr }) => ({ stdout, stderr, code: 0 }),
    (error: unknown) => error as Said,
  );
}

/** What it prints, where it is to succeed without a word on stderr. */
async function printed(name: string, ...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await example(name, ...args);
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return stdout;
}

/** A disk of 64 MiB with a GPT, and an ext4 of 32 MiB with a folder of 300 files in its partition `root`. */
function disk(): string {
  const image = path.join(cwd, 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, 64 * MiB);
  runWith('label: gpt\nstart=2048, size=65536, name=root, type=linux\n', 'sfdisk', '-q', image);
  mkdirSync(path.join(cwd, 'tree', 'etc'), { recursive: true });
  for (let index = 0; index < 300; index += 1) writeFileSync(path.join(cwd, 'tree', 'etc', `file-${index}`), String(index));
  runTool('mkfs.ext4', '-q', '-F', '-E', `offset=${MiB}`, '-d', path.join(cwd, 'tree'), image, '32M');
  return image;
}

test('examples/README.md names each program, and each says first what it shows and how to run it', () => {
  const programs = readdirSync(EXAMPLES).filter((file) => file.endsWith('.mjs'));
  const readme = readFileSync(path.join(EXAMPLES, 'README.md'), 'utf8');
  expect(programs.filter((file) => !readme.includes(`(${file})`))).toEqual([]);
  for (const file of programs) {
    const lines = readFileSync(path.join(EXAMPLES, file), 'utf8').split('\n');
    expect([file, lines[0]]).toEqual([file, expect.stringMatching(/^\/\/ [A-Z].*/)]);
    expect([file, lines.length]).toEqual([file, expect.any(Number)]);
    expect(lines.length).toBeLessThan(130);
    if (!['kv-store.mjs', 'crc32.mjs'].includes(file))
      expect(lines.slice(0, 10).join('\n')).toMatch(new RegExp(`^// {3}node .*${file}`, 'm'));
  }
});

test.each([
  'extract-partition.mjs',
  'ext4-ls.mjs',
  'zip-in-image.mjs',
  'incremental-backup.mjs',
  'sqlite-on-device.mjs',
  'hyperbee-on-partitions.mjs',
])('%s says how it is called', async (name) => {
  const { code, stderr } = await example(name);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(`usage: node ${name} `) });
});

describe('partitions and file systems', () => {
  testWith(...EXT4, SFDISK)('extract-partition lists a disk, and takes a partition out of it', async () => {
    disk();
    expect(await printed('extract-partition.mjs', 'disk.img')).toMatch(/^disk.img: 64.0 MiB, gpt\np1\troot\t1.0 MiB\t32.0 MiB\tLinux/);
    expect(await printed('extract-partition.mjs', 'disk.img', 'root', 'root.ext4')).toMatch(
      /^root.ext4: 32.0 MiB in [\d.]+ s, .*verified\n$/,
    );
    runTool('e2fsck', '-f', '-n', path.join(cwd, 'root.ext4'));
    expect(statSync(path.join(cwd, 'root.ext4')).size).toBe(32 * MiB);
    expect((await example('extract-partition.mjs', 'disk.img', 'home', 'home.ext4')).stderr).toContain("no partition 'home' in 'disk.img'");
  });

  testWith(...EXT4, SFDISK)('ext4-ls lists what debugfs lists', async () => {
    const image = disk();
    const judged = runTool('debugfs', '-R', 'ls -p /etc', `${image}?offset=${MiB}`)
      .split('\n')
      .map((line) => line.split('/')[5])
      .filter((name) => name !== undefined && name !== '');
    const listed = (await printed('ext4-ls.mjs', 'disk.img', '/etc', 'root')).trim().split('\n');
    expect(listed.map((line) => line.split(' ').at(-1)).sort()).toEqual(judged.sort());
    expect(listed).toHaveLength(302);
    expect(listed.find((line) => line.endsWith(' file-299'))).toMatch(/^- +3 \d{4}-/);
    expect((await example('ext4-ls.mjs', 'disk.img', '/nowhere', 'root')).stderr).toContain("no 'nowhere' in /nowhere");
  });
});

describe('packages of npm on a device', () => {
  test('sqlite-on-device keeps a database that another SQLite reads', async () => {
    expect(await printed('sqlite-on-device.mjs', 'notes.img', 'CREATE TABLE notes (text)')).toBe('');
    await printed('sqlite-on-device.mjs', 'notes.img', "INSERT INTO notes VALUES ('hello'), ('again')");
    expect(await printed('sqlite-on-device.mjs', 'notes.img', 'SELECT * FROM notes')).toBe('hello\nagain\n');
    const partition = readFileSync(path.join(cwd, 'notes.img')).subarray(MiB);
    const length = Number(partition.readBigUInt64LE() & ~(1n << 63n));
    const database = path.join(cwd, 'notes.db');
    writeFileSync(database, partition.subarray(512, 512 + length));
    const script = 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT text FROM notes").fetchall())';
    expect(runTool('python3', '-c', script, database)).toBe("[('hello',), ('again',)]\n");
  });

  test('hyperbee-on-partitions keeps what was put, from run to run', async () => {
    expect(await printed('hyperbee-on-partitions.mjs', 'bee.img', 'colour', 'green')).toBe('colour = green\n');
    for (let index = 0; index < 3; index += 1) await printed('hyperbee-on-partitions.mjs', 'bee.img', 'apple', `red ${index}`);
    expect(await printed('hyperbee-on-partitions.mjs', 'bee.img')).toBe('apple = red 2\ncolour = green\n');
  });

  test('zip-in-image finds a file in a zip in the middle of an image', async () => {
    const script =
      'import sys, zipfile\nz = zipfile.ZipFile("t.zip", "w", 8)\nz.writestr("notes.txt", "hello " * 1000)\nz.writestr("b/c.txt", "c")';
    await promisify(execFile)('python3', ['-c', script], { cwd });
    const zip = readFileSync(path.join(cwd, 't.zip'));
    writeFileSync(path.join(cwd, 'firmware.img'), Buffer.concat([Buffer.alloc(MiB, 0xff), zip, Buffer.alloc(5000, 0xff)]));
    const args = ['firmware.img', String(MiB), String(zip.length)];
    expect(await printed('zip-in-image.mjs', ...args)).toBe('      6000 notes.txt\n         1 b/c.txt\n');
    expect(await printed('zip-in-image.mjs', ...args, 'notes.txt')).toBe('hello '.repeat(1000));
    expect(await example('zip-in-image.mjs', ...args, 'nothing')).toMatchObject({ code: 1, stderr: "no 'nothing' in the zip\n" });
  });
});

describe('tests, measurements, backups', () => {
  test('kv-store.test passes, and fails for a store without its flush or its checksum', async () => {
    const passed = await promisify(execFile)(process.execPath, ['--test', path.join(EXAMPLES, 'kv-store.test.mjs')], { cwd });
    expect(passed.stdout).toMatch(/^# pass 4$/m);
    // Beside the package, as the examples are, so that `rumpblk` is found.
    const folder = bench.path('examples');
    mkdirSync(path.join(folder, 'node_modules'), { recursive: true });
    runTool('ln', '-sfn', ROOT, path.join(folder, 'node_modules', 'rumpblk'));
    const source = (file: string): string => readFileSync(path.join(EXAMPLES, file), 'utf8');
    for (const file of ['crc32.mjs', 'kv-store.test.mjs']) writeFileSync(path.join(folder, file), source(file));
    for (const line of ['    await this.#device.flush();\n', '      if (crc32(body, generation) !== checksum) continue;\n']) {
      expect(source('kv-store.mjs')).toContain(line);
      writeFileSync(path.join(folder, 'kv-store.mjs'), source('kv-store.mjs').replace(line, ''));
      const args = ['--test', path.join(folder, 'kv-store.test.mjs')];
      await expect(promisify(execFile)(process.execPath, args, { cwd })).rejects.toMatchObject({
        stdout: expect.stringContaining('not ok 1 - an acknowledged save survives a power cut'),
      });
    }
  });

  test('latency-report makes a page with both operations', async () => {
    expect(await printed('latency-report.mjs', 'report.html')).toMatch(/^report.html: reads p99 [\d.]+ µs, writes p99 [\d.]+ µs\n$/);
    const page = readFileSync(path.join(cwd, 'report.html'), 'utf8');
    expect(page).toMatch(/<h2>Reads: [1-9]\d* requests<\/h2>[^]*<h2>Writes: [1-9]\d* requests<\/h2>/);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  testWith(...QCOW2)('incremental-backup copies what QEMU and it have changed, and no more', async () => {
    const image = path.join(cwd, 'guest.qcow2');
    const args = ['guest.qcow2', 'guest.backup'];
    const write = (command: string): string => runTool('qemu-io', '-c', command, image);
    runTool('qemu-img', 'create', '-q', '-f', 'qcow2', image, '64M');
    write('write -P 1 1M 1M');
    expect(await printed('incremental-backup.mjs', ...args)).toBe('full backup: 1024 KiB of 65536 KiB\n');
    write('write -P 2 9M 4k');
    expect(await printed('incremental-backup.mjs', ...args)).toBe('incremental backup: 64 KiB of 65536 KiB\n');
    expect(await printed('incremental-backup.mjs', ...args)).toBe('incremental backup: 0 KiB of 65536 KiB\n');
    runTool('qemu-img', 'compare', image, path.join(cwd, 'guest.backup'));
  });
});

testWith(NO_SANITIZER, SEABIOS)('boot-v86 boots a machine from a device', async () => {
  expect(await printed('boot-v86.mjs')).toBe('booted from a rumpblk device\r\n');
});
