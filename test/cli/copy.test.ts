// rumpblk copy, or convert: judged by cmp, qemu-img compare, check and info, and by the room that files take.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { cli, documentOf, shell, start, TOOL } from '../support/cli';
import { loops } from '../support/loop';
import { mounts } from '../support/mounts';
import { peer, run, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const QEMU = testWith(peer('qemu-img', 'qemu-utils'));
const GOOD = { status: 0, stderr: '', stdout: Buffer.alloc(0) };

let names = 0;
const fresh = (suffix = ''): string => bench.path(`target-${(names += 1)}${suffix}`);
const roomOf = (file: string): number => statSync(file).blocks * 512;

function sparse(size: number, ...pieces: readonly [position: number, data: Uint8Array][]): string {
  const image = bench.sparse(size);
  const descriptor = openSync(image, 'r+');
  for (const [position, data] of pieces) writeSync(descriptor, data, 0, data.length, position);
  closeSync(descriptor);
  return image;
}

const holed = (size = 32 * MiB): string =>
  sparse(size, [0, pattern(70_000)], [5 * MiB + 4096, pattern(64 * KiB, 2)], [size - 4096, pattern(4096, 3)]);

describe('into a file', () => {
  test('makes one, with the holes of the source', async () => {
    const [source, target] = [holed(), fresh()];
    expect(await cli(['copy', source, target])).toEqual(expect.objectContaining(GOOD));
    expect(await start('cmp', [source, target])).toMatchObject({ status: 0 });
    expect(roomOf(target)).toBeLessThanOrEqual(roomOf(source) + 64 * KiB);
    const report = documentOf(await cli(['convert', source, fresh(), '--verify', '--json', '--no-flush', '--reflink', 'never']));
    expect(report).toMatchObject({ source, format: 'raw', bytes: 32 * MiB, bytesCloned: 0, verified: true, flushed: false });
    expect(report.bytesHoles).toBeGreaterThanOrEqual(31 * MiB - 256 * KiB);
  });

  test('replaces one that is there, and changes a part of it where a position says so', async () => {
    const source = holed();
    const old = bench.image(Buffer.alloc(40 * MiB, 1));
    expect(await cli(['copy', source, old])).toMatchObject(GOOD);
    expect(await start('cmp', [source, old])).toMatchObject({ status: 0 });
    const part = bench.image(Buffer.alloc(MiB, 1));
    const range = ['--source-position', '5M', '--target-position', '4k', '-l', '8k'];
    expect(await cli(['copy', source, part, ...range])).toMatchObject(GOOD);
    const wanted = Buffer.alloc(MiB, 1);
    readFileSync(source).copy(wanted, 4 * KiB, 5 * MiB, 5 * MiB + 8 * KiB);
    expect(readFileSync(part).equals(wanted)).toBe(true);
  });

  test('--sparse says which zeros become holes', async () => {
    const source = bench.image(Buffer.concat([pattern(MiB), Buffer.alloc(4 * MiB), pattern(MiB)]));
    const rooms: number[] = [];
    for (const sparse of ['off', 'extents', 'detect']) {
      const target = fresh();
      expect(await cli(['copy', source, target, '--sparse', sparse, '--reflink', 'never'])).toMatchObject(GOOD);
      expect(await start('cmp', [source, target])).toMatchObject({ status: 0 });
      rooms.push(roomOf(target));
    }
    for (const room of rooms.slice(0, 2)) expect(room).toBeGreaterThanOrEqual(6 * MiB);
    expect(rooms[2]).toBeLessThan(3 * MiB);
    const hole = bench.sparse(4 * MiB);
    const filled = fresh();
    expect(await cli(['copy', hole, filled, '--sparse', 'off'])).toMatchObject(GOOD);
    expect(roomOf(filled)).toBeGreaterThanOrEqual(4 * MiB);
  });

  testWith(peer('sfdisk', 'fdisk'))('takes and gives partitions, and touches nothing beside them', async () => {
    const disk = sparse(8 * MiB, [2 * MiB, pattern(MiB)], [5 * MiB, pattern(4096, 9)]);
    const table = bench.path('table');
    writeFileSync(table, 'label: gpt\nstart=4096,size=2048,name=one\nstart=8192,size=2048,name=two\n');
    await shell('sfdisk -q "$1" < "$2"', disk, table);
    const before = readFileSync(disk);
    const part = fresh();
    expect(await cli(['copy', disk, part, '--source-partition', 'one'])).toMatchObject(GOOD);
    expect(readFileSync(part).equals(pattern(MiB))).toBe(true);
    expect(await cli(['copy', disk, disk, '--source-partition', '1', '--target-partition', 'two'])).toMatchObject(GOOD);
    pattern(MiB).copy(before, 4 * MiB);
    expect(readFileSync(disk).equals(before)).toBe(true);
    const small = await cli(['copy', bench.sparse(2 * MiB), disk, '--target-partition', 'two']);
    expect(small).toMatchObject({ status: 1, stderr: expect.stringContaining('ENOSPC') });
  });
});

describe('formats', () => {
  QEMU('-O qcow2 makes an image that qemu-img finds sound and the same', async () => {
    for (const source of [holed(), bench.sparse(0), bench.sparse(64 * MiB), bench.image(pattern(100_001))]) {
      const target = fresh('.qcow2');
      expect(await cli(['convert', '-O', 'qcow2', source, target, '--verify'])).toMatchObject(GOOD);
      run('qemu-img', 'check', '-q', target);
      run('qemu-img', 'compare', '-q', '-f', 'raw', '-F', 'qcow2', source, target);
      const { 'virtual-size': size } = JSON.parse(run('qemu-img', 'info', '--output=json', target)) as { 'virtual-size': number };
      expect(size).toBe(Math.ceil(statSync(source).size / 512) * 512);
      expect(roomOf(target)).toBeLessThanOrEqual(roomOf(source) + 2 * MiB);
    }
  });

  QEMU('a chain of qcow2 images becomes one raw file, or another qcow2', async () => {
    const base = holed();
    const top = bench.path('top.qcow2');
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', top, '40M');
    run('qemu-io', '-c', 'write -P 7 4k 100k', '-c', 'write -z 5M 64k', top);
    for (const [suffix, ...options] of [
      ['', '-O', 'raw'],
      ['.qcow2', '-O', 'qcow2'],
    ] as const) {
      const target = fresh(suffix);
      expect(await cli(['copy', '--format', 'qcow2', top, target, ...options])).toMatchObject(GOOD);
      run('qemu-img', 'compare', '-q', '-f', 'qcow2', '-F', suffix === '' ? 'raw' : 'qcow2', top, target);
    }
  });

  QEMU('--target-format writes an image that is there, in place', async () => {
    const source = holed();
    const target = bench.path('there.qcow2');
    run('qemu-img', 'create', '-q', '-f', 'qcow2', target, '40M');
    run('qemu-io', '-c', 'write -P 7 1M 100k', '-c', 'write -P 7 36M 4k', target);
    expect(await cli(['copy', source, target, '--target-format', 'qcow2', '--verify'])).toMatchObject(GOOD);
    run('qemu-img', 'check', '-q', target);
    expect((await cli(['compare', source, target, '--format-b', 'qcow2'])).stdout.toString()).toContain(
      `differ at ${36 * MiB}: nothing and 0x07`,
    );
    const small = await cli(['copy', bench.sparse(41 * MiB), target, '--target-format', 'qcow2']);
    expect(small).toMatchObject({ status: 1, stderr: expect.stringContaining('ENOSPC') });
  });

  test('-O qcow2 refuses a file that is there, and leaves it', async () => {
    const target = bench.image(Buffer.from('precious'));
    const refused = await cli(['copy', holed(), target, '-O', 'qcow2']);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/^rumpblk: EEXIST: .*'\n$/) });
    expect(readFileSync(target, 'utf8')).toBe('precious');
  });
});

describe('disks, and what is full', () => {
  const { attach, looped } = loops(bench);
  const { mount, needs } = mounts(bench);

  looped('a node is written, and what does not fit is refused before it is', async () => {
    const below = bench.image(Buffer.alloc(32 * MiB, 5));
    const node = attach(below);
    expect(await cli(['copy', holed(), node, '--verify'])).toMatchObject(GOOD);
    expect(readFileSync(node).equals(readFileSync(holed()))).toBe(true);
    const before = readFileSync(node);
    expect(await cli(['copy', bench.image(pattern(33 * MiB)), node])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ENOSPC'),
    });
    expect(readFileSync(node).equals(before)).toBe(true);
    expect(await cli(['copy', below, node])).toMatchObject({ status: 2 });
  });

  testWith(...needs('tmpfs'))('a full file system is ENOSPC, and the file that was begun is gone', async () => {
    const { folder } = mount('tmpfs');
    run('mount', '-o', 'remount,size=2m', folder);
    const source = bench.image(pattern(8 * MiB));
    for (const options of [[], ['-O', 'qcow2']]) {
      const target = `${folder}/target`;
      const { status, stderr } = await cli(['copy', source, target, ...options]);
      expect([status, stderr]).toEqual([1, expect.stringMatching(/^rumpblk: ENOSPC: no space left on device, .*target'\n$/)]);
      expect(existsSync(target)).toBe(false);
    }
  });

  test('--target-is-zero is believed', async () => {
    const [source, target] = [holed(), bench.image(Buffer.alloc(32 * MiB, 1))];
    expect(await cli(['copy', source, target, '--target-is-zero', '--target-position', '0'])).toMatchObject(GOOD);
    const got = readFileSync(target);
    expect([got[0], got[20 * MiB]]).toEqual([pattern(1)[0], 1]);
  });

  test('memory and the null medium are ends as well', async () => {
    expect(await cli(['copy', 'null:1T', 'memory:1T'])).toMatchObject(GOOD);
    expect(await cli(['copy', holed(), 'memory:32M', '--verify'])).toMatchObject(GOOD);
    expect(await cli(['copy', holed(), 'memory:31M'])).toMatchObject({ status: 1, stderr: expect.stringContaining('memory:31M') });
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it, and nothing of the new file is left', async (signal) => {
    for (const options of [[], ['-O', 'qcow2']]) {
      const target = fresh();
      const child = spawn(process.execPath, [TOOL, 'copy', 'null:1T', target, '--sparse', 'off', ...options]);
      const ended = new Promise((resolve) => child.on('exit', (status, by) => resolve([status, by])));
      // Until there is something of it, or the command has failed.
      while (child.exitCode === null && (!existsSync(target) || statSync(target).size < MiB)) await setTimeout(2);
      child.kill(signal);
      expect(await ended).toEqual([null, signal]);
      expect(existsSync(target)).toBe(false);
    }
  });
});

describe('a wrong command line', () => {
  test('the source as its own target, by another name as well', async () => {
    const image = holed();
    const link = bench.path('link');
    symlinkSync(image, link);
    const before = readFileSync(image);
    for (const args of [
      [image, image],
      [image, link],
      [link, image, '--format', 'auto', '--no-lock'],
      [image, image, '--target-position', '0'],
    ]) {
      const { status, stderr } = await cli(['copy', ...args]);
      expect([status, stderr]).toEqual([2, expect.stringMatching(/itself|overlap/)]);
    }
    expect(await cli(['copy', image, image, '-O', 'qcow2'])).toMatchObject({ status: 2 });
    expect(readFileSync(image).equals(before)).toBe(true);
  });

  test.each([
    [['copy', 'x'], 'dst'],
    [['copy', '-', 'x'], 'rumpblk write'],
    [['copy', 'x', 'y', '-O', 'qcow2', '--target-format', 'raw'], '-O'],
    [['copy', 'x', 'y', '-O', 'qcow2', '--target-position', '4k'], '--target-position'],
    [['copy', 'x', 'memory:4k', '-O', 'qcow2'], 'memory:4k'],
    [['copy', 'x', 'y', '-O', 'vmdk'], 'vmdk'],
    [['copy', 'x', 'y', '--sparse', 'some'], 'some'],
    [['copy', 'x', 'y', '--reflink', 'yes'], 'yes'],
  ])('%j', async (args, words) => {
    expect(await cli(args)).toMatchObject({ status: 2, stderr: expect.stringContaining(words) });
  });

  test('a source that is not there makes no target', async () => {
    for (const options of [[], ['-O', 'qcow2'], ['--format', 'qcow2']]) {
      const target = fresh();
      expect(await cli(['copy', bench.path('missing'), target, ...options])).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('ENOENT'),
      });
      expect(existsSync(target)).toBe(false);
    }
  });
});
