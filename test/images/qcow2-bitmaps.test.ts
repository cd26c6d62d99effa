// Issue 15, items 5 and 6: bitmaps with a name, which a qcow2 image keeps. QEMU's programs make, mark and judge them.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { BlockDriver, open, openSync, type BlockDevice, type DirtyBitmap } from 'rumpblk';
import { failure, refusal, thrownBy } from '../support/failure';
import { NO_SANITIZER, peer, testWith } from '../support/peers';
import { KiB, MiB, rig } from '../support/rig';

const bench = rig();
const needs = [peer('qemu-img', 'qemu-utils'), peer('qemu-io', 'qemu-utils'), peer('qemu-nbd', 'qemu-utils')];
const withQemu = testWith(...needs);

let names = 0;
type Run = [from: number, to: number];

function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}
const img = (...args: string[]): string => run('qemu-img', ...args);
/** 0: sound, 3: leaks. */
const check = (file: string): number => spawnSync('qemu-img', ['check', '-f', 'qcow2', file]).status ?? -1;

function made(size = '4M', ...options: string[]): string {
  const file = bench.path(`b${(names += 1)}.qcow2`);
  img('create', '-q', '-f', 'qcow2', ...options, file, size);
  return file;
}
const written = (file: string): Promise<BlockDevice> => open(file, { format: 'qcow2', mode: 'r+' });

async function runsOf(bitmap: DirtyBitmap): Promise<Run[]> {
  const runs: Run[] = [];
  for await (const { position, length } of bitmap.extents()) runs.push([position, position + length]);
  return runs;
}

/** What a bitmap of an image says, as QEMU reads it and tells it over NBD. */
function runsByQemu(file: string, name: string): Run[] {
  const socket = bench.path(`nbd${(names += 1)}`);
  // Of a copy: the server is ready when this returns, ends with its first client, and lets go of its image some time later.
  const copy = `${socket}.qcow2`;
  copyFileSync(file, copy);
  run('qemu-nbd', '--fork', '-r', '-f', 'qcow2', `--bitmap=${name}`, '-k', socket, copy);
  const from = `driver=nbd,server.type=unix,server.path=${socket},x-dirty-bitmap=qemu:dirty-bitmap:${name}`;
  const map = JSON.parse(img('map', '--output=json', '--image-opts', from)) as { start: number; length: number; data: boolean }[];
  return map.filter(({ data }) => !data).map(({ start, length }) => [start, start + length]);
}

/** Flags of the bitmaps of an image, by name. */
function flagsByQemu(file: string): Record<string, string[]> {
  const info = JSON.parse(img('info', '-U', '--output=json', file)) as {
    'format-specific': { data: { bitmaps?: { name: string; flags: string[] }[] } };
  };
  return Object.fromEntries((info['format-specific'].data.bitmaps ?? []).map(({ name, flags }) => [name, flags]));
}

