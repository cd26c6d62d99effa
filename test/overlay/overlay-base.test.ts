// The base of an overlay: who is kept from it and when it is free, and what may be one.
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { open, readPartitions, writePartitions } from 'rumpblk';
import { openOverlay } from 'rumpblk/overlay';
import { failure } from '../support/failure';
import { contentOf, filled } from '../support/memory';
import { all, overlays, withText } from '../support/overlays';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const over = overlays(bench);
const content = pattern(MiB + 512);
const word = Buffer.from('overlay');
const withWord = (at: number, bytes = content): Buffer => withText(bytes, word, at);

test('while it is there, the base takes readers and other overlays, and no writer', async () => {
  const image = bench.image(content);
  const first = await over(image);
  const second = await over(image);
  await first.write(word, 0);
  await second.write(word, 4096);
  expect(all(first).equals(withWord(0))).toBe(true);
  expect(all(second).equals(withWord(4096))).toBe(true);
  await failure(() => open(image, { mode: 'r+' }), 'EBUSY');
  await (await open(image)).close();
  expect((await failure(() => first.commit(), 'EBUSY')).message).toMatch(/of the base of the overlay/);
  await second.close();
  expect(await first.commit()).toEqual({ bytes: 4096 });
  await first.close();
});

test('the base is a device, which may be closed; one that is open r+ is EBUSY', async () => {
  const image = bench.image(content);
  const writer = await open(image, { mode: 'r+' });
  await failure(() => openOverlay(writer), 'EBUSY');
  await failure(() => openOverlay(image), 'EBUSY');
  await writer.close();
  const reader = await open(image);
  const overlay = await over(reader);
  expect(overlay.base).toBe(reader);
  await reader.close();
  await failure(() => openOverlay(reader), 'EBADF');
  expect(all(overlay).equals(content)).toBe(true);
  // Of the driver that the base was opened with, too.
  const driver = bench.driver();
  const minor = driver.registerSync(image);
  const registered = bench.keep(driver.openSync(minor));
  await over(registered);
  await failure(() => driver.open(minor, { mode: 'r+' }), 'EBUSY');
});

test('a partition is a base, and an overlay has partitions', async () => {
  const image = bench.sparse(4 * MiB);
  const disk = await open(image, { mode: 'r+' });
  await writePartitions(disk, { scheme: 'mbr', partitions: [{ start: MiB, size: MiB, type: 'linux' }] });
  await disk.write(content, MiB, { length: MiB });
  await disk.close();
  const before = readFileSync(image);

  const partition = await open(image, { partition: 's1' });
  const overlay = await over(partition, { changes: 'memory' });
  await partition.close();
  expect(all(overlay).equals(content.subarray(0, MiB))).toBe(true);
  await overlay.write(word, 0);
  expect(await overlay.commit()).toEqual({ bytes: 4096 });
  await overlay.close();
  expect(readFileSync(image).equals(withWord(MiB, before))).toBe(true);

  const whole = await over(image);
  await using inside = await open(whole.medium, { partition: 's1', mode: 'r+' });
  await inside.write(word, 512);
  expect(all(whole).equals(withWord(MiB + 512, withWord(MiB, before)))).toBe(true);
  expect((await readPartitions(whole))?.partitions).toMatchObject([{ name: 's1', start: MiB }]);
});

test('a medium is a base: memory, and another overlay', async () => {
  const disk = filled(content);
  const lower = await over(disk, { changes: 'memory' });
  await lower.write(word, 0);
  const upper = await over(lower.medium, { changes: 'memory' });
  await failure(() => open(lower.medium, { mode: 'r+' }), 'EBUSY');
  await upper.write(word, 4096);
  expect(all(upper).equals(withWord(4096, withWord(0)))).toBe(true);
  await upper.reset();
  expect(all(upper).equals(withWord(0))).toBe(true);
  expect(contentOf(disk).equals(content)).toBe(true);
});

test('with its device closed its medium is gone, but for those who have it open', async () => {
  const image = bench.image(content);
  const overlay = await openOverlay(image);
  await overlay.write(word, 0);
  const { medium } = overlay;
  const other = await open(medium);
  await overlay.close();
  await failure(() => open(medium), 'EBADF');
  await failure(() => openOverlay(medium), 'EBADF');
  expect(all(other).equals(withWord(0))).toBe(true);
  await failure(() => open(image, { mode: 'r+' }), 'EBUSY');
  await other.close();
  await (await open(image, { mode: 'r+' })).close();
});

test('an image that is cut under its overlay is EIO where it is missing, and nothing else', async () => {
  const image = bench.image(content);
  const overlay = await over(image);
  await overlay.write(word, 512 * KiB);
  writeFileSync(image, content.subarray(0, 256 * KiB));
  await failure(() => overlay.read(Buffer.alloc(4096), 300 * KiB), 'EIO');
  const bytes = Buffer.alloc(word.length);
  await overlay.read(bytes, 512 * KiB);
  expect(bytes.equals(word)).toBe(true);
});

test('an overlay does not come to lie over itself, by whatever stands between, also when two try it at once (issue 15)', async () => {
  const image = bench.image(content);
  const first = await over(image, { changes: 'memory' });
  const second = await over(first.medium, { changes: 'temporary' });
  const third = await over(second.medium, { changes: 'memory' });
  await first.write(word, 0);
  for (const mode of ['safe', 'unsafe'] as const) {
    for (const medium of [first.medium, second.medium, third.medium]) {
      expect((await failure(() => first.rebase(medium, mode), 'ELOOP')).message).toContain('would lie over itself');
    }
    expect(all(third).equals(withWord(0))).toBe(true);
    const other = await over(image, { changes: 'memory' });
    await other.write(word, 5000);
    const one = await over(image, { changes: 'memory' });
    const outcomes = await Promise.allSettled([one.rebase(other.medium, mode), other.rebase(one.medium, mode)]);
    const codes = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [(outcome.reason as { code: string }).code] : []));
    // Who sees that the other one is at it as well does not wait for what becomes of that.
    expect(codes.length).toBeGreaterThan(0);
    for (const code of codes) expect(['ELOOP', 'EBUSY']).toContain(code);
    expect(all(other).equals(withWord(5000))).toBe(true);
    expect(all(one).length).toBe(content.length);
    await Promise.all([one.close(), other.close()]);
  }
});

test('a commit to an overlay below is marked for those who track that one (issue 15)', async () => {
  const lower = await over(bench.image(content), { changes: 'memory' });
  const changes = lower.track({ granularity: 4096 });
  for (const base of [lower.medium, lower]) {
    const upper = await over(base, { changes: 'memory' });
    await upper.write(word, 8192);
    await upper.writeZeroes(64 * KiB, 4096);
    expect(changes.count).toBe(0);
    await upper.commit();
    const marked: number[] = [];
    for await (const { position, length } of changes.take().extents()) marked.push(position, length);
    expect(marked).toEqual([8192, 4096, 64 * KiB, 4096]);
    await upper.close();
  }
});
