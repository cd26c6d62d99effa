// Labels that other systems made, changed: more than 16 partitions, FreeBSD's way of counting, and flaws that were there before.
import { readFileSync } from 'node:fs';
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
import { thrownBy } from '../support/failure';
import { MiB, rig } from '../support/rig';

const bench = rig();

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
const unused = { offset: 0, size: 0, fstype: 0, fsize: 0, frag: 0, cpg: 0 };

describe('labels of more than 16 partitions', () => {
  const twenty = (): DiskLabel =>
    label(...Array.from({ length: 20 }, (_, i) => ({ ...unused, offset: 64 + 100 * i, size: 50, fstype: 7, fsize: 1024 + i })));

  test('are read, and written without the loss of one', () => {
    const bytes = encodeDiskLabel(twenty());
    expect(bytes).toHaveLength(148 + 20 * 16);
    expect(decodeDiskLabel(bytes)).toEqual({ label: { ...twenty(), checksum: expect.any(Number) }, byteOrder: 'little' });
    const device = disk(16 * MiB, [512, bytes]);
    const before = readFileSync(device.path);
    const table = tableOf(device);
    expect(table.partitions.map(({ name }) => name).join('')).toBe('abcdefghijklmnopqrst');
    writePartitionsSync(device, table);
    expect(readFileSync(device.path).equals(before)).toBe(true);
    expect(device.ioctl('DIOCGPART', 19)).toMatchObject({ offset: 1964, fsize: 1043 });

    table.partitions.splice(1, 1);
    writePartitionsSync(device, table);
    const after = device.ioctl('DIOCGDINFO').partitions;
    expect(after[19]).toEqual(twenty().partitions[19]);
    expect(after[1]).toEqual(unused);
  });

  test('up to 22 go into a sector; what claims more is shown, and not written', async () => {
    const most = label(...Array.from({ length: 22 }, (_, i) => ({ ...unused, offset: 64 + 100 * i, size: 50, fstype: 7 })));
    const device = disk(16 * MiB, [512, encodeDiskLabel(most)]);
    expect(tableOf(device).partitions).toHaveLength(22);
    expect(await thrownBy(() => encodeDiskLabel({ ...most, partitions: [...most.partitions, unused] }))).toMatchObject({
      code: 'ERR_OUT_OF_RANGE',
    });
    const count = Buffer.alloc(2);
    count.writeUInt16LE(30);
    device.writeSync(count, 512 + 138);
    const before = readFileSync(device.path);
    const table = tableOf(device);
    expect(table.problems.join()).toMatch(/count of partitions: 30/);
    const error = (await thrownBy(() => writePartitionsSync(device, table))) as Error;
    expect((error.cause as Error).message).toMatch(/count of partitions: 30/);
    expect(readFileSync(device.path).equals(before)).toBe(true);
  });
});