describe('a bitmap with a name', () => {
  withQemu('goes on where it was, here and in QEMU, and each reads what the other has marked', async () => {
    const file = made();
    {
      await using device = await written(file);
      const changes = device.track({ name: 'backup', granularity: 4 * KiB });
      expect([changes.count, changes.isConsistent]).toEqual([0, true]);
      await device.write(Buffer.alloc(10, 1), 4095);
      device.writeZeroesSync(MiB, 4 * KiB);
      await device.discard(2 * MiB, 4 * KiB);
      expect(flagsByQemu(file)).toEqual({ backup: ['in-use', 'auto'] });
    }
    const marked: Run[] = [
      [0, 8 * KiB],
      [MiB, MiB + 4 * KiB],
      [2 * MiB, 2 * MiB + 4 * KiB],
    ];
    expect(flagsByQemu(file)).toEqual({ backup: ['auto'] });
    expect(runsByQemu(file, 'backup')).toEqual(marked);
    run('qemu-io', '-f', 'qcow2', '-c', 'write 3M 1k', file);
    {
      // Nobody tracks it here: it is marked all the same.
      await using device = await written(file);
      await device.write(Buffer.alloc(1), 3 * MiB + 64 * KiB);
    }
    marked.push([3 * MiB, 3 * MiB + 4 * KiB], [3 * MiB + 64 * KiB, 3 * MiB + 68 * KiB]);
    await using device = await written(file);
    const changes = device.track({ name: 'backup' });
    expect(await runsOf(changes)).toEqual(marked);
    const taken = changes.take();
    expect(await runsOf(taken)).toEqual(marked);
    expect(changes.count).toBe(0);
    changes.merge(taken);
    await device.close();
    expect(runsByQemu(file, 'backup')).toEqual(marked);
    expect(check(file)).toBe(0);
  });

  withQemu('is one for all who track it; to dispose of one of them leaves it', async () => {
    const file = made();
    await using device = await written(file);
    const first = device.track({ name: 'one' });
    const second = device.track({ name: 'one', granularity: 64 * KiB });
    const inMemory = device.track();
    await device.write(Buffer.alloc(1), 0);
    expect([first.count, second.count, inMemory.count]).toEqual([65536, 65536, 65536]);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    await failure(() => first.clear(), 'EBADF');
    await device.write(Buffer.alloc(1), MiB);
    expect(second.count).toBe(2 * 65536);
    inMemory.merge(second);
    expect(inMemory.count).toBe(2 * 65536);
    second.clear();
    second.merge(inMemory);
    expect(second.count).toBe(2 * 65536);
  });

  withQemu('is not merged into when it is kept no more: the error says so, and the image has what it had', async () => {
    const file = made();
    const device = await written(file);
    const changes = device.track({ name: 'backup' });
    await device.write(Buffer.alloc(1), 0);
    const taken = changes.take();
    await device.close();
    expect((await failure(() => changes.merge(taken), 'EBADF')).message).toContain('kept no more');
    await failure(() => changes.take(), 'EBADF');
    await failure(() => changes.clear(), 'EBADF');
    expect([changes.count, taken.count, changes.isConsistent]).toEqual([0, 65536, true]);
  });

  withQemu('is listed and removed, whoever made it', async () => {
    const file = made();
    img('bitmap', '--add', '-g', '2G', file, 'coarse');
    img('bitmap', '--add', '--disable', '-g', '512', file, 'off');
    const listed = [
      { name: 'coarse', granularity: 2 ** 31, isConsistent: true, isEnabled: true },
      { name: 'off', granularity: 512, isConsistent: true, isEnabled: false },
    ];
    {
      await using reader = await open(file, { format: 'qcow2' });
      expect(reader.bitmaps()).toEqual(listed);
      await failure(() => reader.removeBitmap('off'), 'EACCES');
    }
    await using device = await written(file);
    expect((await failure(() => device.track({ name: 'off' }), 'EINVAL')).message).toContain('--enable');
    expect((await failure(() => device.track({ name: 'coarse', granularity: 512 }), 'EINVAL')).message).toContain('granularity');
    const fine = device.track({ name: 'früh 早', granularity: 512 });
    expect(device.bitmaps()).toEqual([...listed, { name: 'früh 早', granularity: 512, isConsistent: true, isEnabled: true }]);
    expect(device.removeBitmap('off')).toBe(true);
    expect(device.removeBitmap('off')).toBe(false);
    await device.write(Buffer.alloc(1), 0);
    expect(fine.count).toBe(512);
    expect(device.removeBitmap('früh 早')).toBe(true);
    await failure(() => fine.take(), 'EBADF');
    await device.write(Buffer.alloc(1), MiB);
    expect(fine.count).toBe(512);
    expect(device.removeBitmap('coarse')).toBe(true);
    expect(device.bitmaps()).toEqual([]);
    await device.close();
    expect(flagsByQemu(file)).toEqual({});
    expect(check(file)).toBe(0);
  });

  withQemu('is marked by partitions too, which have none of their own', async () => {
    const file = made();
    const driver = new BlockDriver();
    const minor = await driver.register(file, { format: 'qcow2' });
    const disk = await driver.open(minor, { mode: 'r+' });
    const changes = disk.track({ name: 'disk', granularity: 512 });
    const table = Buffer.alloc(512);
    table.set([0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0], 446);
    table.writeUInt16LE(0xaa55, 510);
    await disk.write(table, 0);
    const part = await driver.registerPartition(minor, 's1');
    const partition = await driver.open(part, { mode: 'r+' });
    expect((await failure(() => partition.track({ name: 'disk' }), 'ENOTSUP')).message).toContain('all of the image');
    await partition.write(Buffer.alloc(512), 0);
    expect(await runsOf(changes)).toEqual([
      [0, 512],
      [MiB, MiB + 512],
    ]);
    await partition.close();
    await disk.close();
    driver.close();
  });

  test('of what is no image, of one that is only read, and under other names is refused', async () => {
    const raw = bench.device(bench.sparse(MiB), { mode: 'r+' });
    expect((await failure(() => raw.track({ name: 'backup' }), 'ENOTSUP')).message).toContain('qcow2');
    expect(raw.bitmaps()).toEqual([]);
    expect(raw.removeBitmap('backup')).toBe(false);
    const reader = bench.device(bench.sparse(MiB), { mode: 'r' });
    await failure(() => reader.track({ name: 'backup' }), 'EACCES');
    for (const name of ['', 'x'.repeat(1024), 'ü'.repeat(512), '\ud800', 'a\0b', 5, null]) {
      await refusal(() => raw.track({ name } as never));
      await refusal(() => raw.removeBitmap(name as never));
    }
    expect(((await thrownBy(() => raw.track({ title: 'x' } as never))) as Error).message).toContain('name');
    raw.closeSync();
    await failure(() => raw.bitmaps(), 'EBADF');
    await failure(() => raw.removeBitmap('x'), 'EBADF');
  });
});

