// registerPartitions: every partition of a disk as a device, from one read of its tables.
import { expect, test } from '@jest/globals';
import { type Source, type TableToWrite, readPartitionsSync, writePartitionsSync } from 'rumpblk';
import { failure, refusal } from '../support/failure';
import { testWith } from '../support/peers';
import { MiB, rig } from '../support/rig';
import { STRACE, strace } from '../support/strace';

const bench = rig();
const SIZE = 64 * MiB;

function divided<S extends Source>(table: TableToWrite, make: (size: number) => S): S {
  const file = make(SIZE);
  const device = bench.device(file, { mode: 'r+' });
  writePartitionsSync(device, table);
  device.closeSync();
  return file;
}

const MIXED: TableToWrite = {
  scheme: 'mbr',
  partitions: [
    { start: MiB, size: MiB, type: 'linux' },
    {
      start: 4 * MiB,
      size: 8 * MiB,
      type: 0xa9,
      table: {
        scheme: 'bsd',
        partitions: [
          { start: 5 * MiB, size: MiB, type: '4.2BSD' },
          { start: 6 * MiB, size: MiB, type: 'swap' },
          { start: 4 * MiB, size: 8 * MiB, type: 'unused' },
        ],
      },
    },
    {
      start: 16 * MiB,
      size: 16 * MiB,
      type: 'extended',
      table: { scheme: 'ebr', partitions: [{ start: 17 * MiB, size: MiB, type: 'swap' }] },
    },
  ],
};

test.each(bench.media)(
  '12: all that can be devices of $name, in order of the tables; those that have a minor keep it',
  async ({ disk: make }) => {
    const driver = bench.driver();
    const disk = driver.registerSync(divided(MIXED, make));
    const swap = driver.registerPartitionSync(disk, 's5');
    const all = await driver.registerPartitions(disk);
    expect(all.map(({ name, start, size }) => [name, start / MiB, size / MiB])).toEqual([
      ['s1', 1, 1],
      ['s2', 4, 8],
      ['s2a', 5, 1],
      ['s2b', 6, 1],
      ['s5', 17, 1],
    ]);
    expect(all.at(-1)?.minor).toBe(swap);
    expect(driver.registerPartitionsSync(disk)).toEqual(all);
    expect(driver.minors().filter(({ disk: of }) => of === disk)).toHaveLength(5);
    const slice = all[1]!.minor;
    expect((await driver.registerPartitions(slice)).map(({ name }) => name)).toEqual(['s2a', 's2b']);
    expect(driver.registerPartitionsSync(swap)).toEqual([]);
    for (const { minor, size } of all) expect(bench.keep(driver.openSync(minor)).size).toBe(size);
    await failure(() => driver.deregister(disk), 'EBUSY');
  },
);

test.each(bench.media)('12: of a GPT with GUIDs and labels, as readPartitions has them, on $name', ({ disk: make }) => {
  const file = divided({ scheme: 'gpt', partitions: [{ start: MiB, size: MiB, type: 'linux', label: 'ro\u00f6t' }, { start: 3 * MiB, size: MiB, type: 'esp' }] }, make); // prettier-ignore
  const driver = bench.driver();
  const disk = driver.registerSync(file);
  const table = readPartitionsSync(bench.keep(driver.openSync(disk)));
  const expected = table?.partitions.map(({ name, start, size, uuid, label }) => ({ name, start, size, uuid, label }));
  expect(driver.registerPartitionsSync(disk)).toMatchObject(expected ?? []);
});

test.each(bench.media)(
  '12: all or none: a table without room keeps what it had, and everything can be freed again, on $name',
  async ({ disk: make }) => {
    const driver = bench.driver({ minorCount: 5 });
    const disk = driver.registerSync(divided(MIXED, make));
    await failure(() => driver.registerPartitions(disk), 'EBUSY');
    await failure(() => driver.registerPartitionsSync(disk), 'EBUSY');
    expect(driver.minors().map(({ minor }) => minor)).toEqual([disk]);
    driver.registerPartitionSync(disk, 's1');
    await failure(() => driver.registerPartitions(disk), 'EBUSY');
    expect(driver.minors()).toHaveLength(2);
    driver.deregister(1);
    driver.deregister(disk);
    const roomy = bench.driver({ minorCount: 6 });
    const again = roomy.registerSync(divided(MIXED, make));
    for (const { minor } of await roomy.registerPartitions(again)) roomy.deregister(minor);
    roomy.deregister(again);
  },
);

test('12: no table, no such minor, no number', async () => {
  const driver = bench.driver();
  const disk = driver.registerSync(bench.sparse(SIZE));
  expect(await driver.registerPartitions(disk)).toEqual([]);
  await failure(() => driver.registerPartitions(7), 'ENXIO');
  expect(await refusal(() => driver.registerPartitions('0' as never))).toBe('ERR_INVALID_ARG_TYPE');
  expect(await refusal(() => driver.registerPartitionsSync(-1))).toBe('ERR_OUT_OF_RANGE');
  driver.close();
  await failure(() => driver.registerPartitions(disk), 'EBADF');
});

testWith(...STRACE)('12: a hundred take the reads of one', async () => {
  const many = Array.from({ length: 100 }, (_, i) => ({ start: (i + 1) * MiB * 0.5, size: MiB * 0.5, type: 'linux' }));
  const file = divided({ scheme: 'gpt', partitions: many }, bench.sparse);
  const script = `
    const driver = new BlockDriver({ minorCount: 200 });
    const disk = driver.registerSync(args);
    mark('one');
    driver.registerPartitionSync(disk, 'p1');
    mark('all');
    report(driver.registerPartitionsSync(disk).length);
    mark('done');
    driver.close();
  `;
  const traced = await strace(script, { args: file, calls: ['pread64', 'preadv', 'preadv2'] });
  expect(traced.reports).toEqual([100]);
  expect(traced.after('one').length).toBeGreaterThan(0);
  expect(traced.after('all')).toHaveLength(traced.after('one').length);
});
