// Labels as OpenBSD makes them since it counts in 48 bits.
import { describe, expect, test } from '@jest/globals';
import {
  decodeDiskLabel,
  encodeDiskLabel,
  readPartitionsSync,
  writePartitionsSync,
  type BlockDevice,
  type DiskLabel,
  type PartitionEntry,
  type PartitionTable,
} from 'rumpblk';
import { label } from '../support/disklabel';
import { SFDISK, sfdisk } from '../support/disks';
import { thrownBy } from '../support/failure';
import { testWith } from '../support/peers';
import { MiB, TiB, rig } from '../support/rig';

const bench = rig();
const MAGIC = 0x82564557;
type Part = [size: number, offset: number, fstype: number, fragblock?: number];

/** A label as OpenBSD writes it since it counts in 48 bits: version 1, with 16 partitions, these first. */
function openbsd(parts: Part[], { sectors = 2 ** 33, big = false, bounds = [0, sectors] as [number, number] } = {}): Buffer {
  const bytes = Buffer.alloc(404);
  const u16 = (value: number, at: number): number => (big ? bytes.writeUInt16BE(value, at) : bytes.writeUInt16LE(value, at));
  const u32 = (value: number, at: number): number => (big ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at));
  const split = (value: number, low: number, high: number): void => {
    u32(value % 2 ** 32, low);
    u16(Math.floor(value / 2 ** 32), high);
  };
  for (const [at, value] of [
    [0, MAGIC],
    [40, 512],
    [44, 63],
    [48, 255],
    [52, 1],
    [56, 16065],
    [132, MAGIC],
  ] as const)
    u32(value, at);
  bytes.set([1, 2, 3, 4, 5, 6, 7, 0xab], 64);
  split(sectors, 60, 112);
  split(bounds[0], 80, 76);
  split(bounds[1], 84, 78);
  u16(1, 114);
  u16(16, 138);
  for (const [i, [size, offset, fstype, fragblock = 0]] of parts.entries()) {
    const at = 148 + 16 * i;
    split(size, at, at + 10);
    split(offset, at + 4, at + 8);
    bytes.set([fstype, fragblock], at + 12);
    u16(1, at + 14);
  }
  let sum = 0;
  for (let at = 0; at < 404; at += 2) sum ^= big ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at);
  u16(sum, 136);
  return bytes;
}
function disk(size: number, ...pieces: [at: number, bytes: Uint8Array][]): BlockDevice {
  const device = bench.device(bench.sparse(size), { mode: 'r+' });
  for (const [at, bytes] of pieces) device.writeSync(bytes, at);
  return device;
}
const tableOf = (device: BlockDevice): PartitionTable => readPartitionsSync(device) as PartitionTable;
const sectorAt = (device: BlockDevice, at: number, size = 512): Buffer => {
  const bytes = Buffer.alloc(size);
  device.readSync(bytes, at);
  return bytes;
};
const rows = ({ partitions }: PartitionTable): [string, number, number][] =>
  partitions.map(({ name, start, size }) => [name, start / 512, size / 512]);
const named = (table: PartitionTable, name: string): PartitionEntry =>
  table.partitions.find((entry) => entry.name === name) as PartitionEntry;

