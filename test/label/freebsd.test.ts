// Labels as FreeBSD makes them: eight partitions, and boot code right behind them in the same sector.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type DiskLabel, encodeDiskLabel, readPartitionsSync, writePartitionsSync, type PartitionTable } from 'rumpblk';
import { label } from '../support/disklabel';
import { sfdisk, SFDISK } from '../support/disks';
import { thrownBy } from '../support/failure';
import { testWith } from '../support/peers';
import { KiB, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const SLICE = 63;
const LABEL = (SLICE + 1) * 512;
const unused = { offset: 0, size: 0, fstype: 0, fsize: 0, frag: 0, cpg: 0 };

/** An image with a FreeBSD slice at sector 63 that begins with 8 KiB of boot blocks, and this label in them. */
function bootable(given: DiskLabel): string {
  const file = bench.sparse(16 * MiB);
  sfdisk(file, 'label: dos', `start=${SLICE},size=32000,type=a5,bootable`);
  const bytes = encodeDiskLabel(given).subarray(0, 148 + 16 * given.partitions.length);
  const device = bench.device(file, { mode: 'r+' });
  device.writeSync(pattern(8 * KiB), SLICE * 512);
  device.writeSync(bytes, LABEL);
  device.closeSync();
  return file;
}
const eight = (): DiskLabel =>
  label(
    { offset: 16, size: 16000, fstype: 7, fsize: 2048, frag: 8 },
    { offset: 16016, size: 8000, fstype: 1 },
    { offset: 0, size: 32000 },
    ...Array.from({ length: 5 }, () => unused),
  );
const labelOf = (table: PartitionTable): PartitionTable => table.partitions[0]?.table as PartitionTable;

/** Positions at which two files of one size differ. */
function differences(before: Buffer, after: Buffer): number[] {
  return [...before.keys()].filter((i) => before[i] !== after[i]);
}

describe('boot code behind the eighth partition of a label', () => {
  testWith(SFDISK)('stays, byte for byte, whatever is written of the label', () => {
    const file = bootable(eight());
    const before = readFileSync(file);
    const device = bench.device(file, { mode: 'r+' });
    const table = readPartitionsSync(device) as PartitionTable;
    writePartitionsSync(device, table);
    expect(readFileSync(file).equals(before)).toBe(true);

    const swap = labelOf(table).partitions[1] as PartitionTable['partitions'][number];
    swap.size -= 512 * 100;
    writePartitionsSync(device, table);
    // The checksum, and the size of b.
    const changed = differences(before, readFileSync(file));
    expect(changed.every((at) => [LABEL + 136, LABEL + 137].includes(at) || (at >= LABEL + 164 && at < LABEL + 168))).toBe(true);
    expect(labelOf(readPartitionsSync(device) as PartitionTable).partitions[1]?.size).toBe(swap.size);

    labelOf(table).partitions.splice(1, 1);
    writePartitionsSync(device, table);
    expect(differences(before, readFileSync(file)).every((at) => at >= LABEL && at < LABEL + 276)).toBe(true);
  });

  testWith(SFDISK)('stays when the label is written by DIOCWDINFO', () => {
    const file = bootable(eight());
    const before = readFileSync(file);
    const device = bench.device(file, { mode: 'r+' });
    device.ioctl('DIOCWDINFO', { ...eight(), packname: 'other' });
    const changed = differences(before, readFileSync(file));
    expect(changed.every((at) => at >= LABEL && at < LABEL + 148)).toBe(true);
    expect(changed).not.toEqual([]);
  });

  testWith(SFDISK)('is no room for a ninth partition', async () => {
    const file = bootable(eight());
    const before = readFileSync(file);
    const device = bench.device(file, { mode: 'r+' });
    const table = readPartitionsSync(device) as PartitionTable;
    labelOf(table).partitions.push({ name: '', index: 8, start: (SLICE + 30000) * 512, size: 512, type: 7, typeName: '' });
    const error = (await thrownBy(() => writePartitionsSync(device, table))) as Error;
    expect((error.cause as Error).message).toMatch(/behind the last partition of the label/);
    const nine = { ...eight(), partitions: [...eight().partitions, { ...unused, offset: 30000, size: 1, fstype: 7 }] };
    expect(await thrownBy(() => device.ioctl('DIOCWDINFO', nine))).toMatchObject({ code: 'EINVAL' });
    expect(readFileSync(file).equals(before)).toBe(true);
  });
});

test('zeros behind a label are room for more partitions', () => {
  const file = bench.sparse(16 * MiB);
  const device = bench.device(file, { mode: 'r+' });
  device.writeSync(encodeDiskLabel(eight()), 512);
  const table = readPartitionsSync(device) as PartitionTable;
  table.partitions.push({ name: '', index: 8, start: 30000 * 512, size: 512, type: 7, typeName: '' });
  writePartitionsSync(device, table);
  expect(readPartitionsSync(device)?.partitions.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'i']);
});
