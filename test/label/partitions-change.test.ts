// freeRanges, and single partitions that are added, resized and removed; other tools say what is there afterwards.
// Over 300 lines: one subject, whose helpers would stand in two files otherwise.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import {
  type BlockDevice,
  type PartitionChange,
  type PartitionTable,
  addPartition,
  addPartitionSync,
  changePartitions,
  changePartitionsSync,
  freeRanges,
  readPartitionsSync,
  removePartition,
  removePartitionSync,
  resizePartition,
  resizePartitionSync,
  writePartitionsSync,
} from 'rumpblk';
import { PARTED, SFDISK, SGDISK, parted, sfdisk, sfdiskRows } from '../support/disks';
import { failure, refusal } from '../support/failure';
import { run, testWith } from '../support/peers';
import { MiB, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * MiB;

function divided(...script: string[]): BlockDevice {
  const file = bench.sparse(SIZE);
  sfdisk(file, ...script);
  return bench.device(file, { mode: 'r+' });
}
function readBack(device: BlockDevice): PartitionTable {
  const read = readPartitionsSync(device);
  if (read === undefined) throw new Error('no table');
  return read;
}
const inMiB = (rows: { start: number; size: number }[]): number[][] => rows.map(({ start, size }) => [start / MiB, size / MiB]);
const causeOf = async (action: () => unknown, code: string): Promise<string> => ((await failure(action, code)).cause as Error).message;

/** What sfdisk says is free, in whole MiB. */
function sfdiskFree(file: string): number[][] {
  const lines = run('sfdisk', '--list-free', '--output', 'Start,End', file).split('\n').filter((line) => /^\s*\d+\s+\d+/.test(line)); // prettier-ignore
  const rows = lines.map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  return rows
    .map(([first, last]) => [Math.ceil(first / 2048), Math.floor((last + 1) / 2048)] as const)
    .filter(([from, to]) => to > from)
    .map(([from, to]) => [from, to - from]);
}

describe('12: freeRanges', () => {
  testWith(SFDISK)('is what sfdisk says is free, in whole MiB', () => {
    for (const script of [
      ['label: gpt'],
      ['label: gpt', 'start=2048,size=2048', 'start=20480,size=4096'],
      ['label: gpt', 'start=2048,size=126943'],
      ['label: dos'],
      ['label: dos', 'start=2048,size=1000', 'start=40960,size=2048'],
      ['label: dos', 'start=2048,size=129024'],
    ]) {
      const device = divided(...script);
      expect([script, inMiB(freeRanges(readBack(device)))]).toEqual([script, sfdiskFree(device.path)]);
    }
  });

  testWith(SFDISK)('to the sector', () => {
    const device = divided('label: dos', 'start=2048,size=2048', 'start=8192,size=40960,type=5', 'start=10240,size=2048', 'start=20480,size=2048'); // prettier-ignore
    expect(freeRanges(readBack(device), { alignment: 512 }).map(({ start, size }) => [start / 512, size / 512])).toEqual([
      [1, 2047],
      [4096, 4096],
      [49152, 81920],
    ]);
  });

  testWith(SFDISK)('of an extended partition: links are taken, and a new one needs a sector in front', () => {
    const device = divided('label: dos', 'start=8192,size=40960,type=5', 'start=10240,size=2048', 'start=20480,size=2048');
    const chain = readBack(device).partitions[0]?.table as PartitionTable;
    expect(chain.partitions.map(({ link }) => (link ?? 0) / MiB)).toEqual([4, 9]);
    expect(inMiB(freeRanges(chain))).toEqual([
      [7, 2],
      [12, 12],
    ]);
    for (const size of [2 * MiB, 'rest'] as const) addPartitionSync(device, { type: 'linux', size, inside: 's1' });
    expect(readBack(device).problems).toEqual([]);
    expect(inMiB(sfdiskRows(device.path)).sort(([a], [b]) => a! - b!)).toEqual([
      [4, 20],
      [5, 1],
      [7, 2],
      [10, 1],
      [12, 12],
    ]);
  });

  test('of a disklabel: entries without a type claim nothing', () => {
    const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
    const whole = { index: 2, start: 0, size: SIZE, type: 0 };
    writePartitionsSync(device, { scheme: 'bsd', partitions: [{ start: 4 * MiB, size: MiB, type: 7, index: 0 }, whole] });
    expect(inMiB(freeRanges(readBack(device)))).toEqual([
      [1, 3],
      [5, 59],
    ]);
  });

  test('refuses what was not read, and an alignment that no sector has', async () => {
    const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
    writePartitionsSync(device, { scheme: 'gpt', partitions: [] });
    const table = readBack(device);
    expect(await refusal(() => freeRanges({ scheme: 'gpt', partitions: [] } as never))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await refusal(() => freeRanges(undefined as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => freeRanges(table, { alignment: 0 }))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await refusal(() => freeRanges(table, { alignment: 1000 }))).toBe('ERR_INVALID_ARG_VALUE');
  });
});

describe('12: changes', () => {
  testWith(SFDISK, SGDISK)('of a GPT: add, resize, remove, as sgdisk and sfdisk read them', async () => {
    const device = divided('label: gpt', 'label-id: 11111111-2222-3333-4444-555555555555', 'start=4096,size=4096,name=kept');
    const [kept] = readBack(device).partitions;
    expect(await addPartition(device, { type: 'esp', size: MiB, label: 'boot' })).toMatchObject({ name: 'p2', start: MiB, size: MiB, label: 'boot', typeName: 'EFI System' }); // prettier-ignore
    expect(addPartitionSync(device, { type: 'linux' })).toMatchObject({ name: 'p3', start: 4 * MiB, size: 59 * MiB });
    expect(resizePartitionSync(device, 'p3', 8 * MiB)).toMatchObject({ name: 'p3', size: 8 * MiB });
    expect(await addPartition(device, { type: 'swap', start: 20 * MiB, size: 4 * MiB })).toMatchObject({ name: 'p4', start: 20 * MiB });
    expect(await resizePartition(device, 'p3', 'rest')).toMatchObject({ start: 4 * MiB, size: 16 * MiB });
    expect((await removePartition(device, 'p2')).partitions.map(({ name }) => name)).toEqual(['p1', 'p3', 'p4']);
    expect(readBack(device).partitions[0]).toEqual(kept);
    expect(readBack(device)).toMatchObject({ id: '11111111-2222-3333-4444-555555555555', problems: [] });
    expect(inMiB(sfdiskRows(device.path))).toEqual([
      [2, 2],
      [4, 16],
      [20, 4],
    ]);
    expect(run('sgdisk', '--verify', device.path)).toMatch(/No problems found/);
    expect(run('sfdisk', '--verify', device.path)).toMatch(/No errors detected/);
  });

  testWith(SFDISK, PARTED)('of an MBR: logical partitions, an extended one that grows, and what is removed with it', async () => {
    const device = divided('label: dos', 'start=2048,size=2048,bootable', 'start=8192,size=20480,type=5', 'start=10240,size=4096', 'start=20480,size=2048'); // prettier-ignore
    expect(await addPartition(device, { type: 'swap', size: MiB, inside: 's2' })).toMatchObject({ start: 8 * MiB, size: MiB, type: 0x82 });
    await resizePartition(device, 's2', 'rest');
    expect(addPartitionSync(device, { type: 'linux', inside: 's2' })).toMatchObject({ size: 52 * MiB });
    expect(run('sfdisk', '--verify', device.path)).toMatch(/No errors detected/);
    expect(readBack(device).problems).toEqual([]);
    const listed = (): number[][] => inMiB(sfdiskRows(device.path)).sort(([a], [b]) => a! - b!);
    expect(listed()).toEqual([
      [1, 1],
      [4, 60],
      [5, 2],
      [8, 1],
      [10, 1],
      [12, 52],
    ]);
    expect(run('parted', '-s', device.path, 'unit', 'MiB', 'print')).toMatch(/logical/);
    const logical = readBack(device).partitions[1]?.table?.partitions.find(({ start }) => start === 10 * MiB)?.name ?? '';
    removePartitionSync(device, logical);
    expect(listed()).toEqual([
      [1, 1],
      [4, 60],
      [5, 2],
      [8, 1],
      [12, 52],
    ]);
    await removePartition(device, 's2');
    expect(listed()).toEqual([[1, 1]]);
  });

  test('of a disklabel in a slice: the letter c stays free', async () => {
    const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
    const label = { scheme: 'bsd' as const, partitions: [{ start: 2 * MiB, size: MiB, type: 7 }] };
    writePartitionsSync(device, { scheme: 'mbr', partitions: [{ start: MiB, size: 32 * MiB, type: 0xa9, table: label }] });
    const names = ['swap', '4.2BSD', '4.2BSD'].map((type) => addPartitionSync(device, { type, size: MiB, inside: 's1' }).name);
    expect(names).toEqual(['s1b', 's1d', 's1e']);
    expect(readBack(device).partitions[0]?.table?.problems).toEqual([]);
  });

  test('several at once, by the names from before; all or none; a dry run writes nothing', async () => {
    const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
    const entry = (start: number): { start: number; size: number; type: string } => ({ start: start * MiB, size: MiB, type: 'linux' });
    writePartitionsSync(device, { scheme: 'gpt', partitions: [entry(1), entry(2), entry(3)] });
    const changes: PartitionChange[] = [
      { remove: 'p2' },
      { resize: 'p1', size: 'rest' },
      { remove: 'p3' },
      { add: { type: 'swap', size: 2 * MiB } },
    ];
    const before = readFileSync(device.path);
    const planned = await changePartitions(device, changes, { dryRun: true });
    expect(changePartitionsSync(device, changes, { dryRun: true }).partitions.map(({ name }) => name)).toEqual(['p1', 'p2']);
    expect(readFileSync(device.path).equals(before)).toBe(true);
    await failure(() => changePartitions(device, [...changes, { remove: 'p9' }]), 'ENXIO');
    await failure(() => changePartitions(device, [...changes, { add: { type: 'linux', start: MiB, size: MiB } }]), 'EINVAL');
    expect(readFileSync(device.path).equals(before)).toBe(true);
    const now = changePartitionsSync(device, changes);
    expect(inMiB(now.partitions)).toEqual([
      [1, 2],
      [3, 2],
    ]);
    expect(inMiB(planned.partitions)).toEqual(inMiB(now.partitions));
    expect(readBack(device)).toEqual(now);
  });

  test('under way together: none undoes another', async () => {
    const driver = bench.driver();
    const minor = driver.registerSync(bench.sparse(SIZE));
    const devices = [0, 1].map(() => bench.keep(driver.openSync(minor, { mode: 'r+' })));
    writePartitionsSync(devices[0]!, { scheme: 'gpt', partitions: [] });
    const added = await Promise.all(Array.from({ length: 16 }, (_, i) => addPartition(devices[i % 2]!, { type: 'linux', size: MiB })));
    expect(readBack(devices[0]!).partitions).toHaveLength(16);
    expect(new Set(added.map(({ start }) => start)).size).toBe(16);
  });

  test('a partition is chosen as everywhere: by number, label, GUID or entry', async () => {
    const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
    const entry = (start: number, label: string): object => ({ start: start * MiB, size: MiB, type: 'linux', label });
    const fresh = [entry(1, 'one'), entry(3, 'two'), entry(5, 'twin'), entry(7, 'twin')] as unknown as [];
    writePartitionsSync(device, { scheme: 'gpt', partitions: fresh });
    const [one, two] = readBack(device).partitions;
    for (const choice of [1, 'p1', 'one', one!.uuid!, one!.uuid!.toLowerCase(), one!]) {
      const table = await removePartition(device, choice, { dryRun: true });
      expect(table.partitions.map(({ name }) => name)).toEqual(['p2', 'p3', 'p4']);
    }
    expect(await resizePartition(device, 'two', 'rest')).toMatchObject({ name: 'p2', size: 2 * MiB });
    for (const choice of ['twin', 9, two!]) await failure(() => removePartition(device, choice), 'ENXIO');
    expect(await refusal(() => removePartition(device, undefined as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(await refusal(() => resizePartition(device, '', 'rest'))).toBe('ERR_INVALID_ARG_VALUE');
  });

  test('what cannot be, with the reason as the cause', async () => {
    const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
    expect(await causeOf(() => addPartition(device, { type: 'linux' }), 'EINVAL')).toMatch(/not divided/);
    writePartitionsSync(device, { scheme: 'mbr', partitions: [{ start: MiB, size: 63 * MiB - 512, type: 'linux' }] });
    expect(await causeOf(() => addPartition(device, { type: 'linux' }), 'ENOSPC')).toMatch(/largest has 0 bytes/);
    expect(await causeOf(() => addPartitionSync(device, { type: 'linux', size: MiB }), 'ENOSPC')).toMatch(/room for 1048576 bytes/);
    expect(await causeOf(() => addPartition(device, { type: 'linux', start: 2 * MiB }), 'ENOSPC')).toMatch(/byte 2097152 is not free/);
    expect(await causeOf(() => addPartition(device, { type: 'linux', start: 2 * MiB, size: MiB }), 'EINVAL')).toMatch(/overlaps/);
    expect(await causeOf(() => addPartition(device, { type: 'linux', inside: 's1' }), 'EINVAL')).toMatch(/holds no table/);
    expect((await failure(() => removePartition(device, 's2'), 'ENXIO')).message).toMatch(/no partition 's2' in .*: s1$/);
    await failure(() => changePartitions(device, [{ remove: 's1' }, { remove: 's1' }]), 'ENXIO');
    expect(await causeOf(() => resizePartition(device, 's1', 0), 'EINVAL')).toMatch(/is empty/);
    await failure(() => removePartition(bench.device(device.path, { lock: false }), 's1'), 'EACCES');
    const small = resizePartitionSync(device, 's1', 2 * MiB);
    expect(small.size).toBe(2 * MiB);
    // More than it was, but for the sectors behind the last whole MiB.
    expect(resizePartitionSync(device, 's1', 'rest').size).toBe(63 * MiB);
    const part = bench.keep(device.driver.openSync(device.driver.registerPartitionSync(device.minor, 's1')));
    await failure(() => resizePartition(device, 's1', MiB), 'EBUSY');
    await failure(() => removePartition(device, 's1'), 'EBUSY');
    await part.close();
  });

  test('a table whose partitions are not known, or that is only read, is not changed', async () => {
    const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
    writePartitionsSync(device, { scheme: 'gpt', partitions: [{ start: MiB, size: MiB, type: 'linux' }] });
    for (const header of [512, SIZE - 512]) device.writeSync(Buffer.from([0xff]), header + 16);
    expect(readBack(device)).toMatchObject({ problems: ['both headers are damaged'], partitions: [] });
    const before = readFileSync(device.path);
    for (const partition of [{ type: 'linux' }, { type: 'linux', start: 8 * MiB, size: MiB }]) {
      expect(await causeOf(() => addPartition(device, partition), 'EINVAL')).toBe('both headers are damaged');
      expect(await causeOf(() => addPartitionSync(device, partition, { dryRun: true }), 'EINVAL')).toBe('both headers are damaged');
    }
    expect(readFileSync(device.path).equals(before)).toBe(true);
    const loop = bench.device(bench.sparse(SIZE), { mode: 'r+' });
    loop.writeSync(Buffer.from('GNU Parted Loopback 0'), 0);
    expect(await causeOf(() => addPartition(loop, { type: 'linux' }), 'EINVAL')).toMatch(/only read/);
  });

  test('arguments', async () => {
    const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
    writePartitionsSync(device, { scheme: 'gpt', partitions: [] });
    const wrong: [unknown, string][] = [
      [undefined, 'ERR_INVALID_ARG_TYPE'],
      [Array(1), 'ERR_INVALID_ARG_TYPE'],
      [[{}], 'ERR_INVALID_ARG_VALUE'],
      [[{ remove: 'p1', resize: 'p2', size: 1 }], 'ERR_INVALID_ARG_VALUE'],
      [[{ remove: true }], 'ERR_INVALID_ARG_TYPE'],
      [[{ resize: 'p1' }], 'ERR_INVALID_ARG_TYPE'],
      [[{ resize: 'p1', size: 'all' }], 'ERR_INVALID_ARG_VALUE'],
      [[{ add: { size: MiB } }], 'ERR_INVALID_ARG_TYPE'],
      [[{ add: { type: 'linux', sise: MiB } }], 'ERR_INVALID_ARG_VALUE'],
      [[{ add: { type: 'linus', size: MiB } }], 'ERR_INVALID_ARG_VALUE'],
      [[{ add: { type: 'linux', start: -1 } }], 'ERR_OUT_OF_RANGE'],
      [[{ add: { type: 'linux' }, size: MiB }], 'ERR_INVALID_ARG_VALUE'],
      [[{ remove: 'p1', dryRun: true }], 'ERR_INVALID_ARG_VALUE'],
      [[{ resize: 'p1', size: MiB, start: 0 }], 'ERR_INVALID_ARG_VALUE'],
      [[{ add: { type: 'linux', bootable: true } }], 'ERR_INVALID_ARG_VALUE'],
    ];
    for (const [changes, code] of wrong) {
      expect([changes, await refusal(() => changePartitions(device, changes as never))]).toEqual([changes, code]);
      expect([changes, await refusal(() => changePartitionsSync(device, changes as never))]).toEqual([changes, code]);
    }
    expect(await refusal(() => addPartition(device, { type: 'linux' }, { alignment: 3 }))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await refusal(() => addPartition(device, { type: 'linux' }, { dryrun: true } as never))).toBe('ERR_INVALID_ARG_VALUE');
    expect(await changePartitions(device, [])).toEqual(readBack(device));
  });
});

testWith(
  SFDISK,
  PARTED,
  SGDISK,
)('12: what parted divided, changed at random: the other partitions and the judges agree', () => {
  for (let seed = 1; seed <= 6; seed += 1) {
    const file = bench.sparse(SIZE);
    parted(file, `mklabel ${seed % 2 ? 'gpt' : 'msdos'} mkpart ${seed % 2 ? 'x' : 'primary'} 3MiB 7MiB`);
    const device = bench.device(file, { mode: 'r+' });
    let state = seed * 0x9e3779b1;
    const draw = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let step = 0; step < 12; step += 1) {
      const table = readBack(device);
      const names = table.partitions.map(({ name }) => name);
      const change = draw(3);
      const name = names[draw(names.length)];
      if (change === 0 && names.length > 1) removePartitionSync(device, name!);
      else if (change === 1 && name !== undefined) resizePartitionSync(device, name, draw(2) ? 'rest' : MiB);
      else if (freeRanges(table).length > 0 && names.length < 4) addPartitionSync(device, { type: 'linux', size: draw(2) ? MiB : 'rest' });
      const now = readBack(device);
      expect(now.problems).toEqual([]);
      expect(inMiB(sfdiskRows(file))).toEqual(inMiB(now.partitions));
      // What was not named is as it was.
      for (const entry of table.partitions) {
        const after = now.partitions.find((each) => each.name === entry.name);
        if (entry.name !== name && after !== undefined) expect(after).toEqual(entry);
      }
    }
    expect(run('sfdisk', '--verify', file)).toMatch(/No errors detected/);
    if (seed % 2) expect(run('sgdisk', '--verify', file)).toMatch(/No problems found/);
    run('parted', '-s', file, 'print');
  }
});