describe("FreeBSD's way of counting", () => {
  const slice = (start: number, size: number): [number, Uint8Array] => {
    const entry = Buffer.alloc(66);
    entry[4] = 0xa5;
    entry.writeUInt32LE(start, 8);
    entry.writeUInt32LE(size, 12);
    entry.set([0x55, 0xaa], 64);
    return [446, entry];
  };
  const freebsd = (c: number): Buffer =>
    encodeDiskLabel(
      label(
        { ...unused, offset: c + 16, size: 8000, fstype: 7 },
        { ...unused, offset: c + 8016, size: 100, fstype: 27 },
        { ...unused, offset: c, size: 20000 },
        ...Array.from({ length: 5 }, () => unused),
      ),
    ).subarray(0, 276);

  test('partition c is where the slice begins, whatever it says', () => {
    for (const c of [0, 63, 1000, 4096]) {
      const device = disk(16 * MiB, slice(63, 20000), [64 * 512, freebsd(c)]);
      const before = readFileSync(device.path);
      const table = tableOf(device);
      const inner = table.partitions[0]?.table as PartitionTable;
      expect(rows(inner)).toEqual([
        ['s1a', 79, 8000],
        ['s1b', 8079, 100],
        ['s1c', 63, 20000],
      ]);
      expect(inner.problems).toEqual([]);
      expect(named(inner, 's1b').typeName).toBe('ZFS');
      writePartitionsSync(device, table);
      expect(readFileSync(device.path).equals(before)).toBe(true);
      named(inner, 's1b').start += 512 * 10;
      writePartitionsSync(device, table);
      expect(rows(tableOf(device).partitions[0]?.table as PartitionTable)[1]).toEqual(['s1b', 8089, 100]);
    }
  });

  test('an entry in front of the device is no partition, and stays', () => {
    const bytes = freebsd(1000);
    bytes.writeUInt32LE(900, 148 + 3 * 16 + 4);
    bytes.writeUInt32LE(50, 148 + 3 * 16);
    const device = disk(16 * MiB, slice(63, 20000), [64 * 512, bytes]);
    const table = tableOf(device);
    const inner = table.partitions[0]?.table as PartitionTable;
    expect(inner.partitions.map(({ name }) => name)).toEqual(['s1a', 's1b', 's1c']);
    expect(inner.problems.join()).toMatch(/entry d lies in front of the device/);
    writePartitionsSync(device, table);
    expect(sectorAt(device, 64 * 512).readUInt32LE(148 + 3 * 16 + 4)).toBe(900);
  });

  test('c does not move, since all others would', async () => {
    const device = disk(16 * MiB, slice(63, 20000), [64 * 512, freebsd(1000)]);
    const table = tableOf(device);
    const inner = table.partitions[0]?.table as PartitionTable;
    inner.partitions.pop();
    const error = (await thrownBy(() => writePartitionsSync(device, table))) as Error;
    expect((error.cause as Error).message).toMatch(/partition c has to begin where the slice does/);
  });

  test('a disk that FreeBSD has to itself, 50000 sectors from 0 on, is one slice to its end', async () => {
    const [at, bytes] = slice(0, 50000);
    const entry = Buffer.alloc(66);
    entry.set(bytes.subarray(0, 16), 48);
    entry.set([0x55, 0xaa], 64);
    const wide = encodeDiskLabel(
      label(
        { ...unused, offset: 0, size: 100000, fstype: 7 },
        { ...unused, offset: 100000, size: 20000, fstype: 1 },
        {
          ...unused,
          size: 131072,
        },
      ),
    );
    const device = disk(64 * MiB, [at, entry], [512, wide.subarray(0, 276)]);
    const before = readFileSync(device.path);
    const table = tableOf(device);
    const inner = table.partitions[0]?.table as PartitionTable;
    expect(rows(inner)).toEqual([
      ['s4a', 0, 100000],
      ['s4b', 100000, 20000],
      ['s4c', 0, 131072],
    ]);
    expect([...table.problems, ...inner.problems]).toEqual([]);
    writePartitionsSync(device, table);
    expect(readFileSync(device.path).equals(before)).toBe(true);
    named(inner, 's4b').size = 10000 * 512;
    writePartitionsSync(device, table);
    expect(rows(tableOf(device).partitions[0]?.table as PartitionTable)[1]).toEqual(['s4b', 100000, 10000]);
    device.closeSync();
    const driver = bench.driver();
    const minor = await driver.register(device.path);
    const b = bench.keep(await driver.open(await driver.registerPartition(minor, 's4b')));
    expect(b.size).toBe(10000 * 512);
  });

  test('the numbers of types are those of the system that the slice is of', () => {
    const types = (type: number): string[] => {
      const [at, bytes] = slice(63, 20000);
      bytes[4] = type;
      const parts = [14, 18, 20, 27].map((fstype, i) => ({ ...unused, offset: 100 + 100 * i, size: 50, fstype }));
      const device = disk(16 * MiB, [at, bytes], [64 * 512, encodeDiskLabel(label(...parts.slice(0, 2), unused, ...parts.slice(2)))]);
      return (tableOf(device).partitions[0]?.table as PartitionTable).partitions.map(({ typeName }) => typeName);
    };
    expect(types(0xa9)).toEqual(['ADOS', 'NTFS', 'ccd', 'NiLFS']);
    expect(types(0xa5)).toEqual(['vinum', 'NTFS', 'ccd', 'ZFS']);
    expect(types(0xa6)).toEqual(['ADOS', 'ccd', 'NTFS', 'unknown']);
  });
});

