// rumpblk bench FILE --partition: a workload, or the demonstration, on one partition of a disk.
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { openSync, writePartitionsSync } from 'rumpblk';
import { cli, documentOf } from '../../support/cli';
import { LINUX } from '../../support/disks';
import { peer, testWith } from '../../support/peers';
import { MiB, pattern, rig } from '../../support/rig';

const bench = rig();
const FIO = peer('fio', 'fio');
const OURS = ['sync', 'batch', 'async', 'nbd', 'fs-sync', 'fs-callback', 'fs-promises'];

function divided(): string {
  const file = bench.image(pattern(6 * MiB));
  using disk = openSync(file, { mode: 'r+' });
  const partitions = [
    { start: MiB, size: MiB, type: LINUX, label: 'boot' },
    { start: 2 * MiB, size: 2 * MiB, type: LINUX, label: 'root' },
  ];
  writePartitionsSync(disk, { scheme: 'gpt', partitions });
  return file;
}

async function writesInside(engine: string): Promise<void> {
  const file = divided();
  const before = readFileSync(file);
  const load = ['--rw', 'write', '--loops', '1', '--overwrite', '--offset', '50%'];
  const finished = await cli(['bench', file, '--partition', 'root', '--engine', engine, '--json', ...load]);
  expect(finished).toMatchObject({ status: 0, stderr: '' });
  expect(documentOf(finished).jobs[0]).toMatchObject({ error: 0, write: { total_ios: 256, io_bytes: MiB } });
  const after = readFileSync(file);
  expect(after.subarray(0, 3 * MiB).equals(before.subarray(0, 3 * MiB))).toBe(true);
  expect(after.subarray(4 * MiB).equals(before.subarray(4 * MiB))).toBe(true);
  for (let at = 3 * MiB; at < 4 * MiB; at += 4096) expect(after.subarray(at, at + 4096).equals(before.subarray(at, at + 4096))).toBe(false);
}

test.each(OURS)('the engine %s writes inside the partition only, where the job counts from its start', writesInside, 60_000);
testWith(FIO)('the engine fio, too', () => writesInside('fio'), 60_000);

test('a job does not reach out of the partition', async () => {
  const { status, stderr } = await cli(['bench', divided(), '--partition', '1', '--rw', 'read', '--size', '2m']);
  expect(status).toBe(2);
  expect(stderr).toContain('which holds');
});

test('the demonstration reads the partition, and verifies it', async () => {
  const finished = await cli(['bench', divided(), '--partition', 'root', '--quick', '--json']);
  expect(finished.status).toBe(0);
  const { ok, image, minors } = documentOf(finished);
  expect([ok, image.size]).toEqual([true, 2 * MiB]);
  expect(minors.map(({ offset, size }: any) => [offset, size])).toEqual([
    [2 * MiB, 2 * MiB],
    [2 * MiB, MiB],
    [3 * MiB, MiB],
  ]);
}, 60_000);

test('a partition that is not there is named with what is, and one of no disk is refused', async () => {
  const file = divided();
  for (const load of [['--quick'], ['--rw', 'read']]) {
    const missing = await cli(['bench', file, '--partition', 'swap', ...load]);
    expect([missing.status, missing.stderr]).toEqual([
      1,
      expect.stringContaining(`no partition 'swap' in '${file}' (GPT): p1 boot, p2 root`),
    ]);
    const { status, stderr } = await cli(['bench', '--partition', 'swap', ...load]);
    expect([status, stderr]).toEqual([2, expect.stringContaining('give FILE')]);
  }
});
