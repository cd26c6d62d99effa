// Issue 15, item 5: images that we make. QEMU's programs find them sound, and write to them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createQcow2, createQcow2Sync, open } from 'rumpblk';
import { failure, refusal } from '../support/failure';
import { peer, testWith } from '../support/peers';
import { MiB, TiB, pattern, rig } from '../support/rig';

const bench = rig();
const withQemu = testWith(peer('qemu-img', 'qemu-utils'), peer('qemu-io', 'qemu-utils'));

let names = 0;
const fresh = (): string => bench.path(`c${(names += 1)}.qcow2`);

function tool(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

describe('createQcow2', () => {
  withQemu('makes images that are sound, of every size of cluster', async () => {
    for (const [clusterSize, extendedL2, size] of [
      [undefined, undefined, 10 * MiB],
      [undefined, undefined, 0],
      [undefined, undefined, 64 * TiB],
      [4096, false, 3 * MiB + 512],
      [4096, false, 100 * 2 ** 30],
      [16384, true, 2 ** 40],
      [65536, false, 1],
      [2 * MiB, true, 5 * TiB],
    ] as const) {
      const file = fresh();
      await createQcow2(file, { size, ...(clusterSize && { clusterSize }), ...(extendedL2 !== undefined && { extendedL2 }) });
      tool('qemu-img', 'check', '-q', '-f', 'qcow2', file);
      const info = JSON.parse(tool('qemu-img', 'info', '--output=json', file)) as Record<string, unknown>;
      expect(info).toMatchObject({ 'virtual-size': size - (size % 512), 'cluster-size': clusterSize ?? 131072, format: 'qcow2' });
      await using device = await open(file, { format: 'qcow2' });
      expect(device.size).toBe(size);
    }
  });

  withQemu('over another disk, which both read from and write over', async () => {
    const base = bench.image(pattern(4 * MiB));
    const file = fresh();
    createQcow2Sync(file, { size: 5 * MiB, backing: path.basename(base) });
    expect(JSON.parse(tool('qemu-img', 'info', '--output=json', file))).toMatchObject({
      'backing-filename': path.basename(base),
      'backing-filename-format': 'raw',
    });
    const model = Buffer.concat([pattern(4 * MiB), Buffer.alloc(MiB)]);
    tool('qemu-io', '-f', 'qcow2', '-c', 'write -P 4 1000k 100k', file);
    model.fill(4, 1000 * 1024, 1100 * 1024);
    {
      await using device = await open(file, { format: 'qcow2', mode: 'r+' });
      await device.write(Buffer.alloc(5000, 6), 1010 * 1024 + 7);
      model.fill(6, 1010 * 1024 + 7, 1010 * 1024 + 5007);
    }
    tool('qemu-img', 'check', '-q', '-f', 'qcow2', file);
    const raw = bench.path('raw');
    tool('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', file, raw);
    expect(readFileSync(raw).equals(model)).toBe(true);
    const top = fresh();
    createQcow2Sync(top, { size: 5 * MiB, backing: file, backingFormat: 'qcow2' });
    await using device = await open(top, { format: 'qcow2' });
    const bytes = Buffer.alloc(5 * MiB);
    await device.read(bytes, 0);
    expect(bytes.equals(model)).toBe(true);
  });

  test('a directory is no backing file (issue 15), what is not there yet may become one', async () => {
    const folder = bench.path('folder');
    mkdirSync(folder);
    for (const backing of [folder, 'folder', '.', '..', 'folder/'])
      for (const make of [createQcow2, createQcow2Sync]) {
        const file = fresh();
        const { message, path: named } = await failure(() => make(file, { size: MiB, backing }), 'EISDIR');
        expect(named).toBe(backing);
        expect(message).toContain('the backing file is a directory');
        expect(existsSync(file)).toBe(false);
      }
    createQcow2Sync(fresh(), { size: MiB, backing: 'not-yet.img' });
  });

  test('takes no place that is taken, and leaves none behind', async () => {
    const file = bench.image(pattern(512));
    for (const make of [() => createQcow2(file, { size: 512 }), () => createQcow2Sync(file, { size: 512 })]) {
      expect(await failure(make, 'EEXIST')).toMatchObject({ path: file, syscall: 'open' });
    }
    expect(readFileSync(file).equals(pattern(512))).toBe(true);
    const large = fresh();
    await failure(() => createQcow2(large, { size: 2 ** 50, clusterSize: 4096, extendedL2: false }), 'EFBIG');
    expect(existsSync(large)).toBe(false);
    for (const clusterSize of [1000, 4096, 2 ** 22])
      expect(await refusal(() => createQcow2(fresh(), { size: 1, clusterSize }))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await refusal(() => createQcow2(fresh(), {} as { size: number }))).toBe('ERR_INVALID_ARG_TYPE');
  });
});
