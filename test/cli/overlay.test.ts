// rumpblk overlay: what it makes and prints, judged by qemu-img.
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { createQcow2 } from 'rumpblk';
import { cli, documentOf } from '../support/cli';
import { changesIn } from '../support/overlays';
import { testWith } from '../support/peers';
import { checkImage, img, QEMU, readByQemu } from '../support/qemu-img';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const fresh = (): string => changesIn(bench, 'qcow2');
const overlay = (...words: string[]): ReturnType<typeof cli> => cli(['overlay', ...words]);

testWith(...QEMU)('create, write, diff, commit and rebase: qemu-img finds the same', async () => {
  const base = bench.image(pattern(2 * MiB));
  const changes = fresh();
  const made = await overlay('create', changes, '--base', base, '--json');
  expect([made.status, made.stderr]).toEqual([0, '']);
  const sizes = { size: 2 * MiB, blockSize: 4 * KiB, clusterSize: 128 * KiB };
  expect(documentOf(made)).toEqual({ file: changes, ...sizes, backing: base, base, format: 'raw' });
  const written = pattern(5000, 3);
  await cli(['write', changes, '--format', 'qcow2', '-p', '8k'], { input: written });
  expect(checkImage(changes)).toBe(0);
  const model = pattern(2 * MiB);
  written.copy(model, 8 * KiB);
  expect(readByQemu(bench, changes).equals(model)).toBe(true);
  const listed = documentOf(await overlay('diff', changes, '--json'));
  expect(listed).toEqual([{ position: 8 * KiB, length: 8 * KiB, type: 'data' }]);
  expect(documentOf(await overlay('diff', changes, '--exact', '--json'))).toEqual(listed);
  expect((await overlay('diff', changes)).stdout.toString()).toMatch(/position +bytes +type\n +8 KiB +8 KiB +data\n/);

  const other = bench.image(pattern(2 * MiB, 7));
  const rebased = await overlay('rebase', changes, '-b', other);
  expect([rebased.status, rebased.stderr]).toEqual([0, '']);
  expect(JSON.parse(img('info', '--output=json', changes))).toMatchObject({ 'backing-filename': other });
  expect(readByQemu(bench, changes).equals(model)).toBe(true);
  expect(documentOf(await overlay('commit', changes, '--json'))).toEqual({ file: changes, bytes: 2 * MiB });
  expect(readFileSync(other).equals(model)).toBe(true);
  expect((await overlay('rebase', changes, '-u', '-b', base)).status).toBe(0);
  expect(readByQemu(bench, changes).equals(readFileSync(base))).toBe(true);
  expect((await overlay('info', changes)).stdout.toString()).toContain(`base    ${base}, raw`);
});

test('what is there already, no overlay, or no image is refused', async () => {
  const base = bench.image(pattern(MiB));
  const changes = fresh();
  expect((await overlay('create', changes, '--base', base, '--block-size', '64k')).status).toBe(0);
  const before = readFileSync(changes);
  const again = await overlay('create', changes, '--base', base);
  expect([again.status, again.stderr]).toEqual([2, `rumpblk: '${changes}' is there already\n`]);
  expect(readFileSync(changes).equals(before)).toBe(true);
  const none = await overlay('commit', base);
  expect(none.status).toBe(1);
  expect(none.stderr).toContain('not a qcow2 image');
  const alone = fresh();
  await createQcow2(alone, { size: MiB });
  const flat = await overlay('diff', alone);
  expect([flat.status, flat.stderr]).toEqual([2, `rumpblk: '${alone}' is an image without a base, and no overlay\n`]);
  expect((await overlay('create', fresh())).status).toBe(2);
  expect((await overlay('create', fresh(), '--base', bench.path('nowhere'))).stderr).toContain('ENOENT');
  expect((await overlay()).status).toBe(2);
});