describe('a flaw of a label that was there before', () => {
  const flawed = (): BlockDevice =>
    disk(16 * MiB, [
      512,
      encodeDiskLabel(
        label(
          { ...unused, offset: 100, size: 200, fstype: 7 },
          { ...unused, offset: 250, size: 100, fstype: 7 },
          { ...unused, offset: 32768, size: 100, fstype: 7 },
          { ...unused, offset: 1000, size: 100, fstype: 1 },
        ),
      ),
    ]);

  test('is no reason to refuse a change beside it', () => {
    const device = flawed();
    const table = tableOf(device);
    expect(table.problems).toHaveLength(2);
    writePartitionsSync(device, table);
    named(table, 'd').size += 512;
    named(table, 'a').type = 8;
    writePartitionsSync(device, table);
    expect(named(tableOf(device), 'd').size).toBe(101 * 512);
    table.partitions = table.partitions.filter(({ name }) => name !== 'b');
    writePartitionsSync(device, table);
    expect(tableOf(device).problems).toHaveLength(1);
  });

  test('is one where it is moved or made new', async () => {
    const device = flawed();
    for (const change of [
      (table: PartitionTable) => (named(table, 'b').start -= 512),
      (table: PartitionTable) => (named(table, 'c').size += 512),
      (table: PartitionTable) => (named(table, 'd').start = 300 * 512),
    ]) {
      const table = tableOf(device);
      change(table);
      expect(await thrownBy(() => writePartitionsSync(device, table))).toMatchObject({ code: 'EINVAL' });
    }
  });
});

describe('DIOCWDINFO', () => {
  const sound = { ...unused, offset: 64, size: 100, fstype: 7 };
  const beyond = { ...unused, offset: 32000, size: 1000, fstype: 7 };
  const whyNot = async (device: BlockDevice, changed: DiskLabel): Promise<string> => {
    const before = readFileSync(device.path);
    const error = (await thrownBy(() => device.ioctl('DIOCWDINFO', changed))) as Error;
    expect(error).toMatchObject({ code: 'EINVAL', cause: expect.any(Error) });
    expect(readFileSync(device.path).equals(before)).toBe(true);
    return (error.cause as Error).message;
  };

  test('takes a partition beyond the end that was there before, and one that shrinks', async () => {
    const device = disk(16 * MiB, [512, encodeDiskLabel(label(sound, beyond))]);
    device.ioctl('DIOCWDINFO', { ...device.ioctl('DIOCGDINFO'), packname: 'changed' });
    expect(device.ioctl('DIOCGDINFO')).toMatchObject({ packname: 'changed', partitions: [sound, beyond] });
    device.ioctl('DIOCWDINFO', label(sound, { ...beyond, size: 900 }));
    for (const [worse, name] of [
      [[sound, { ...beyond, size: 901 }], 'b'],
      [[sound, { ...beyond, offset: 32100 }], 'b'],
      [
        [
          { ...sound, size: 33000 },
          { ...beyond, size: 900 },
        ],
        'a',
      ],
    ] as const) {
      expect(await whyNot(device, label(...worse))).toBe(`${name} ends beyond the end of the device`);
    }
  });

  test('says why a label cannot be, or has no place', async () => {
    const device = disk(16 * MiB, [512, encodeDiskLabel(label(sound))]);
    expect(await whyNot(device, { ...label(sound), secpercyl: 0 })).toBe('bad sectors per cylinder: 0');
    expect(await whyNot(device, { ...label(sound), secsize: 100 })).toBe('bad sector size: 100');
    device.writeSync(Buffer.alloc(100, 1), 512 + 148 + 16);
    expect(await whyNot(device, label(sound, sound))).toMatch(/^something else lies behind the last partition/);

    const gpt = bench.device(bench.sparse(16 * MiB), { mode: 'r+' });
    writePartitionsSync(gpt, { scheme: 'gpt', partitions: [] });
    expect(await whyNot(gpt, label(sound))).toBe('a label has no place there: it belongs to something else (GPT)');
    const amiga = disk(16 * MiB, [0, Buffer.from('5244534b00000003adbbacb2', 'hex')]);
    expect(await whyNot(amiga, label(sound))).toMatch(/something else \(.*\)$/);
  });

  test('keeps what lies behind the NUL of a name that stays', () => {
    const bytes = encodeDiskLabel(label(sound)).subarray(0, 148 + 16);
    bytes.write('vnd\0secret\xff', 8, 16, 'latin1');
    bytes.write('pk\xfe\0hidden', 24, 16, 'latin1');
    bytes.writeUInt16LE(0, 136);
    let sum = 0;
    for (let at = 0; at < bytes.length; at += 2) sum ^= bytes.readUInt16LE(at);
    bytes.writeUInt16LE(sum, 136);
    const device = disk(16 * MiB, [512, bytes]);
    device.ioctl('DIOCWDINFO', device.ioctl('DIOCGDINFO'));
    expect(sectorAt(device, 512).subarray(0, bytes.length).equals(bytes)).toBe(true);
    device.ioctl('DIOCWDINFO', { ...device.ioctl('DIOCGDINFO'), typename: 'v' });
    expect(sectorAt(device, 512).toString('latin1', 8, 40)).toBe(`v${'\0'.repeat(15)}pk\xfe\0hidden${'\0'.repeat(6)}`);
  });
});
