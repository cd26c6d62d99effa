// rumpblk discard and zero: what becomes of the image, its room, and what is told.
import { readFileSync, statSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { cli, documentOf } from '../support/cli';
import { ACCESSES, KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const content = pattern(2 * MiB);
const roomOf = (file: string): number => statSync(file).blocks * 512;

test.each(ACCESSES)('zero makes a range zeros, and gives its room back unless that is to stay (%s)', async (access) => {
  const image = bench.image(content);
  const full = roomOf(image);
  const kept = await cli(['zero', image, '-p', '4k', '-l', '1M', '--keep-room', '--fua', '--access', access, '--json']);
  expect(kept).toMatchObject({ status: 0, stderr: '' });
  expect(documentOf(kept)).toMatchObject({ file: image, position: 4096, bytesZeroed: MiB, flushed: true, access, counters: { zeroes: 1 } });
  const wanted = Buffer.from(content).fill(0, 4 * KiB, MiB + 4 * KiB);
  expect(readFileSync(image).equals(wanted)).toBe(true);
  expect(roomOf(image)).toBeGreaterThan(full - 512 * KiB);
  expect(await cli(['zero', image, '-p', '4k', '-l', '1M', '--access', access])).toMatchObject({ status: 0, stderr: '' });
  expect(readFileSync(image).equals(wanted)).toBe(true);
  expect(roomOf(image)).toBeLessThan(full - 512 * KiB);
  const short = await cli(['zero', image, '-p', '2047k', '-l', '1M']);
  expect([short.status, short.stderr]).toEqual([0, 'rumpblk: the device ended: 1024 of 1048576 bytes\n']);
});

test('discard gives whole blocks back, of a range of the file, and says so', async () => {
  const image = bench.image(content);
  const done = await cli(['discard', image, '--offset', '64k', '--size', '1M', '-p', '1000', '-l', '2M', '--json']);
  expect([done.status, done.stderr]).toEqual([0, '']);
  expect(documentOf(done)).toMatchObject({ bytesDiscarded: MiB - 1000, flushed: true });
  const back = readFileSync(image);
  const wanted = Buffer.from(content).fill(0, 68 * KiB, MiB + 64 * KiB);
  expect(back.equals(wanted)).toBe(true);
  expect(back).toHaveLength(2 * MiB);
});

test('a null medium takes all, and --no-flush flushes nothing', async () => {
  const done = await cli(['discard', 'null:1G', '-p', '0', '-l', '1G', '--no-flush', '--json']);
  expect(documentOf(done)).toMatchObject({ bytesDiscarded: 1024 * MiB, flushed: false });
});

test.each([
  [['zero', 'x', '-p', '0'], '--length'],
  [['discard', 'x', '-l', '512'], '--position'],
  [['zero', 'x', '-p', '0', '-l', '512', '--fua', '--no-flush'], '--no-flush'],
  [['discard', 'x', '-p', '0', '-l', '512', '--fua'], '--fua'],
])('%j is a wrong command line', async (args, word) => {
  const { status, stderr } = await cli(args);
  expect(status).toBe(2);
  expect(stderr).toContain(word);
});

test('what the device refuses is a failure', async () => {
  const image = bench.image(content);
  const beyond = await cli(['zero', image, '-p', '3M', '-l', '512']);
  expect(beyond.status).toBe(1);
  expect(beyond.stderr).toContain('EINVAL');
  expect(readFileSync(image).equals(content)).toBe(true);
});
