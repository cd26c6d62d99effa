// Tables that are written: by value, and as real tools read them.
import { readFileSync, truncateSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import {
  type BlockDevice,
  type PartitionTable,
  findDiskLabelSync,
  readPartitionsSync,
  writePartitions,
  writePartitionsSync,
} from 'rumpblk';
import {
  FDISK,
  MMLS,
  PARTED,
  PARTX,
  SFDISK,
  SGDISK,
  LINUX,
  mmlsRows,
  nestedLabel,
  parted,
  partxRows,
  sfdisk,
  sfdiskRows,
  table,
} from '../support/disks';
import { run, testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * MiB;

function writable(file = bench.sparse(SIZE)): BlockDevice {
  return bench.device(file, { mode: 'r+' });
}
function readBack(device: BlockDevice): PartitionTable {
  const read = readPartitionsSync(device);
  if (read === undefined) throw new Error('no table');
  return read;
}
const sectors = (rows: { start: number; size: number }[]): number[][] => rows.map(({ start, size }) => [start / 512, size / 512]);

describe('what a tool made, read and written again, stays byte for byte', () => {
  const makers: [string, Parameters<typeof testWith>, (file: string) => void][] = [
    [
      'an MBR of sfdisk with a chain',
      [SFDISK],
      (file) => sfdisk(file, 'label: dos', 'size=8M,bootable', 'size=8M,type=5', 'size=8M', 'size=2M', 'size=1M,type=82', 'size=2M'),
    ],
    [
      'an MBR of parted',
      [PARTED],
      (file) => parted(file, 'mklabel msdos mkpart primary 1MiB 5MiB mkpart extended 8MiB 60MiB mkpart logical 9MiB 12MiB'),
    ],
    ['a GPT of sfdisk', [SFDISK], (file) => sfdisk(file, 'label: gpt', 'size=8M,name=one', 'size=8M,attrs=RequiredPartition')],
    ['a GPT of sgdisk', [SGDISK], (file) => run('sgdisk', '-n', '3:0:+8M', '-c', '3:three', file)],
    ['a GPT of parted', [PARTED], (file) => parted(file, 'mklabel gpt mkpart x 1MiB 9MiB')],
    ['a label of fdisk in a slice', [SFDISK, FDISK], nestedLabel],
  ];
  for (const [what, needs, make] of makers) {
    testWith(...needs)(what, async () => {
      const file = bench.sparse(SIZE);
      make(file);
      const before = readFileSync(file);
      const device = writable(file);
      const read = readBack(device);
      expect(read.problems).toEqual([]);
      await writePartitions(device, read);
      const after = readFileSync(file);
      const differ = [...Array(SIZE / 512).keys()].filter(
        (i) => !after.subarray(i * 512, i * 512 + 512).equals(before.subarray(i * 512, i * 512 + 512)),
      );
      expect(differ).toEqual([]);
    });
  }
});

describe('what we make is what tools read', () => {
  testWith(
    SFDISK,
    PARTX,
    MMLS,
  )('an MBR with a chain, and a label in a slice', () => {
    const device = writable();
    const whole = table('mbr', [0, 2048, 2048, 0x83], [1, 8192, 16384, 0xa9], [2, 40960, 81920, 0x05]);
    whole.id = '0xCAFE0001';
    Object.assign(whole.partitions[0] as object, { bootable: true });
    Object.assign(whole.partitions[1] as object, { table: table('bsd', [0, 8256, 1000, 7], [1, 10000, 500, 1]) });
    Object.assign(whole.partitions[2] as object, {
      table: table('ebr', [0, 43008, 2048, 0x83], [1, 49152, 4096, 0x82], [2, 47104, 1024, 0x83]),
    });
    writePartitionsSync(device, whole);
    const read = readBack(device);
    expect(read).toMatchObject({ scheme: 'mbr', id: '0xcafe0001', problems: [] });
    expect(read.partitions[2]?.table?.partitions.map(({ name, start }) => [name, start / 512])).toEqual([
      ['s5', 43008],
      ['s6', 49152],
      ['s7', 47104],
    ]);
    expect(sectors(sfdiskRows(device.path))).toEqual([
      [2048, 2048],
      [8192, 16384],
      [40960, 81920],
      [43008, 2048],
      [49152, 4096],
      [47104, 1024],
    ]);
    expect(run('sfdisk', '--dump', device.path)).toMatch(/label-id: 0xcafe0001[^]*bootable/);
    expect(run('sfdisk', '--verify', device.path)).toMatch(/No errors detected/);
    expect(partxRows(device.path)).toEqual(expect.arrayContaining([{ start: 8256 * 512, size: 1000 * 512 }]));
    expect(sectors(mmlsRows(device.path, '-t', 'bsd', '-o', '8192'))).toEqual([
      [8256, 1000],
      [10000, 500],
    ]);
  });

  testWith(
    SGDISK,
    SFDISK,
    PARTX,
  )('a GPT, with what sgdisk has to say of it', async () => {
    const device = writable();
    const uuid = '01234567-89AB-CDEF-0123-456789ABCDEF';
    const gpt = table('gpt', [0, 2048, 2048, LINUX], [6, 4096, 100, LINUX.toLowerCase()]);
    Object.assign(gpt.partitions[1] as object, { uuid, label: 'r\u00f6\u00f6t \u{1f4be}', attributes: (1n << 63n) | 5n });
    await writePartitions(device, gpt);
    const read = readBack(device);
    expect(read).toMatchObject({ scheme: 'gpt', problems: [] });
    expect(read.partitions[1]).toMatchObject({
      name: 'p7',
      uuid,
      label: 'r\u00f6\u00f6t \u{1f4be}',
      attributes: (1n << 63n) | 5n,
      type: LINUX,
    });
    expect(read.id).toMatch(/^[0-9A-F-]{36}$/);
    expect(run('sgdisk', '--verify', device.path)).toMatch(/No problems found/);
    expect(sfdiskRows(device.path).map(({ uuid: id, name }) => [id, name])[1]).toEqual([uuid, 'r\u00f6\u00f6t \u{1f4be}']);
    expect(sectors(partxRows(device.path))).toEqual([
      [2048, 2048],
      [4096, 100],
    ]);
  });

  testWith(
    SFDISK,
    PARTX,
    MMLS,
  )('a label of the whole disk, over an MBR and a GPT that were there', () => {
    for (const before of [table('mbr', [0, 2048, 2048, 0x83]), table('gpt', [0, 2048, 2048, LINUX])]) {
      for (const position of [512, 64, 128]) {
        const device = writable();
        writePartitionsSync(device, before);
        writePartitionsSync(device, { ...table('bsd', [0, 2048, 4096, 7], [3, 0, SIZE / 512, 0]), position });
        expect(readBack(device)).toMatchObject({ scheme: 'bsd', position, problems: [] });
        expect(device.ioctl('DIOCGPART', 0)).toMatchObject({ offset: 2048, size: 4096 });
        if (position !== 512) continue;
        expect(partxRows(device.path)).toEqual(expect.arrayContaining([{ start: 2048 * 512, size: 4096 * 512 }]));
        expect(mmlsRows(device.path, '-t', 'bsd')).toEqual(expect.arrayContaining([{ start: 2048 * 512, size: 4096 * 512 }]));
      }
    }
  });

  const at = (position: number, sectorSize = 512): PartitionTable => ({ ...table('bsd', [0, 16, 64, 7]), position, sectorSize });
  const kinds: [string, PartitionTable][] = [
    ['a GPT', table('gpt', [0, 2048, 2048, LINUX])],
    ['a GPT with sectors of 4096 bytes', { ...table('gpt', [0, 2048, 2048, LINUX]), sectorSize: 4096 }],
    ['an MBR', table('mbr', [1, 2048, 2048, 0x83])],
    ['an empty MBR', table('mbr')],
    ['a label in sector 1', at(512)],
    ['a label at byte 64', at(64)],
    ['a label at byte 128', at(128)],
    ['a label with sectors of 4096 bytes in sector 1', at(4096, 4096)],
  ];
  for (const [name, first] of kinds) {
    test(`any scheme over ${name} is the one that is read then, and so is its label; boot code stays`, () => {
      for (const [other, second] of kinds) {
        const file = bench.image(pattern(MiB));
        truncateSync(file, SIZE);
        const device = writable(file);
        const inSector0 = [first, second].some(({ scheme, position }) => scheme === 'bsd' && position < 512);
        const code = pattern(MiB).subarray(0, inSector0 ? 64 : 440);
        writePartitionsSync(device, first);
        writePartitionsSync(device, second);
        const read = readBack(device);
        expect([other, read]).toMatchObject([other, { scheme: second.scheme, problems: [] }]);
        expect(sectors(read.partitions)).toEqual(sectors(second.partitions));
        if (second.scheme === 'bsd') expect([other, read.position]).toEqual([other, second.position]);
        expect([other, findDiskLabelSync(device)?.position]).toEqual([other, second.scheme === 'bsd' ? second.position : undefined]);
        const kept = Buffer.alloc(code.length);
        device.readSync(kept, 0);
        expect(kept.equals(code)).toBe(true);
      }
    });
  }

  testWith(SFDISK)('a table of the least that says what it is: the device, and the first free index, are the rest', () => {
    const device = writable();
    writePartitionsSync(device, { scheme: 'gpt', partitions: [{ start: MiB, size: MiB, type: LINUX }] });
    expect(readBack(device)).toMatchObject({ position: 512, sectorSize: 512, problems: [], partitions: [{ name: 'p1', label: '' }] });
    const read = readBack(device);
    const more = { start: 4 * MiB, size: MiB, type: LINUX };
    writePartitionsSync(device, { ...read, partitions: [more, { ...more, index: 1, start: 8 * MiB }, ...read.partitions] });
    expect(readBack(device).partitions.map(({ name, start }) => [name, start / MiB])).toEqual([
      ['p1', 1],
      ['p2', 8],
      ['p3', 4],
    ]);
    const label = { scheme: 'bsd' as const, partitions: [{ start: 9 * MiB, size: MiB, type: 7 }] };
    writePartitionsSync(device, {
      scheme: 'mbr',
      partitions: [
        { start: 8 * MiB, size: 8 * MiB, type: 0xa9, table: label },
        { start: 16 * MiB, size: 8 * MiB, type: 0x0f },
      ],
    });
    expect(sectors(sfdiskRows(device.path, '-Y', 'bsd'))).toEqual([[18432, 2048]]);
    expect(readBack(device).partitions.map(({ table: inside }) => inside?.problems)).toEqual([[], []]);
    writePartitionsSync(device, label);
    expect(readBack(device)).toMatchObject({ scheme: 'bsd', position: 512 });
  });

  test('sectors of 4096 bytes', () => {
    const device = writable();
    const gpt = table('gpt', [0, 2048, 2048, LINUX]);
    gpt.sectorSize = 4096;
    writePartitionsSync(device, gpt);
    expect(readBack(device)).toMatchObject({ scheme: 'gpt', position: 4096, sectorSize: 4096, problems: [] });
    expect(sectors(readBack(device).partitions)).toEqual([[2048, 2048]]);
  });
});

testWith(SGDISK)('a GPT is repaired by writing what was read', async () => {
  const file = bench.sparse(SIZE);
  run('sgdisk', '-n', '1:2048:+8M', '-c', '1:kept', file);
  const whole = readFileSync(file);
  for (const damage of [512, 1024, SIZE - 512, SIZE - 1024]) {
    const device = writable(bench.image(whole));
    device.writeSync(pattern(100), damage);
    if (damage === 512) expect(run('sgdisk', '--verify', device.path)).toMatch(/corrupt GPT/);
    const read = readBack(device);
    expect(read.problems).toEqual([expect.stringMatching(/damaged/)]);
    await writePartitions(device, read);
    expect(readBack(device).problems).toEqual([]);
    expect(readFileSync(device.path).equals(whole)).toBe(true);
  }
  truncateSync(file, SIZE + 16 * MiB);
  const grown = writable(file);
  expect(readBack(grown).problems).toEqual([expect.stringMatching(/not in the last one/)]);
  writePartitionsSync(grown, readBack(grown));
  expect(run('sgdisk', '--verify', file)).toMatch(/No problems found/);
});
