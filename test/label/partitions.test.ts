// Tables of real tools, read; and partitions as devices of their own.
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import {
  type BlockDevice,
  type PartitionEntry,
  type PartitionTable,
  decodeDiskLabel,
  findDiskLabel,
  findDiskLabelSync,
  readPartitions,
  readPartitionsSync,
} from 'rumpblk';
import {
  FDISK,
  ICAT,
  MAKEFS,
  MMLS,
  PARTED,
  PARTX,
  SFDISK,
  SGDISK,
  fdisk,
  mmlsRows,
  nestedLabel,
  parted,
  partxRows,
  sfdisk,
  sfdiskRows,
} from '../support/disks';
import { failure, refusal } from '../support/failure';
import { run, runRaw, testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * MiB;

/** Every entry of a tree, in the order of its tables. */
function entries(table: PartitionTable | undefined): PartitionEntry[] {
  return (table?.partitions ?? []).flatMap((entry) => [entry, ...entries(entry.table)]);
}
function places(table: PartitionTable | undefined): Record<string, [number, number]> {
  return Object.fromEntries(entries(table).map(({ name, start, size }) => [name, [start / 512, size / 512]]));
}
/** The tree, read both ways. */
async function tableOf(device: BlockDevice): Promise<PartitionTable | undefined> {
  const table = await readPartitions(device);
  expect(readPartitionsSync(device)).toEqual(table);
  return table;
}

describe('tables of real tools', () => {
  testWith(SFDISK, PARTX)('an MBR of sfdisk with logical partitions', async () => {
    const file = bench.sparse(SIZE);
    sfdisk(
      file,
      'label: dos',
      'label-id: 0x12345678',
      'start=2048,size=16384,type=a9',
      'start=20480,size=16384,type=83,bootable',
      'start=40960,type=5',
      'start=36864,size=4096,type=82',
      'start=43008,size=8192,type=83',
      'size=4096,type=8e',
      'size=2048,type=83',
    );
    const table = await tableOf(bench.device(file));
    expect(table).toMatchObject({ scheme: 'mbr', position: 0, sectorSize: 512, id: '0x12345678', problems: [] });
    expect(entries(table).map(({ name }) => name)).toEqual(['s1', 's2', 's3', 's5', 's6', 's7', 's4']);
    const byNumber = (a: PartitionEntry, b: PartitionEntry): number => Number(a.name.slice(1)) - Number(b.name.slice(1));
    const mine = entries(table).sort(byNumber);
    const theirs = sfdiskRows(file);
    expect(mine.map(({ start, size, type }) => ({ start, size, type }))).toEqual(
      theirs.map(({ start, size, type }) => ({ start, size, type: parseInt(type, 16) })),
    );
    expect(mine.map(({ start, size }) => ({ start, size }))).toEqual(partxRows(file));
    expect(mine[1]).toMatchObject({ bootable: true, typeName: 'Linux', index: 1 });
    expect(mine[2]?.table).toMatchObject({ scheme: 'ebr', position: 40960 * 512, problems: [] });
  });

  testWith(SGDISK, SFDISK)('a GPT of sgdisk', async () => {
    const file = bench.sparse(SIZE);
    run('sgdisk', '-n', '1:2048:+8M', '-t', '1:ef00', '-c', '1:EFI \u00e9', '-n', '5:40960:+4M', '-A', '5:set:63', file);
    const table = await tableOf(bench.device(file));
    expect(table).toMatchObject({ scheme: 'gpt', position: 512, sectorSize: 512, problems: [] });
    const theirs = sfdiskRows(file);
    expect(entries(table).map(({ start, size, type, uuid, label }) => ({ start, size, type, uuid, label }))).toEqual(
      theirs.map(({ start, size, type, uuid, name }) => ({ start, size, type, uuid, label: name ?? '' })),
    );
    expect(entries(table).map(({ name, index, typeName }) => [name, index, typeName])).toEqual([
      ['p1', 0, 'EFI System'],
      ['p5', 4, 'Linux filesystem'],
    ]);
    expect(entries(table)[1]?.attributes).toBe(1n << 63n);
  });

  testWith(PARTED)('a GPT of parted', async () => {
    const file = bench.sparse(SIZE);
    parted(file, 'mklabel gpt mkpart root ext4 2048s 30719s');
    const table = await tableOf(bench.device(file));
    expect(places(table)).toEqual({ p1: [2048, 28672] });
    expect(table?.problems).toEqual([]);
    expect(entries(table)[0]?.label).toBe('root');
  });

  testWith(SGDISK)('a GPT whose primary header is damaged: the backup, and a problem that says so', async () => {
    const file = bench.sparse(SIZE);
    run('sgdisk', '-n', '1:2048:+8M', file);
    const device = bench.device(file, { mode: 'r+' });
    device.writeSync(Buffer.from('oops'), 512);
    const table = await tableOf(device);
    expect(table?.problems).toEqual(['the primary header is damaged, the backup is used']);
    expect(table?.position).toBe(SIZE - 512);
    expect(places(table)).toEqual({ p1: [2048, 16384] });
  });

  testWith(PARTED, PARTX)('the label of parted, at byte 64: shown, and not taken for its checksum', async () => {
    const file = bench.sparse(SIZE);
    parted(file, 'mklabel bsd mkpart 2048s 65535s');
    const device = bench.device(file);
    const table = await tableOf(device);
    expect(table).toMatchObject({ scheme: 'bsd', position: 64 });
    expect(table?.problems).toEqual([expect.stringMatching(/^bad checksum/)]);
    expect(entries(table).map(({ start, size }) => ({ start, size }))).toEqual(partxRows(file));
    expect(await findDiskLabel(device)).toBeUndefined();
    expect(decodeDiskLabel(readFileSync(file), { offset: 64 }).problem).toMatch(/checksum/);
    expect(device.ioctl('DIOCGDINFO').typename).toBe('rumpd');
  });

  for (const [type, name] of [
    ['a5', 'FreeBSD'],
    ['a6', 'OpenBSD'],
    ['a9', 'NetBSD'],
  ] as const) {
    testWith(
      SFDISK,
      FDISK,
      PARTX,
      MMLS,
    )(`the label of fdisk in a ${name} slice`, async () => {
      const file = bench.sparse(SIZE);
      nestedLabel(file, type);
      const device = bench.device(file);
      const table = await tableOf(device);
      expect(places(table)).toEqual({ s1: [2048, 65536], s1a: [4096, 16384], s1c: [2048, 65536] });
      expect(table?.partitions[0]).toMatchObject({ typeName: name, table: { scheme: 'bsd', position: 2049 * 512, problems: [] } });
      const found = await findDiskLabel(device);
      expect(found).toEqual(findDiskLabelSync(device));
      expect(found).toMatchObject({ byteOrder: 'little', position: 2049 * 512 });
      expect(device.ioctl('DIOCGDINFO')).toEqual(found?.label);
      expect(device.ioctl('DIOCGDEFLABEL')).toMatchObject({ typename: 'rumpd', partitions: [{ size: SIZE / 512 }] });
      expect(device.ioctl('DIOCGPART')).toMatchObject({ offset: 4096, size: 16384, fstype: 7 });
      const rows = entries(table?.partitions[0]?.table).map(({ start, size }) => ({ start, size }));
      const byStart = (list: { start: number; size: number }[]): object[] => list.sort((a, b) => a.start - b.start);
      expect(byStart(mmlsRows(file, '-t', 'bsd', '-o', '2048'))).toEqual(byStart(rows));
    });
  }
});

test('a device without a table has none, and a file system over all of it is none', async () => {
  expect(await tableOf(bench.device(bench.sparse(SIZE)))).toBeUndefined();
  expect(await tableOf(bench.device(bench.sparse(0)))).toBeUndefined();
  expect(await tableOf(bench.device(bench.image(pattern(700))))).toBeUndefined();
  const device = bench.device(bench.sparse(SIZE));
  expect(await findDiskLabel(device)).toBeUndefined();
});

test('reading tables is reading: a fault is an error, a closed device EBADF, a foreign object a TypeError', async () => {
  const device = bench.device(bench.sparse(SIZE));
  device.driver.faults.set({ rate: 10000, seed: 1 });
  for (const read of [readPartitions, readPartitionsSync, findDiskLabel, findDiskLabelSync]) {
    expect(await failure(() => read(device), 'EIO')).toMatchObject({ path: device.path, minor: 0, injected: true });
    expect(await refusal(() => read({} as never))).toBe('ERR_INVALID_ARG_TYPE');
  }
  device.closeSync();
  for (const read of [readPartitions, readPartitionsSync, findDiskLabel, findDiskLabelSync]) await failure(() => read(device), 'EBADF');
});

describe('partitions as devices', () => {
  function divided(): string {
    const file = bench.image(pattern(SIZE));
    writeFileSync(file, Buffer.alloc(4 * MiB), { flag: 'r+' });
    nestedLabel(file);
    return file;
  }

  testWith(SFDISK, FDISK)('reach what is theirs, and nothing else', async () => {
    const file = divided();
    const before = readFileSync(file);
    const driver = bench.driver();
    const disk = await driver.register(file);
    const minor = await driver.registerPartition(disk, 's1a');
    expect(driver.registerPartitionSync(disk, 's1a')).toBe(minor);
    expect(driver.minors()[minor]).toMatchObject({ offset: 4096 * 512, size: 16384 * 512, disk, partition: 's1a' });
    const device = bench.keep(await driver.open(minor, { mode: 'r+' }));
    expect(device.size).toBe(8 * MiB);
    const bytes = Buffer.alloc(8 * MiB + 512);
    expect((await device.read(bytes, 0)).bytesRead).toBe(8 * MiB);
    expect(bytes.subarray(0, 8 * MiB).equals(before.subarray(2 * MiB, 10 * MiB))).toBe(true);
    expect(device.writeSync(Buffer.alloc(1024, 0xee), 8 * MiB - 512)).toBe(512);
    await failure(() => device.writeSync(Buffer.alloc(512), 8 * MiB + 512), 'EINVAL');
    expect(device.ioctl('DIOCGPART')).toMatchObject({ offset: 4096, size: 16384, fstype: 7 });
    expect(device.ioctl('DIOCGDINFO').partitions).toHaveLength(3);
    expect(device.ioctl('DIOCGMEDIASIZE')).toBe(8 * MiB);
    await device.close();
    const after = readFileSync(file);
    before.fill(0xee, 10 * MiB - 512, 10 * MiB);
    expect(after.equals(before)).toBe(true);
  });

  testWith(SFDISK)('two of one image are open at once in different modes, and with the whole of it', async () => {
    const file = bench.sparse(SIZE);
    sfdisk(file, 'label: dos', 'start=2048,size=2048', 'start=4096,size=2048');
    const driver = bench.driver();
    const disk = driver.registerSync(file);
    const one = bench.keep(driver.openSync(driver.registerPartitionSync(disk, 's1'), { mode: 'r+' }));
    const two = bench.keep(driver.openSync(driver.registerPartitionSync(disk, 's2')));
    const whole = bench.keep(driver.openSync(disk, { mode: 'r+' }));
    one.writeSync(Buffer.from('one'), 0);
    await failure(() => two.writeSync(Buffer.from('two'), 0), 'EACCES');
    const back = Buffer.alloc(3);
    whole.readSync(back, 2048 * 512);
    expect(back.toString()).toBe('one');
    await failure(() => driver.deregister(disk), 'EBUSY');
    await failure(() => bench.driver().openSync(0), 'ENXIO');
    const other = bench.driver();
    await failure(() => other.openSync(other.registerSync(file, { offset: 2048 * 512, size: 512 })), 'EBUSY');
  });

  testWith(SGDISK)('of a GPT are found by GUID and by label', async () => {
    const file = bench.sparse(SIZE);
    run('sgdisk', '-n', '1:2048:+1M', '-c', '1:boot', '-n', '2:8192:+1M', '-c', '2:root', file);
    const driver = bench.driver();
    const disk = driver.registerSync(file);
    const device = bench.keep(driver.openSync(disk));
    const uuid = entries(readPartitionsSync(device))[1]?.uuid ?? '';
    const minor = driver.registerPartitionSync(disk, 'root');
    expect(driver.registerPartitionSync(disk, uuid)).toBe(minor);
    expect(driver.registerPartitionSync(disk, uuid.toLowerCase())).toBe(minor);
    expect(driver.registerPartitionSync(disk, 'p2')).toBe(minor);
    const part = bench.keep(driver.openSync(minor));
    expect(part.ioctl('DIOCGPART')).toMatchObject({ offset: 8192, size: 2048, fstype: 0 });
  });

  testWith(SFDISK)('that are not there, or reach out of the image, are refused', async () => {
    const file = bench.sparse(SIZE);
    sfdisk(file, 'label: dos', 'start=2048,size=2048', 'start=100000,size=31072');
    writeFileSync(file, readFileSync(file).subarray(0, 32 * MiB));
    const driver = bench.driver();
    const disk = driver.registerSync(file);
    await failure(() => driver.registerPartition(disk, 's2'), 'EINVAL');
    await failure(() => driver.registerPartition(disk, 's3'), 'ENXIO');
    await failure(() => driver.registerPartitionSync(5, 's1'), 'ENXIO');
    for (const wrong of [undefined, null, {}, true]) {
      expect(await refusal(() => driver.registerPartition(disk, wrong as never))).toBe('ERR_INVALID_ARG_TYPE');
      expect(await refusal(() => driver.registerPartitionSync(wrong === true ? -1 : (wrong as never), 's1'))).toMatch(/^ERR_/);
    }
  });

  testWith(
    SFDISK,
    FDISK,
    MAKEFS,
    ICAT,
  )('a UFS in a labelled slice, through its device, is what icat finds there', async () => {
    const file = divided();
    const tree = bench.path('tree');
    run('mkdir', '-p', `${tree}/dir`);
    writeFileSync(`${tree}/dir/large`, pattern(3 * MiB, 7));
    run('makefs', '-t', 'ffs', '-s', '8m', '-o', 'version=1', bench.path('ufs'), tree);
    const driver = bench.driver();
    const disk = driver.registerSync(file);
    const device = bench.keep(driver.openSync(driver.registerPartitionSync(disk, 's1a'), { mode: 'r+' }));
    await device.write(readFileSync(bench.path('ufs')), 0);
    await device.flush();
    const inode = /(\d+):\s+large/.exec(run('fls', '-o', '4096', '-f', 'ufs', '-r', file))?.[1] ?? '';
    const extracted = runRaw('', 'icat', '-o', '4096', '-f', 'ufs', file, inode);
    expect(extracted.equals(pattern(3 * MiB, 7))).toBe(true);
    const copy = Buffer.alloc(device.size);
    await device.read(copy, 0);
    writeFileSync(bench.path('copy'), copy);
    expect(runRaw('', 'icat', '-f', 'ufs', bench.path('copy'), inode).equals(extracted)).toBe(true);
  });
});

testWith(SFDISK, FDISK)('fdisk reads an image again after its partition was written through a device', () => {
  const file = bench.sparse(SIZE);
  nestedLabel(file);
  const driver = bench.driver();
  const device = bench.keep(driver.openSync(driver.registerPartitionSync(driver.registerSync(file), 's1a'), { mode: 'r+' }));
  device.writeSync(pattern(device.size), 0);
  device.closeSync();
  expect(sfdiskRows(file, '-Y', 'bsd').map(({ start, size }) => [start / 512, size / 512])).toEqual([
    [4096, 16384],
    [2048, 65536],
  ]);
  expect(() => {
    fdisk(file, 'v', 'q');
  }).not.toThrow();
});
