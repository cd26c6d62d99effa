// Issue 15: overlays in qcow2 images, judged by QEMU's programs after each operation; and those that QEMU's programs make, opened by us. Of a
// commit: in which order what is on the disk.
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from '@jest/globals';
import type { Extent } from 'rumpblk';
import { openOverlay } from 'rumpblk/overlay';
import { all, changesIn, overlays } from '../support/overlays';
import { testWith } from '../support/peers';
import { checkImage, img, QEMU, readByQemu } from '../support/qemu-img';
import { KiB, MiB, pattern, rig } from '../support/rig';
import { isSync, strace, STRACE, SYNC_CALLS } from '../support/strace';

const bench = rig();
const over = overlays(bench);
const withQemu = testWith(...QEMU);
const fresh = (): string => changesIn(bench, 'qcow2');

interface MapRow {
  start: number;
  length: number;
  depth: number;
  zero: boolean;
  data: boolean;
}
const map = (file: string): MapRow[] => JSON.parse(img('map', '--output=json', '-f', 'qcow2', file)) as MapRow[];

const WRITES = [
  [0, 4096],
  [5000, 3000],
  [MiB, 300 * KiB],
  [4 * MiB - 1000, 1000],
] as const;

async function change(overlay: { write(data: Buffer, position: number): Promise<unknown> }, model: Buffer, seed: number): Promise<void> {
  for (const [position, length] of WRITES) {
    const data = pattern(length, position + seed);
    await overlay.write(data, position);
    data.copy(model, position);
  }
}

