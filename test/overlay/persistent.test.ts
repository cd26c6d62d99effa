// Issue 15, items 4 and 5: overlays whose changes lie in a qcow2 image, which outlive the process that made them.
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { createQcow2, open, type BlockDevice } from 'rumpblk';
import { memory } from 'rumpblk/media';
import { openOverlay } from 'rumpblk/overlay';
import { failure } from '../support/failure';
import { all, changesIn, overlays, withText } from '../support/overlays';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const over = overlays(bench);
const content = pattern(MiB + 512);
const word = Buffer.from('overlay');
const withWord = (at: number, bytes = content): Buffer => withText(bytes, word, at);
const fresh = (): string => changesIn(bench, 'qcow2');

/** Opens it, and closes it after `body`. */
async function using<Device extends BlockDevice>(device: Promise<Device>, body: (device: Device) => unknown): Promise<void> {
  const opened = await device;
  try {
    await body(opened);
  } finally {
    await opened.close();
  }
}

test('changes are there when it is opened again, and where it is opened as an image', async () => {
  const image = bench.image(content);
  const changes = fresh();
  await using(openOverlay(image, { changes }), async (overlay) => {
    expect(overlay).toMatchObject({ durable: true, path: changes, size: content.length, mode: 'r+' });
    await overlay.write(word, 5000);
    await overlay.writeZeroes(100_000, 300_001);
    await overlay.flush();
  });
  const changed = withWord(5000).fill(0, 100_000, 400_001);
  await using(openOverlay(image, { changes }), (overlay) => expect(all(overlay).equals(changed)).toBe(true));
  await using(open(changes, { format: 'qcow2' }), (device) => expect(all(device).equals(changed)).toBe(true));
  expect(readFileSync(image).equals(content)).toBe(true);
});

test('an image that createQcow2() made is one too, and one that goes on from another base is not', async () => {
  const image = bench.image(content);
  const other = bench.image(content);
  const changes = fresh();
  await createQcow2(changes, { size: content.length, backing: path.basename(image) });
  await using(openOverlay(image, { changes }), (overlay) => expect(all(overlay).equals(content)).toBe(true));
  const before = readFileSync(changes);
  const { message } = await failure(() => openOverlay(other, { changes }), 'ESTALE');
  expect(message).toContain(`'${path.basename(image)}'`);
  expect(message).toContain(`'${other}'`);
  expect(readFileSync(changes).equals(before)).toBe(true);
  // The same file, as something else.
  await failure(() => openOverlay(image, { changes, format: 'vhd' }), 'EINVAL');
  const alone = fresh();
  await createQcow2(alone, { size: content.length });
  expect((await failure(() => openOverlay(image, { changes: alone }), 'ESTALE')).message).toContain('none');
  await failure(() => openOverlay(image, { changes, size: 2 * MiB }), 'EINVAL');
  await failure(() => openOverlay(image, { changes: image }), 'EINVAL');
  await failure(() => openOverlay(image, { changes: other }), 'EINVAL');
  // By another name of the same file.
  const alias = bench.path('alias.img');
  symlinkSync(image, alias);
  await using(openOverlay(alias, { changes }), (overlay) => expect(all(overlay).equals(content)).toBe(true));
});

test('one that cannot be opened leaves no file behind', async () => {
  const image = bench.image(content);
  const folder = bench.path('none');
  mkdirSync(folder);
  const changes = path.join(folder, 'overlay.qcow2');
  const writer = await open(image, { mode: 'r+' });
  await failure(() => openOverlay(image, { changes }), 'EBUSY');
  await writer.close();
  const partition = await open(image, { offset: 512, size: MiB });
  expect((await failure(() => openOverlay(partition, { changes }), 'ENOTSUP')).message).toContain('by a path');
  await partition.close();
  await failure(() => openOverlay(memory({ size: MiB }), { changes }), 'ENOTSUP');
  await failure(() => openOverlay(image, { changes, size: 512 }), 'EINVAL');
  await failure(() => openOverlay(image, { changes, size: Number.MAX_SAFE_INTEGER }), 'EFBIG');
  const nowhere = bench.path('nowhere.img');
  expect(await failure(() => openOverlay(nowhere, { changes }), 'ENOENT')).toMatchObject({ path: nowhere });
  expect(readdirSync(folder)).toEqual([]);
  const lost = path.join(bench.path('lost'), 'overlay.qcow2');
  expect(await failure(() => openOverlay(image, { changes: lost }), 'ENOENT')).toMatchObject({ path: expect.stringContaining(lost) });
  await (await openOverlay(image, { changes })).close();
  expect(readdirSync(folder)).toEqual(['overlay.qcow2']);
});