const WRITER = `
  const { openSync } = require('rumpblk');
  const [file, seed] = process.argv.slice(1);
  let state = Number(seed);
  for (;;) {
    const device = openSync(file, { format: 'qcow2', mode: 'r+' });
    device.track({ name: 'backup', granularity: 4096 });
    for (let i = 0; i < 5; i += 1) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const block = (state >>> 8) % 1024;
      device.writeSync(Buffer.alloc(4096, 1), block * 4096);
      process.stdout.write(block + '\\n');
    }
    device.closeSync();
  }
`;

testWith(...needs, NO_SANITIZER)(
  'a writer that is killed leaves a bitmap that is right, or one that says all',
  async () => {
    let consistent = 0;
    const kills = 20;
    for (let kill = 0; kill < kills; kill += 1) {
      const file = made('4M', '-o', kill % 2 === 0 ? 'cluster_size=64k' : 'cluster_size=4k');
      {
        await using device = await written(file);
        device.track({ name: 'backup', granularity: 4096 });
      }
      const child = spawn(process.execPath, ['-e', WRITER, file, String(kill + 1)], { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => {
        said += String(chunk);
        if (said.length > 20 + kill * 37) child.kill('SIGKILL');
      });
      await once(child, 'close');
      expect([0, 3]).toContain(check(file));
      const isInUse = flagsByQemu(file)['backup']?.includes('in-use');
      const device = openSync(file, { format: 'qcow2', mode: 'r+' });
      const changes = device.track({ name: 'backup' });
      expect(changes.isConsistent).toBe(!isInUse);
      if (isInUse) expect(changes.count).toBe(4 * MiB);
      consistent += isInUse ? 0 : 1;
      const runs = await runsOf(changes);
      for (const line of said.split('\n').slice(0, -1)) {
        const at = Number(line) * 4096;
        expect(runs.some(([from, to]) => from <= at && at < to)).toBe(true);
      }
      changes.clear();
      device.closeSync();
      expect(flagsByQemu(file)).toEqual({ backup: ['auto'] });
      expect(check(file) === 2).toBe(false);
    }
    expect(consistent).toBeLessThan(kills);
  },
  120_000,
);