describe('what QEMU finds', () => {
  withQemu('after each operation', async () => {
    const base = bench.image(pattern(4 * MiB));
    const other = bench.image(pattern(4 * MiB, 2));
    const changes = fresh();
    const model = readFileSync(base);
    const sound = (): void => {
      expect(checkImage(changes)).toBe(0);
      expect(readByQemu(bench, changes).equals(model)).toBe(true);
    };
    const during = async (below: string, body: (overlay: Awaited<ReturnType<typeof openOverlay>>) => Promise<unknown>): Promise<void> => {
      const overlay = await openOverlay(below, { changes });
      try {
        await body(overlay);
        expect(all(overlay).equals(model)).toBe(true);
      } finally {
        await overlay.close();
      }
      sound();
    };
    await during(base, async (overlay) => {
      await change(overlay, model, 1);
      await overlay.writeZeroes(2 * MiB, 256 * KiB);
      model.fill(0, 2 * MiB, 2 * MiB + 256 * KiB);
    });
    const info = JSON.parse(img('info', '--output=json', changes)) as Record<string, unknown>;
    expect(info).toMatchObject({
      'cluster-size': 128 * KiB,
      'virtual-size': 4 * MiB,
      'backing-filename': base,
      'backing-filename-format': 'raw',
    });
    expect(info).toMatchObject({ 'format-specific': { data: { 'extended-l2': true, compat: '1.1', corrupt: false } } });
    // What changed is what its map has on top.
    const listed: Extent[] = [];
    await during(base, async (overlay) => {
      for await (const extent of overlay.diff()) listed.push(extent);
    });
    const top: MapRow[] = [];
    for (const row of map(changes).filter(({ depth }) => depth === 0)) {
      const last = top.at(-1);
      if (last !== undefined && last.data === row.data && last.start + last.length === row.start) last.length += row.length;
      else top.push(row);
    }
    expect(listed.map(({ position, length, type }) => [position, length, type === 'data'])).toEqual(
      top.map(({ start, length, data }) => [start, length, data]),
    );
    await during(base, (overlay) => overlay.rebase(other));
    await during(other, (overlay) => overlay.commit());
    expect(readFileSync(other).equals(model)).toBe(true);
    expect(map(changes).some(({ depth }) => depth === 0)).toBe(false);
    await during(other, async (overlay) => {
      await change(overlay, model, 3);
      await overlay.reset();
      readFileSync(other).copy(model);
    });
    await during(other, async (overlay) => {
      await overlay.rebase(base, 'unsafe');
      readFileSync(base).copy(model);
      await change(overlay, model, 4);
    });
    // And QEMU's own of the same.
    copyFileSync(changes, `${changes}.copy`);
    img('commit', '-q', '-f', 'qcow2', changes);
    expect(readFileSync(base).equals(model)).toBe(true);
    img('rebase', '-u', '-f', 'qcow2', '-b', other, '-F', 'raw', changes);
    await during(other, async () => void readFileSync(other).copy(model));
  });

  withQemu('an overlay that it made: features, names, all kinds of clusters', async () => {
    const base = bench.image(pattern(4 * MiB));
    for (const options of [
      'cluster_size=64k',
      'cluster_size=512',
      'cluster_size=2M',
      'extended_l2=on,cluster_size=16k',
      'cluster_size=64k,lazy_refcounts=on',
      'cluster_size=64k,refcount_bits=1',
    ]) {
      const changes = fresh();
      img('create', '-q', '-f', 'qcow2', '-o', options, '-b', path.basename(base), '-F', 'raw', changes);
      spawnSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 64k 200k', '-c', 'write -z 1M 64k', '-c', 'discard 3M 64k', changes]);
      const model = readByQemu(bench, changes);
      const overlay = await openOverlay(base, { changes });
      expect(all(overlay).equals(model)).toBe(true);
      await change(overlay, model, 9);
      // The header of QEMU has an extension that is not known here, which stays.
      const other = bench.image(pattern(4 * MiB, 3));
      await overlay.rebase(other);
      expect(all(overlay).equals(model)).toBe(true);
      await overlay.close();
      expect(checkImage(changes)).toBe(0);
      expect(readByQemu(bench, changes).equals(model)).toBe(true);
      // The first cluster has no room for it where it is small.
      expect(readFileSync(changes).includes('extended L2 entries')).toBe(options !== 'cluster_size=512');
      const again = await openOverlay(other, { changes });
      await again.commit();
      await again.close();
      expect(readFileSync(other).equals(model)).toBe(true);
      expect(checkImage(changes)).toBe(0);
      expect(map(changes).some(({ depth }) => depth === 0)).toBe(false);
    }
  });

  withQemu('its compressed clusters are counted off by a reset', async () => {
    const raw = bench.image(pattern(2 * MiB, 4));
    const base = bench.image(pattern(2 * MiB));
    const changes = fresh();
    img('convert', '-f', 'raw', '-O', 'qcow2', '-c', '-o', 'cluster_size=64k', '-B', base, '-F', 'raw', raw, changes);
    const overlay = await openOverlay(base, { changes });
    expect(all(overlay).equals(readFileSync(raw))).toBe(true);
    await overlay.reset();
    expect(all(overlay).equals(readFileSync(base))).toBe(true);
    await overlay.write(pattern(300 * KiB, 5), 100_000);
    await overlay.close();
    expect(checkImage(changes)).toBe(0);
  });

  withQemu('damaged tables: a reset that could meet what the image needs does nothing', async () => {
    const base = bench.image(pattern(2 * MiB));
    const changes = fresh();
    const made = await openOverlay(base, { changes });
    await made.write(pattern(4096, 9), 0);
    await made.close();
    const bytes = readFileSync(changes);
    // The entry of the first cluster points to the refcount table.
    const table = Number(bytes.readBigUInt64BE(Number(bytes.readBigUInt64BE(40))) & 0x00ff_ffff_ffff_fe00n);
    bytes.writeBigUInt64BE(bytes.readBigUInt64BE(48) | (1n << 63n), table);
    writeFileSync(changes, bytes);
    const overlay = await over(base, { changes });
    await expect(overlay.reset()).rejects.toMatchObject({ code: 'EIO' });
    const after = readFileSync(changes);
    expect(after.subarray(0, bytes.length).equals(bytes.subarray(0, after.length))).toBe(true);
  });
});

const COMMITTER = `
  const { openOverlay } = require('rumpblk/overlay');
  const overlay = await openOverlay(args.base, { changes: args.changes });
  await overlay.write(Buffer.alloc(300000, 1), 5000);
  await overlay.flush();
  mark('commit');
  await overlay.commit();
  mark('done');
  await overlay.close();
`;

testWith(...STRACE)('a commit: the base is on the disk before the image loses anything, and that is before it is done', async () => {
  const base = bench.image(pattern(MiB));
  const changes = fresh();
  const traced = await strace(COMMITTER, { args: { base, changes }, calls: [...SYNC_CALLS, 'fallocate'] });
  // The image has another name while it is made.
  const calls = traced.after('commit').filter(({ args }) => args.includes(base) || args.includes('.qcow2'));
  const what = calls.map(
    (call) => `${call.args.includes(base) ? 'base' : 'image'} ${isSync(call) ? 'sync' : call.name === 'fallocate' ? 'free' : 'write'}`,
  );
  const steps = what.filter((step, i) => step !== what[i - 1]);
  expect(steps.slice(0, 4)).toEqual(['base write', 'base sync', 'image write', 'image sync']);
  // What is counted off, and freed, is behind that.
  expect(steps.slice(4)).toContain('image free');
  expect(steps.slice(4).some((step) => step.startsWith('base'))).toBe(false);
});