test('the base takes readers and other overlays, the image nobody; both are free afterwards', async () => {
  const image = bench.image(content);
  const changes = fresh();
  const overlay = await openOverlay(image, { changes });
  await failure(() => openOverlay(image, { changes }), 'EBUSY');
  await failure(() => open(changes, { format: 'qcow2' }), 'EBUSY');
  await failure(() => open(image, { mode: 'r+' }), 'EBUSY');
  const other = await over(image, { changes: fresh() });
  await overlay.write(word, 0);
  expect((await failure(() => overlay.commit(), 'EBUSY')).message).toMatch(/of the base of the overlay/);
  expect((await failure(() => overlay.track({ name: 'x' }), 'ENOTSUP')).message).toMatch(/an overlay keeps no bitmap/);
  await other.close();
  expect(await overlay.commit()).toEqual({ bytes: 4096 });
  await overlay.close();
  await (await open(image, { mode: 'r+' })).close();
  await (await open(changes, { format: 'qcow2', mode: 'r+' })).close();
});

test('it has no snapshots', async () => {
  const overlay = await over(bench.image(content), { changes: fresh() });
  expect((await failure(() => overlay.snapshot(), 'ENOTSUP')).message).toContain('has no snapshots');
});

test('the base is named from the folder of the image, so that both can be moved together', async () => {
  const home = bench.path('home');
  mkdirSync(path.join(home, 'overlays'), { recursive: true });
  mkdirSync(path.join(home, 'elsewhere'));
  symlinkSync(path.join(home, 'overlays'), path.join(home, 'elsewhere', 'link'));
  writeFileSync(path.join(home, 'a:b.img'), content);
  const from = process.cwd();
  process.chdir(home);
  try {
    // By a link, whose ".." leads elsewhere.
    await using(openOverlay('a:b.img', { changes: 'elsewhere/link/o.qcow2' }), (overlay) => overlay.write(word, 0));
    await using(openOverlay('a:b.img', { changes: 'beside.qcow2' }), (overlay) => overlay.write(word, 0));
  } finally {
    process.chdir(from);
  }
  const moved = bench.path('moved');
  renameSync(home, moved);
  for (const changes of ['overlays/o.qcow2', 'beside.qcow2']) {
    await using(openOverlay(path.join(moved, 'a:b.img'), { changes: path.join(moved, changes) }), (overlay) =>
      expect(all(overlay).equals(withWord(0))).toBe(true),
    );
  }
});

test('the base is an image itself', async () => {
  const image = bench.image(content);
  const middle = fresh();
  await using(openOverlay(image, { changes: middle }), (overlay) => overlay.write(word, 0));
  const top = await over(middle, { changes: fresh(), format: 'qcow2' });
  await top.write(word, 8192);
  expect(all(top).equals(withWord(8192, withWord(0)))).toBe(true);
  await top.commit();
  expect(readFileSync(image).equals(content)).toBe(true);
  await top.close();
  await using(open(middle, { format: 'qcow2' }), (device) => expect(all(device).equals(withWord(8192, withWord(0)))).toBe(true));
});

test('a commit and a reset give back the room, and what is written then takes it again', async () => {
  const image = bench.image(pattern(16 * MiB));
  const changes = fresh();
  const overlay = await over(image, { changes });
  const used = async (): Promise<number> => {
    let bytes = 0;
    await using(open(changes, { lock: false }), async (file) => {
      for await (const { type, length } of file.extents()) bytes += type === 'data' ? length : 0;
    });
    return bytes;
  };
  const empty = await used();
  let size = 0;
  for (const drop of [() => overlay.reset(), () => overlay.commit(), () => overlay.reset()]) {
    await overlay.write(pattern(8 * MiB, 3), 4 * MiB);
    expect(await used()).toBeGreaterThan(8 * MiB);
    await drop();
    expect(await used()).toBeLessThan(empty + MiB);
    size ||= readFileSync(changes).length;
    expect(readFileSync(changes).length).toBe(size);
  }
});

