// Issue 15, item 5: qcow2 images, written. QEMU's programs judge what became of them; a kill of the writer loses nothing that was acknowledged.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect } from '@jest/globals';
import { open } from 'rumpblk';
import { failure } from '../support/failure';
import { peer, testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const withQemu = testWith(peer('qemu-img', 'qemu-utils'), peer('qemu-io', 'qemu-utils'));

let names = 0;
const fresh = (): string => bench.path(`w${(names += 1)}.qcow2`);

function img(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('qemu-img', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`qemu-img ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

/** 0: sound, 3: leaks. */
const check = (file: string): number => spawnSync('qemu-img', ['check', '-f', 'qcow2', file]).status ?? -1;

function made(size: string, ...options: string[]): string {
  const file = fresh();
  img('create', '-q', '-f', 'qcow2', ...options, file, size);
  return file;
}

describe('what we write', () => {
  withQemu('QEMU compares, maps, commits and rebases', async () => {
    const base = bench.image(pattern(4 * MiB));
    const file = made('4M', '-o', 'extended_l2=on,cluster_size=128k', '-b', base, '-F', 'raw');
    const model = readFileSync(base);
    {
      await using device = await open(file, { format: 'qcow2', mode: 'r+' });
      for (const [position, length] of [
        [0, 4096],
        [5000, 3000],
        [MiB, 300 * KiB],
        [4 * MiB - 1000, 1000],
      ] as const) {
        const data = pattern(length, position + 1);
        await device.write(data, position);
        data.copy(model, position);
      }
      await device.writeZeroes(2 * MiB, 256 * KiB);
      model.fill(0, 2 * MiB, 2 * MiB + 256 * KiB);
      await device.flush();
    }
    expect(check(file)).toBe(0);
    const flat = bench.image(model);
    expect(img('compare', '-f', 'qcow2', '-F', 'raw', file, flat)).toContain('identical');
    const map = JSON.parse(img('map', '--output=json', '-f', 'qcow2', file)) as {
      start: number;
      depth: number;
      zero: boolean;
      data: boolean;
    }[];
    expect(map.find(({ start }) => start === 0)).toMatchObject({ depth: 0, data: true });
    expect(map.find(({ start }) => start === 2 * MiB)).toMatchObject({ depth: 0, zero: true, data: false });
    img('commit', '-q', '-f', 'qcow2', file);
    expect(readFileSync(base).equals(model)).toBe(true);
    img('rebase', '-u', '-b', '', '-f', 'qcow2', file);
    expect(check(file)).toBe(0);
  });

  withQemu('promises, batches of them and Sync forms, each beside the others', async () => {
    const file = made('64M', '-o', 'cluster_size=64k');
    const model = Buffer.alloc(64 * MiB);
    {
      await using device = await open(file, { format: 'qcow2', mode: 'r+' });
      const writes = Array.from({ length: 200 }, async (_, i) => {
        const data = pattern(37 * KiB, i + 1);
        const position = i * 300 * KiB;
        data.copy(model, position);
        await device.write(data, position, i % 20 === 0 ? { fua: true } : {});
      });
      device.writeSync(Buffer.alloc(512, 9), 64 * MiB - 512);
      model.fill(9, 64 * MiB - 512);
      await Promise.all(writes);
      const back = Buffer.alloc(64 * MiB);
      device.readSync(back, 0);
      expect(back.equals(model)).toBe(true);
    }
    expect(check(file)).toBe(0);
    expect(img('compare', '-f', 'qcow2', '-F', 'raw', file, bench.image(model))).toContain('identical');
  });

  withQemu('bitmaps that are on are kept, unknown autoclear bits are cleared', async () => {
    const file = made('4M');
    img('bitmap', '--add', file, 'on');
    img('bitmap', '--add', '--disable', file, 'off');
    const bytes = readFileSync(file);
    bytes.writeUInt8(0x80, 88);
    writeFileSync(file, bytes);
    {
      await using device = await open(file, { format: 'qcow2', mode: 'r+' });
      await device.write(Buffer.alloc(512, 1), 0);
    }
    expect(readFileSync(file).readBigUInt64BE(88)).toBe(1n);
    const info = JSON.parse(img('info', '--output=json', file)) as {
      'format-specific': { data: { bitmaps: { name: string; flags: string[] }[] } };
    };
    const flags = new Map(info['format-specific'].data.bitmaps.map((bitmap) => [bitmap.name, bitmap.flags]));
    expect(flags.get('on')).toEqual(['auto']);
    expect(flags.get('off')).toEqual([]);
    expect(check(file)).toBe(0);
  });

  withQemu('images that must not be written are only read, with the reason', async () => {
    const refused = async (file: string, words: string): Promise<void> => {
      const before = readFileSync(file);
      expect((await failure(() => open(file, { format: 'qcow2', mode: 'r+' }), 'EROFS')).message).toContain(words);
      expect(readFileSync(file).equals(before)).toBe(true);
      await (await open(file, { format: 'qcow2' })).close();
    };
    const marked = (bit: number): string => {
      const file = made('1M');
      const bytes = readFileSync(file);
      bytes.writeUInt8(bit, 79);
      writeFileSync(file, bytes);
      return file;
    };
    await refused(made('1M', '-o', 'compat=0.10'), 'version 2');
    await refused(marked(1), 'was not closed');
    await refused(marked(2), 'corrupt');
  });

  withQemu('QEMU keeps off an image that we write, and has what we wrote afterwards', async () => {
    const file = made('1M');
    const device = await open(file, { format: 'qcow2', mode: 'r+' });
    const asks = (): string => {
      const { stdout, stderr } = spawnSync('qemu-io', ['-r', '-f', 'qcow2', '-c', 'read -P 5 0 512', file], { encoding: 'utf8' });
      return stdout + stderr;
    };
    expect(asks()).toMatch(/Failed to get .*lock/);
    await device.write(Buffer.alloc(512, 5), 0);
    await device.close();
    expect(asks()).toMatch(/read 512\/512/);
    expect(asks()).not.toMatch(/verification failed/);
  });
});

const WRITER = `
  const { writeSync } = require('node:fs');
  const { open } = require('rumpblk');
  (async () => {
    const device = await open(process.argv[1], { format: 'qcow2', mode: 'r+' });
    let state = Number(process.argv[2]);
    for (let i = 1; ; i += 1) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const block = (state >>> 8) % 4096;
      device.writeSync(Buffer.alloc(4096, (i % 255) + 1), block * 4096);
      // Not process.stdout: a full pipe would make it keep what it is given.
      writeSync(1, block + ' ' + ((i % 255) + 1) + '\\n');
      if (i % 50 === 0) device.flushSync();
    }
  })();
`;

describe('a writer that is killed', () => {
  withQemu(
    'leaves leaks at most, and all that it was told is written',
    async () => {
      const base = bench.image(pattern(16 * MiB));
      for (let kill = 0; kill < 25; kill += 1) {
        const backed = kill % 2 === 0 ? ['-b', base, '-F', 'raw'] : [];
        const file = made('16M', '-o', kill % 3 === 0 ? 'cluster_size=64k' : 'extended_l2=on,cluster_size=128k', ...backed);
        const child = spawn(process.execPath, ['-e', WRITER, file, String(kill + 1)], {
          cwd: process.cwd(),
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let said = '';
        child.stdout.on('data', (chunk: Buffer) => {
          said += String(chunk);
          if (said.length > 200 + kill * 300) child.kill('SIGKILL');
        });
        await once(child, 'close');
        const lines = said.split('\n').slice(0, -1);
        expect(lines.length).toBeGreaterThan(10);
        expect([0, 3]).toContain(check(file));
        const model = kill % 2 === 0 ? readFileSync(base) : Buffer.alloc(16 * MiB);
        const last = new Map(lines.map((line) => line.split(' ').map(Number) as [number, number]));
        for (const [block, byte] of last) model.fill(byte, block * 4096, (block + 1) * 4096);
        const raw = bench.path('killed.raw');
        img('convert', '-f', 'qcow2', '-O', 'raw', file, raw);
        const found = readFileSync(raw);
        // One more write may have come through than was told of.
        const other = Array.from({ length: 4096 }, (_, block) => block).filter(
          (block) => !found.subarray(block * 4096, (block + 1) * 4096).equals(model.subarray(block * 4096, (block + 1) * 4096)),
        );
        expect(other.length).toBeLessThanOrEqual(1);
        // And it goes on where it was.
        await using device = await open(file, { format: 'qcow2', mode: 'r+' });
        await device.write(pattern(MiB), 3 * MiB);
      }
    },
    120_000,
  );
});