describe("OpenBSD's labels beyond 2 TiB", () => {
  const FFS = 0x1c; // blocks of 32 KiB, 8 fragments
  const parts: Part[] = [
    [2 ** 32 + 1000, 1024, 7, FFS],
    [2048, 2 ** 32 + 4096, 1],
    [2 ** 33, 0, 0],
  ];

  for (const big of [false, true]) {
    test(`are read in ${big ? 'big' : 'little'} endian: the upper 16 bits of offset and size count`, () => {
      const device = disk(5 * TiB, [512, openbsd(parts, { big })]);
      const table = tableOf(device);
      expect(table).toMatchObject({ scheme: 'bsd', id: '01020304050607ab', problems: [] });
      expect(rows(table)).toEqual([
        ['a', 1024, 2 ** 32 + 1000],
        ['b', 2 ** 32 + 4096, 2048],
        ['c', 0, 2 ** 33],
      ]);
      const found = device.ioctl('DIOCGDINFO');
      expect(found.secperunit).toBe(2 ** 33);
      expect(found.partitions[0]).toEqual({ offset: 1024, size: 2 ** 32 + 1000, fstype: 7, fsize: 4096, frag: 8, cpg: 1 });
    });

    test(`round-trip in ${big ? 'big' : 'little'} endian, and change where they are changed`, () => {
      const before = openbsd(parts, { big });
      const { label: decoded, byteOrder, problem } = decodeDiskLabel(before);
      expect([byteOrder, problem]).toEqual([big ? 'big' : 'little', undefined]);
      expect(encodeDiskLabel(decoded, { byteOrder }).equals(before)).toBe(true);

      const device = disk(5 * TiB, [512, before]);
      const table = tableOf(device);
      writePartitionsSync(device, table);
      expect(sectorAt(device, 512, 404).equals(before)).toBe(true);
      named(table, 'b').size = 4096 * 512;
      writePartitionsSync(device, table);
      expect(sectorAt(device, 512, 404).equals(openbsd([parts[0] as Part, [4096, 2 ** 32 + 4096, 1], parts[2] as Part], { big }))).toBe(
        true,
      );
    });
  }

  test('every byte for fragments and blocks survives', () => {
    for (let fragblock = 0; fragblock < 256; fragblock += 1) {
      const bytes = openbsd([[100, 100, 7, fragblock]]);
      expect(encodeDiskLabel(decodeDiskLabel(bytes).label).equals(bytes)).toBe(true);
    }
  });

  test('their partitions are devices of the range that OpenBSD means', async () => {
    const file = bench.sparse(5 * TiB);
    const driver = bench.driver();
    const minor = await driver.register(file);
    const whole = bench.keep(await driver.open(minor, { mode: 'r+' }));
    await whole.write(openbsd(parts), 512);
    const b = bench.keep(await driver.open(await driver.registerPartition(minor, 'b'), { mode: 'r+' }));
    expect(b.size).toBe(2048 * 512);
    await b.write(Buffer.from('swap'), 0);
    expect(sectorAt(whole, (2 ** 32 + 4096) * 512, 4).toString()).toBe('swap');
  });

  testWith(SFDISK)('reach to the bounds that they name, beyond their slice', () => {
    const device = disk(5 * TiB);
    sfdisk(device.path, 'label: dos', 'start=64,size=4294967231,type=a6');
    device.writeSync(openbsd(parts, { bounds: [64, 2 ** 33] }), 65 * 512);
    const inner = tableOf(device).partitions[0]?.table as PartitionTable;
    expect(inner.problems).toEqual([]);
    expect(rows(inner)[1]).toEqual(['s1b', 2 ** 32 + 4096, 2048]);
  });

  test('numbers that a label has no bits for are refused', async () => {
    const { label: wide } = decodeDiskLabel(openbsd(parts));
    const narrow: DiskLabel = { ...wide, spare: [0, 0, 0, 0, 0] };
    expect(await thrownBy(() => encodeDiskLabel(narrow))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(await thrownBy(() => encodeDiskLabel(wide, { byteOrder: 'big' }))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    const [a] = wide.partitions as [DiskLabel['partitions'][number]];
    for (const [fsize, frag] of [
      [512, 4],
      [4096, 3],
      [1000, 8],
      [2048, 128],
    ] as const) {
      const odd = { ...wide, partitions: [{ ...a, fsize, frag }] };
      expect(await thrownBy(() => encodeDiskLabel(odd))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
      const device = disk(5 * TiB, [512, openbsd(parts)]);
      expect(await thrownBy(() => device.ioctl('DIOCWDINFO', odd))).toMatchObject({ code: 'EINVAL' });
    }
    expect(await thrownBy(() => encodeDiskLabel({ ...wide, secperunit: 2 ** 48 }))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    const device = disk(5 * TiB, [512, encodeDiskLabel(label())]);
    const error = (await thrownBy(() => {
      writePartitionsSync(device, { scheme: 'bsd', partitions: [{ start: 3 * TiB, size: MiB, type: 7 }] });
    })) as Error;
    expect((error.cause as Error).message).toMatch(/too far out for the 32 bits/);
  });

  test('an entry beyond 2^53 bytes is no partition, and is told', () => {
    const device = disk(MiB, [512, openbsd([[2 ** 48 - 1, 2 ** 48 - 1, 7]])]);
    expect(tableOf(device)).toMatchObject({ partitions: [], problems: [expect.stringMatching(/entry a .* 2\^53/)] });
  });
});