test('what others write while it commits is in the base as well', async () => {
  const image = bench.image(pattern(8 * MiB));
  const overlay = await over(image, { changes: fresh() });
  const model = pattern(8 * MiB);
  const first = pattern(6 * MiB, 5);
  await overlay.write(first, 0);
  first.copy(model);
  const commit = overlay.commit();
  for (let i = 0; i < 200; i += 1) {
    const data = pattern(4096, i + 10);
    const position = (i * 7919 * 512) % (8 * MiB - 4096);
    data.copy(model, position);
    await overlay.write(data, position);
  }
  await commit;
  expect(all(overlay).equals(model)).toBe(true);
  await overlay.commit();
  expect(readFileSync(image).equals(model)).toBe(true);
});

test('another base by another name, from its folder, in another format', async () => {
  const image = bench.image(content);
  const other = bench.image(pattern(content.length, 7));
  const third = fresh();
  await createQcow2(third, { size: content.length });
  const changes = fresh();
  const overlay = await openOverlay(image, { changes });
  await overlay.write(word, 0);
  await overlay.rebase(other);
  expect(all(overlay).equals(withWord(0))).toBe(true);
  await (await open(image, { mode: 'r+' })).close();
  await failure(() => open(other, { mode: 'r+' }), 'EBUSY');
  await overlay.rebase(third, 'safe', { format: 'qcow2' });
  expect(all(overlay).equals(withWord(0))).toBe(true);
  expect((await failure(() => overlay.rebase(changes), 'ELOOP')).message).toContain('its own backing file');
  await failure(() => overlay.rebase(memory({ size: MiB })), 'ENOTSUP');
  await overlay.close();
  await failure(() => openOverlay(other, { changes }), 'ESTALE');
  await using(openOverlay(third, { changes, format: 'qcow2' }), async (again) => {
    expect(all(again).equals(withWord(0))).toBe(true);
  });
  expect(existsSync(changes)).toBe(true);
});

test('the size of a base that is no multiple of 512 is rounded up to whole sectors, as QEMU sees an image (issue 15)', async () => {
  const odd = pattern(MiB + 100);
  const image = bench.image(odd);
  const changes = fresh();
  await using(openOverlay(image, { changes }), async (overlay) => {
    expect(overlay.size).toBe(MiB + 512);
    expect(all(overlay).equals(Buffer.concat([odd, Buffer.alloc(412)]))).toBe(true);
    await overlay.write(word, MiB + 90);
    await overlay.writeZeroes(MiB + 99, 413);
    await overlay.commit();
  });
  const committed = withText(odd, word.subarray(0, 9), MiB + 90).fill(0, MiB + 99);
  expect(readFileSync(image).equals(committed)).toBe(true);
  await using(openOverlay(image, { changes }), async (overlay) => {
    await overlay.write(Buffer.from([1]), MiB + 100);
    await failure(() => overlay.commit(), 'ENOSPC');
    expect(readFileSync(image).equals(committed)).toBe(true);
  });
  // To the byte where somebody asks for it.
  const exact = fresh();
  await using(openOverlay(image, { changes: exact, size: MiB + 100 }), (overlay) => expect(all(overlay).equals(committed)).toBe(true));
});

test('images do not become the base of one another, by whatever name (issue 15)', async () => {
  const image = bench.image(content);
  const [one, two] = [fresh(), fresh()];
  const [hard, soft] = [bench.path('hard.qcow2'), bench.path('soft.qcow2')];
  await using(openOverlay(image, { changes: one }), (overlay) => overlay.write(word, 0));
  await using(openOverlay(one, { changes: two, format: 'qcow2' }), (overlay) => overlay.write(word, 5000));
  linkSync(two, hard);
  symlinkSync(two, soft);
  const before = readFileSync(one);
  await using(openOverlay(image, { changes: one }), async (overlay) => {
    for (const name of [two, hard, soft])
      for (const mode of ['safe', 'unsafe'] as const) await failure(() => overlay.rebase(name, mode, { format: 'qcow2' }), 'ELOOP');
  });
  expect(readFileSync(one).equals(before)).toBe(true);
  // A circle that somebody else has made.
  await createQcow2(bench.path('circle.qcow2'), { size: content.length, backing: 'circle.qcow2', backingFormat: 'qcow2' });
  for (const changes of ['memory', fresh()])
    await failure(() => openOverlay(bench.path('circle.qcow2'), { changes, format: 'qcow2' }), 'ELOOP');
});
