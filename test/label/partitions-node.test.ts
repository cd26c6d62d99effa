// Tables on block nodes whose sectors have 4096 bytes: ours as real tools read them, theirs as we do.
import { expect } from '@jest/globals';
import {
  type BlockDevice,
  type PartitionTable,
  findDiskLabelSync,
  readPartitionsSync,
  writePartitions,
  writePartitionsSync,
} from 'rumpblk';
import { label } from '../support/disklabel';
import { FDISK, LINUX, PARTX, SFDISK, SGDISK, fdisk, partxRows, sfdisk, sfdiskRows } from '../support/disks';
import { loops } from '../support/loop';
import { run, testWith } from '../support/peers';
import { MiB, rig } from '../support/rig';

const bench = rig();
const { attach, needs } = loops(bench);
const SIZE = 64 * MiB;

/** A node with such sectors, and a device of it. */
function node(): { path: string; open: () => BlockDevice } {
  const path = attach(bench.sparse(SIZE), '-b', '4096');
  return { path, open: () => bench.device(path, { mode: 'r+', lock: false }) };
}
const inMiB = (rows: { start: number; size: number }[]): number[][] => rows.map(({ start, size }) => [start / MiB, size / MiB]);
const flat = (table: PartitionTable | undefined): Record<string, number[]> =>
  Object.fromEntries(
    (table?.partitions ?? []).flatMap(({ name, start, size, table: inside }) => [
      [name, [start / MiB, size / MiB]],
      ...Object.entries(flat(inside)),
    ]),
  );

testWith(
  ...needs,
  SFDISK,
  FDISK,
)('an MBR of sfdisk with a chain, and the label of fdisk in a slice', () => {
  const { path, open } = node();
  sfdisk(path, 'label: dos', 'start=256,size=4096,type=a9', 'start=5120,size=4096,type=5', 'start=5376,size=256,type=83');
  fdisk(path, 'b', 'y', 'd', 'd', 'n', 'a', '512', '+255', 't', 'a', '7', 'w', 'q');
  const device = open();
  const table = readPartitionsSync(device);
  expect(table).toMatchObject({ scheme: 'mbr', sectorSize: 4096, problems: [] });
  expect(flat(table)).toEqual({ s1: [1, 16], s1a: [2, 1], s1c: [1, 16], s2: [20, 16], s5: [21, 1] });
  expect(findDiskLabelSync(device)).toMatchObject({ position: MiB + 512, label: { secsize: 512 } });
  const found = device.ioctl('DIOCGDINFO');
  found.partitions[1] = { offset: 1024, size: 256, fstype: 7, fsize: 0, frag: 0, cpg: 0 };
  device.ioctl('DIOCWDINFO', found);
  device.closeSync();
  expect(inMiB(sfdiskRows(path, '-Y', 'bsd'))).toEqual([
    [2, 1],
    [4, 1],
    [1, 16],
  ]);
});

testWith(
  ...needs,
  SFDISK,
  PARTX,
)('an MBR of ours, with a chain and a label, counts in the sectors of the node', () => {
  const { path, open } = node();
  const device = open();
  writePartitionsSync(device, {
    scheme: 'mbr',
    partitions: [
      { start: MiB, size: 16 * MiB, type: 0xa9, table: { scheme: 'bsd', partitions: [{ start: 2 * MiB, size: MiB, type: 7 }] } },
      { start: 20 * MiB, size: 16 * MiB, type: 5, table: { scheme: 'ebr', partitions: [{ start: 21 * MiB, size: MiB, type: 0x83 }] } },
    ],
  });
  expect(flat(readPartitionsSync(device))).toEqual({ s1: [1, 16], s1a: [2, 1], s2: [20, 16], s5: [21, 1] });
  device.closeSync();
  expect(inMiB(sfdiskRows(path))).toEqual([
    [1, 16],
    [20, 16],
    [21, 1],
  ]);
  expect(inMiB(sfdiskRows(path, '-Y', 'bsd'))).toEqual([[2, 1]]);
  expect(inMiB(partxRows(path))).toEqual(
    expect.arrayContaining([
      [1, 16],
      [21, 1],
    ]),
  );
});

testWith(
  ...needs,
  SGDISK,
  SFDISK,
)('a GPT: theirs, ours, and theirs repaired by us', async () => {
  const { path, open } = node();
  run('sgdisk', '-n', '1:512:+4M', '-c', '1:theirs', path);
  let device = open();
  expect(readPartitionsSync(device)).toMatchObject({ sectorSize: 4096, position: 4096, problems: [], partitions: [{ label: 'theirs' }] });
  device.writeSync(Buffer.alloc(4096, 1), 4096);
  const read = readPartitionsSync(device);
  if (read === undefined) throw new Error('no table');
  await writePartitions(device, read);
  device.closeSync();
  expect(run('sgdisk', '--verify', path)).toMatch(/No problems found/);
  device = open();
  writePartitionsSync(device, { scheme: 'gpt', partitions: [{ start: 8 * MiB, size: MiB, type: LINUX, label: 'ours' }] });
  device.closeSync();
  expect(run('sgdisk', '--verify', path)).toMatch(/No problems found/);
  expect(sfdiskRows(path).map(({ start, size, name }) => [start / MiB, size / MiB, name])).toEqual([[8, 1, 'ours']]);
});

testWith(...needs, SFDISK)('a bare label lies where sfdisk looks, and a table in other sectors is refused', () => {
  const { path, open } = node();
  const device = open();
  device.ioctl('DIOCWDINFO', { ...label({ offset: 256, size: 256, fstype: 7 }), secsize: 4096, secperunit: SIZE / 4096 });
  expect(readPartitionsSync(device)).toMatchObject({ scheme: 'bsd', position: 512, sectorSize: 4096, problems: [] });
  const mbr = { scheme: 'mbr' as const, sectorSize: 512, partitions: [] };
  expect(() => {
    writePartitionsSync(device, mbr);
  }).toThrow(
    expect.objectContaining({
      code: 'EINVAL',
      cause: new Error('counts in sectors of 512 bytes, with which nobody would read it on this device'),
    }),
  );
  device.closeSync();
  expect(inMiB(sfdiskRows(path))).toEqual([[1, 1]]);
});
