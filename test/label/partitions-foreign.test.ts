// Tables of other tools that have what ours have not: what a change of one keeps, and what it refuses.
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { type BlockDevice, type PartitionTable, readPartitionsSync, writePartitions, writePartitionsSync } from 'rumpblk';
import { LINUX, SFDISK, SGDISK, parted, PARTED, sfdisk, sfdiskRows } from '../support/disks';
import { failure } from '../support/failure';
import { run, testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 16 * MiB;

/** A device over an image that was full of something before a tool divided it. */
function divided(divide: (file: string) => void): BlockDevice {
  const file = bench.image(pattern(SIZE));
  divide(file);
  return bench.device(file, { mode: 'r+' });
}
function tableOf(device: BlockDevice): PartitionTable {
  const table = readPartitionsSync(device);
  if (table === undefined) throw new Error('no table');
  return table;
}
/** Writes the table with a change; gives the bytes that are others then. */
function touched(device: BlockDevice, change: (table: PartitionTable) => void): number[] {
  const before = readFileSync(device.path);
  const table = tableOf(device);
  change(table);
  writePartitionsSync(device, table);
  const after = readFileSync(device.path);
  const bytes: number[] = [];
  for (let sector = 0; sector < after.length; sector += 512) {
    if (before.compare(after, sector, sector + 512, sector, sector + 512) === 0) continue;
    for (let at = sector; at < sector + 512; at++) if (before[at] !== after[at]) bytes.push(at);
  }
  return bytes;
}
const sectorsOf = (bytes: readonly number[]): number[] => [...new Set(bytes.map((at) => Math.floor(at / 512)))];
async function cause(device: BlockDevice, change: (table: PartitionTable) => void): Promise<string> {
  const table = tableOf(device);
  change(table);
  const error = await failure(() => writePartitions(device, table), 'EINVAL');
  return (error.cause as Error).message;
}
const nothing = (): void => undefined;
const at = <T>(list: readonly T[], index: number): T => list[index] as T;

for (const order of ['1:2', '1:2:EE', '2']) {
  testWith(SGDISK, SFDISK)(`12.2: a hybrid MBR is shown and kept (sgdisk -h ${order})`, async () => {
    const device = divided((file) => run('sgdisk', '-n', '1:4096:8191', '-n', '2:8192:9000', '-n', '3:16384:20479', '-h', order, file));
    const { hybrid = [], problems } = tableOf(device);
    expect(problems).toEqual([]);
    expect(hybrid.filter(({ type }) => type === 0xee)).toHaveLength(1);
    expect(hybrid.find(({ start }) => start === 8192 * 512)).toMatchObject({
      size: 809 * 512,
      type: 0x83,
      typeName: 'Linux',
      bootable: false,
    });
    expect(touched(device, nothing)).toEqual([]);
    const relabelled = touched(device, ({ partitions }) => (at(partitions, 0).label = 'changed'));
    expect(sectorsOf(relabelled)).toEqual([1, 2, SIZE / 512 - 33, SIZE / 512 - 1]);
    // A partition that is in it does not grow out of its entry, but for both together.
    const grow = ({ partitions }: PartitionTable): unknown => (at(partitions, 1).size += MiB);
    expect(await cause(device, grow)).toMatch(/^entry \d of the hybrid MBR is not one of the partitions$/);
    const both = touched(device, (table) => {
      grow(table);
      for (const entry of table.hybrid ?? []) if (entry.start === 8192 * 512) entry.size += MiB;
    });
    expect(both.filter((byte) => byte < 446)).toEqual([]);
    expect(tableOf(device).problems).toEqual([]);
    expect(sfdiskRows(device.path, '--label-nested', 'dos')).toContainEqual(
      expect.objectContaining({ start: 8192 * 512, size: 809 * 512 + MiB }),
    );
    // And one that shrinks says so.
    touched(device, ({ partitions }) => (at(partitions, 1).size -= 2 * 512));
    expect(tableOf(device).problems).toEqual([expect.stringMatching(/hybrid MBR/)]);
    touched(device, (table) => (table.hybrid = []));
    expect(tableOf(device).hybrid).toBeUndefined();
    expect(run('sgdisk', '--print-mbr', device.path)).toMatch(/^\s+1\s+1\s+32767\s+primary\s+0xEE$/m);
  });
}

testWith(SFDISK, SGDISK)('12.3: a GPT with four entries, and a partition below sector 34, is written', async () => {
  const rows = ['start=3,size=122', 'start=2048,size=20480'];
  const device = divided((file) => sfdisk(file, 'label: gpt', 'table-length: 4', 'first-lba: 3', ...rows));
  expect(touched(device, nothing)).toEqual([]);
  expect(sectorsOf(touched(device, ({ partitions }) => (at(partitions, 0).label = 'x')))).toEqual([1, 2, SIZE / 512 - 2, SIZE / 512 - 1]);
  expect(sfdiskRows(device.path).map(({ start, name }) => [start / 512, name])).toEqual([
    [3, 'x'],
    [2048, undefined],
  ]);
  expect(run('sgdisk', '--verify', device.path)).toMatch(/No problems found/);
  expect(run('sgdisk', '-p', device.path)).toMatch(/holds up to 4 entries/);
  // There is no room for a fifth.
  const add = (...starts: number[]): ((table: PartitionTable) => void) => {
    return ({ partitions }) => starts.forEach((start) => partitions.push({ start: start * 512, size: 512, type: LINUX } as never));
  };
  touched(device, add(24000, 24100));
  expect(await cause(device, add(24200))).toMatch(/no room/);
});

testWith(SGDISK)('12.3: an array that was moved stays there, and comes back there', () => {
  const device = divided((file) => run('sgdisk', '-n', '1:4096:8191', '-j', '3000', file));
  expect(touched(device, nothing)).toEqual([]);
  expect(sectorsOf(touched(device, ({ partitions }) => (at(partitions, 0).label = 'x')))).toEqual([
    1,
    3000,
    SIZE / 512 - 33,
    SIZE / 512 - 1,
  ]);
  const whole = readFileSync(device.path);
  for (const damage of [512 + 40, 3000 * 512 + 60]) {
    device.writeSync(Buffer.from([0xff]), damage);
    expect(tableOf(device).problems).toEqual([expect.stringMatching(/backup is used/)]);
    writePartitionsSync(device, tableOf(device));
    expect(readFileSync(device.path).equals(whole)).toBe(true);
  }
});

const chains: [string, Parameters<typeof testWith>, (file: string) => void][] = [
  [
    'sfdisk',
    [SFDISK],
    (file) =>
      sfdisk(
        file,
        'label: dos',
        'start=2048,size=64',
        'start=4096,size=24576,type=f',
        ...[6144, 9000, 12288].map((s) => `start=${s},size=500`),
      ),
  ],
  [
    'parted',
    [PARTED],
    (file) =>
      parted(
        file,
        `mklabel msdos mkpart primary 2048s 2111s mkpart extended 4096s 28671s ${[6144, 9000, 12288].map((s) => `mkpart logical ${s}s ${s + 499}s`).join(' ')}`,
      ),
  ],
];
for (const [name, needs, divide] of chains) {
  testWith(SFDISK, ...needs)(`12.4: links of a chain stay where ${name} put them, and gaps what they are`, () => {
    const device = divided(divide);
    const chain = (table: PartitionTable): PartitionTable => at(table.partitions, 1).table as PartitionTable;
    expect(touched(device, nothing)).toEqual([]);
    expect(touched(device, ({ partitions }) => (at(partitions, 0).bootable = true))).toEqual([446]);
    expect(touched(device, (table) => (at(chain(table).partitions, 1).type = 0x82))).toHaveLength(1);
    const removed = touched(device, (table) => chain(table).partitions.splice(1, 1));
    expect(sectorsOf(removed)).toEqual([4096]);
    const added = touched(device, (table) => chain(table).partitions.push({ start: 20480 * 512, size: MiB, type: 0x83 } as never));
    // 66 bytes of a sector that was in no use, and one pointer.
    const fresh = added.filter((byte) => byte >= 12788 * 512 && byte < 12789 * 512);
    expect(fresh.every((byte) => byte % 512 >= 446)).toBe(true);
    expect(sectorsOf(added)).toHaveLength(2);
    expect(sfdiskRows(device.path).map(({ start }) => start / 512)).toEqual([2048, 4096, 6144, 12288, 20480]);
    expect(run('sfdisk', '--verify', device.path)).toMatch(/No errors detected/);
  });
}

testWith(SFDISK)('12.5: names and entries of a GPT that no tool would make are kept', () => {
  const device = divided((file) => sfdisk(file, 'label: gpt', 'start=2048,size=64,name=ab', 'start=4096,size=64'));
  touched(device, ({ partitions }) => (at(partitions, 0).label = 'a\ud800b'));
  expect(at(tableOf(device).partitions, 0).label).toBe('a\ud800b');
  expect(touched(device, nothing)).toEqual([]);
  expect(sectorsOf(touched(device, ({ partitions }) => (at(partitions, 0).attributes = 4n)))).toHaveLength(4);
  expect(at(tableOf(device).partitions, 0).label).toBe('a\ud800b');
});

testWith(SFDISK)('12.8: a flaw that was there is no reason to refuse, a new one is', async () => {
  const device = divided((file) =>
    sfdisk(file, 'label: dos', 'start=2048,size=4096', 'start=8192,size=24576,type=5', 'start=10240,size=500'),
  );
  // An extended partition that ends behind the image, and an overlap.
  device.writeSync(Buffer.from([0, 0, 1, 0]), 446 + 16 + 12);
  device.writeSync(Buffer.from([0x80, 0, 0x83, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 8, 0, 0]), 446 + 32);
  device.writeSync(Buffer.from([0x83]), 446 + 32 + 4);
  const { problems } = tableOf(device);
  expect(problems).toEqual(['s2 ends beyond the end of the device', 's3 overlaps s1']);
  expect(touched(device, nothing)).toEqual([]);
  expect(touched(device, ({ partitions }) => (at(partitions, 0).bootable = true))).toEqual([446]);
  touched(device, ({ partitions }) => (at(partitions, 2).size -= 512));
  expect(await cause(device, ({ partitions }) => (at(partitions, 2).size += 1024))).toBe('s3 overlaps s1');
  expect(await cause(device, ({ partitions }) => (at(partitions, 1).size += 512))).toBe('s2 ends beyond the end of the device');
  // One that begins behind it.
  device.writeSync(Buffer.from([0, 0, 16, 0]), 446 + 16 + 8);
  expect(touched(device, nothing)).toEqual([]);
  expect(touched(device, ({ partitions }) => (at(partitions, 0).bootable = false))).toEqual([446]);
});

testWith(SFDISK)('12.9: a GPT with 2 MiB of entries', () => {
  const device = divided((file) => sfdisk(file, 'label: gpt', 'table-length: 16384', 'start=12288,size=64'));
  expect(tableOf(device)).toMatchObject({ problems: [], partitions: [{ name: 'p1' }] });
  touched(device, ({ partitions }) => partitions.push({ index: 16383, start: 16384 * 512, size: 512, type: LINUX } as never));
  expect(sfdiskRows(device.path)).toHaveLength(2);
});

test('12.9: GPTs in sectors of 1024 and 2048 bytes in an image file', () => {
  for (const sectorSize of [1024, 2048]) {
    const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
    writePartitionsSync(device, { scheme: 'gpt', sectorSize, partitions: [{ start: MiB, size: MiB, type: LINUX }] });
    expect(tableOf(device)).toMatchObject({ sectorSize, position: sectorSize, problems: [], partitions: [{ start: MiB, size: MiB }] });
    expect(touched(device, nothing)).toEqual([]);
  }
});
