// Disks that are divided in ways that are not written here: shown for what they are, and written over only when asked.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { readPartitions, writePartitions, type BlockDevice, type PartitionTable } from 'rumpblk';
import { PARTED, PARTX, SFDISK, parted, partxRows, sfdisk, table } from '../support/disks';
import { failure } from '../support/failure';
import { BLKID, divisionOf, isKept } from '../support/overwriting';
import { type peer, testWith } from '../support/peers';
import { MiB, rig } from '../support/rig';

type Peer = ReturnType<typeof peer>;

const bench = rig();
const SIZE = 64 * MiB;
const writable = (file: string): BlockDevice => bench.device(file, { mode: 'r+' });
/** An image with these bytes at these positions. */
function crafted(...pieces: [at: number, bytes: Uint8Array | string][]): string {
  const content = Buffer.alloc(4 * MiB);
  for (const [at, bytes] of pieces) content.set(Buffer.from(bytes as string, 'latin1'), at);
  return bench.image(content);
}

describe('schemes that are read', () => {
  testWith(PARTED, PARTX)('an Apple Partition Map of parted, as libblkid lists it', async () => {
    const make = (): string => {
      const file = bench.sparse(SIZE);
      parted(file, 'mklabel mac mkpart boot hfs 2048s 4095s mkpart data hfs+ 8192s 16383s');
      return file;
    };
    const file = make();
    const found = divisionOf(file);
    expect(found).toMatchObject({ scheme: 'apm', position: 512, sectorSize: 512, problems: [] });
    expect(found?.partitions.map(({ start, size }) => ({ start, size }))).toEqual(partxRows(file));
    expect(found?.partitions.find(({ label }) => label === 'data')).toMatchObject({
      start: 8192 * 512,
      size: 8192 * 512,
      type: 'Apple_HFS',
      typeName: 'Apple_HFS',
    });
    await isKept(make, /Apple Partition Map/);
  });

  testWith(SFDISK, PARTX)('a Sun label of sfdisk, as libblkid lists it', async () => {
    const make = (): string => {
      const file = bench.sparse(SIZE);
      sfdisk(file, 'label: sun', 'start=0,size=16065,type=2', 'start=16065,size=32130,type=82', 'start=0,type=5');
      return file;
    };
    const file = make();
    const found = divisionOf(file);
    expect(found).toMatchObject({ scheme: 'sun', position: 0, sectorSize: 512 });
    expect(found?.partitions.map(({ start, size }) => ({ start, size }))).toEqual(partxRows(file));
    expect(found?.partitions.map(({ name, typeName }) => [name, typeName])).toEqual([
      ['a', 'root'],
      ['b', 'Linux swap'],
    ]);
    await isKept(make, /Sun disk label/);
  });

  testWith(PARTED)('their partitions are devices', async () => {
    const file = bench.sparse(SIZE);
    parted(file, 'mklabel mac mkpart boot hfs 2048s 4095s');
    const driver = bench.driver();
    const minor = await driver.register(file);
    const { name } = divisionOf(file)?.partitions.find(({ label }) => label === 'boot') as PartitionTable['partitions'][number];
    const device = bench.keep(await driver.open(await driver.registerPartition(minor, name), { mode: 'r+' }));
    expect(device.size).toBe(2048 * 512);
    await device.write(Buffer.from('here'), 0);
    expect(
      readFileSync(file)
        .subarray(2048 * 512, 2048 * 512 + 4)
        .toString(),
    ).toBe('here');
  });

  testWith(PARTED)('what was read is not written: they are read only', async () => {
    const file = bench.sparse(SIZE);
    parted(file, 'mklabel mac mkpart boot hfs 2048s 4095s');
    const before = readFileSync(file);
    const device = writable(file);
    const found = (await readPartitions(device)) as PartitionTable;
    const error = await failure(() => writePartitions(device, found, { overwrite: true }), 'EINVAL');
    expect((error.cause as Error).message).toMatch(/only read/);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('an Apple map that claims more than it has, or is in blocks of 2048 bytes', () => {
    const entry = (count: number, start: number, size: number): Buffer => {
      const block = Buffer.alloc(512);
      block.write('PM');
      for (const [i, number] of [count, start, size].entries()) block.writeUInt32BE(number, 4 + 4 * i);
      block.write('Apple_HFS', 48);
      return block;
    };
    const descriptor = (size: number): Buffer => Buffer.from([0x45, 0x52, size >> 8, size & 255]);
    expect(divisionOf(crafted([0, descriptor(512)], [512, entry(2 ** 32 - 1, 100, 10)]))).toMatchObject({
      scheme: 'apm',
      partitions: [{ name: 'p1', start: 51200, size: 5120 }],
      problems: [expect.stringMatching(/count of partitions/), expect.stringMatching(/cut short/)],
    });
    expect(divisionOf(crafted([0, descriptor(2048)], [2048, entry(1, 100, 10)]))).toMatchObject({
      sectorSize: 2048,
      partitions: [{ start: 204800, size: 20480 }],
      problems: [],
    });
    expect(divisionOf(crafted([0, descriptor(512)], [512, entry(1, 2 ** 32 - 1, 2 ** 32 - 1)]))?.problems).toEqual([
      'p1 ends beyond the end of the device',
    ]);
  });
});

describe('schemes that are recognised only', () => {
  const words = (bytes: Buffer): Buffer => {
    // The sum of all big-endian words becomes 0.
    let sum = 0;
    for (let at = 0; at < bytes.length; at += 4) sum = (sum + bytes.readUInt32BE(at)) >>> 0;
    bytes.writeUInt32BE(-sum >>> 0, 8);
    return bytes;
  };
  const rdb = (): Buffer => {
    const block = Buffer.alloc(512);
    block.write('RDSK');
    block.writeUInt32BE(64, 4);
    block.writeUInt32BE(31, 132);
    return words(block);
  };
  const ldm = (): [number, Uint8Array | string][] => [
    [446 + 4, Buffer.from([0x42, 0, 0, 0, 63, 0, 0, 0, 0, 16])],
    [510, '\x55\xaa'],
    [3072, 'PRIVHEAD'],
  ];
  const byParted = (name: string) => (): string => {
    const file = bench.sparse(SIZE);
    parted(file, `mklabel ${name}`);
    return file;
  };
  const all: [name: RegExp, peers: Peer[], make: () => string][] = [
    [
      /SGI/,
      [SFDISK],
      () => {
        const file = bench.sparse(SIZE);
        sfdisk(file, 'label: sgi', 'start=8192,size=8192');
        return file;
      },
    ],
    [/SGI/, [PARTED], byParted('dvh')],
    [/Amiga/, [PARTED], byParted('amiga')],
    [
      /Atari/,
      [PARTED],
      () => {
        const file = bench.sparse(SIZE);
        parted(file, 'mklabel atari mkpart primary 2048s 4095s');
        return file;
      },
    ],
    [/PC-98/, [PARTED], byParted('pc98')],
    [/loop label/, [PARTED], byParted('loop')],
    [/AIX/, [PARTED], () => crafted([0, '\xc9\xc2\xd4\xc1'])],
    [/Amiga/, [], () => crafted([3 * 512, rdb()])],
    [/DASD/, [], () => crafted([8192, '\xe5\xd6\xd3\xf1\xe5\xd6\xd3\xf1'])],
    [/disklabel64/, [], () => crafted([512, '\x59\x4c\x46\xc4'])],
    [/LDM/, [], () => crafted(...ldm())],
    [/NeXT/, [], () => crafted([0, 'NeXT'])],
  ];
  for (const [name, peers, make] of all) {
    testWith(...peers, BLKID)(`${name.source}: 'unknown', with its name, and not written over unasked`, async () => {
      const found = divisionOf(make());
      expect(found).toMatchObject({ scheme: 'unknown', partitions: [] });
      expect(found?.problems).toHaveLength(1);
      expect(found?.problems[0]).toMatch(name);
      await isKept(make, name);
    });
  }

  testWith(SFDISK)('a disklabel64 in a slice is a table of its own, and stays when the MBR around it is written', async () => {
    const file = bench.sparse(SIZE);
    sfdisk(file, 'label: dos', 'start=2048,size=40960,type=6c', 'start=43008,size=40960,type=a5');
    const device = writable(file);
    for (const slice of [2048, 43008]) await device.write(Buffer.from('594c46c4', 'hex'), (slice + 1) * 512);
    const before = readFileSync(file);
    const found = (await readPartitions(device)) as PartitionTable;
    for (const { table: inner } of found.partitions) {
      expect(inner).toMatchObject({ scheme: 'unknown', problems: [expect.stringMatching(/disklabel64/)] });
    }
    await writePartitions(device, found);
    expect(readFileSync(file).equals(before)).toBe(true);

    const [, slice] = found.partitions as [unknown, PartitionTable['partitions'][number]];
    slice.table = table('bsd', [0, 45056, 2048, 7]);
    const error = await failure(() => writePartitions(device, found), 'EINVAL');
    expect((error.cause as Error).message).toMatch(/disklabel64/);
    await writePartitions(device, found, { overwrite: true });
    expect((await readPartitions(device))?.partitions[1]?.table).toMatchObject({ scheme: 'bsd', problems: [] });
  });

  test('DIOCWDINFO writes no label over them', async () => {
    for (const make of [(): string => crafted([0, 'NeXT']), (): string => crafted([512, '\x59\x4c\x46\xc4'])]) {
      const file = make();
      const before = readFileSync(file);
      const device = writable(file);
      await failure(() => device.ioctl('DIOCWDINFO', device.ioctl('DIOCGDINFO')), 'EINVAL');
      expect(readFileSync(file).equals(before)).toBe(true);
    }
  });
});
