// Tables in files that count in other sectors than 512 bytes: fdisk(8) makes them, and reads ours.
import { describe, expect, test } from '@jest/globals';
import {
  addPartitionSync,
  findDiskLabelSync,
  open,
  openSync,
  type PartitionTable,
  readPartitions,
  readPartitionsSync,
  writePartitionsSync,
} from 'rumpblk';
import { cli, documentOf } from '../support/cli';
import { FDISK } from '../support/disks';
import { failure, refusal } from '../support/failure';
import { run, runWith, testWith } from '../support/peers';
import { MiB, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * MiB;

function fdisk(file: string, sectorSize: number, ...lines: string[]): void {
  runWith(`${lines.join('\n')}\n`, 'fdisk', '-b', String(sectorSize), file);
}
/** What fdisk reads, in bytes. */
function fdiskRows(file: string, sectorSize: number): number[][] {
  const lines = run('fdisk', '-b', String(sectorSize), '-l', '-o', 'Start,Sectors', file).split('\n');
  return lines
    .filter((line) => /^\s*\d+\s+\d+$/.test(line))
    .map((line) =>
      line
        .trim()
        .split(/\s+/)
        .map((n) => Number(n) * sectorSize),
    );
}
const placesOf = (table: PartitionTable | undefined): number[][] =>
  (table?.partitions ?? []).flatMap((entry) => [[entry.start, entry.size], ...placesOf(entry.table)]);

describe.each([1024, 2048, 4096])('12: sectors of %i bytes', (sectorSize) => {
  const at = (bytes: number): string => String(bytes / sectorSize);
  const last = (start: number, size: number): string => String((start + size) / sectorSize - 1);
  const entry = (start: number, size: number): string[] => [at(start * MiB), last(start * MiB, size * MiB)];

  testWith(FDISK)('an MBR of fdisk with a chain is read, changed and written', async () => {
    const file = bench.sparse(SIZE);
    fdisk(file, sectorSize, 'o', 'n', 'p', '1', ...entry(1, 4), 'n', 'e', '2', ...entry(8, 16), 'n', 'l', ...entry(9, 2), 'w');
    expect(placesOf(await readPartitions(bench.device(file, { lock: false })))).not.toEqual(fdiskRows(file, sectorSize));
    const device = bench.keep(await open(file, { mode: 'r+', sectorSize }));
    const table = readPartitionsSync(device);
    expect(table).toMatchObject({ scheme: 'mbr', sectorSize, problems: [] });
    expect(placesOf(table)).toEqual([
      [MiB, 4 * MiB],
      [8 * MiB, 16 * MiB],
      [9 * MiB, 2 * MiB],
    ]);
    expect(placesOf(table)).toEqual(fdiskRows(file, sectorSize));
    addPartitionSync(device, { type: 'linux', inside: 's2' });
    addPartitionSync(device, { type: 'swap', size: MiB });
    writePartitionsSync(device, readPartitionsSync(device)!);
    expect(fdiskRows(file, sectorSize).sort(([a], [b]) => a! - b!)).toEqual(
      placesOf(readPartitionsSync(device)).sort(([a], [b]) => a! - b!),
    );
    await device.close();
    const driver = bench.driver();
    const disk = driver.registerSync(file, { sectorSize });
    expect(driver.registerPartitionsSync(disk).map(({ start }) => start)).toContain(9 * MiB);
    expect(bench.keep(openSync(file, { sectorSize, partition: 's5' })).size).toBe(2 * MiB);
  });

  testWith(FDISK)('a GPT of ours is what fdisk reads, and the other way round', () => {
    const ours = bench.sparse(SIZE);
    const device = bench.keep(openSync(ours, { mode: 'r+', sectorSize }));
    writePartitionsSync(device, { scheme: 'gpt', partitions: [{ start: MiB, size: 3 * MiB, type: 'esp' }] });
    expect(readPartitionsSync(device)).toMatchObject({ sectorSize, position: sectorSize, problems: [] });
    expect(fdiskRows(ours, sectorSize)).toEqual([[MiB, 3 * MiB]]);
    const theirs = bench.sparse(SIZE);
    fdisk(theirs, sectorSize, 'g', 'n', '1', ...entry(2, 5), 'w');
    expect(placesOf(readPartitionsSync(bench.keep(openSync(theirs, { sectorSize }))))).toEqual([[2 * MiB, 5 * MiB]]);
  });

  test('a disklabel', () => {
    const device = bench.keep(openSync(bench.sparse(SIZE), { mode: 'r+', sectorSize }));
    writePartitionsSync(device, { scheme: 'bsd', partitions: [{ start: MiB, size: MiB, type: '4.2BSD' }] });
    expect(readPartitionsSync(device)).toMatchObject({ sectorSize, problems: [], partitions: [{ start: MiB, size: MiB }] });
    const { secsize, partitions } = findDiskLabelSync(device)!.label;
    expect({ secsize, offset: partitions[0]!.offset }).toEqual({ secsize: sectorSize, offset: MiB / sectorSize });
  });

  testWith(FDISK)('on the command line', async () => {
    const file = bench.sparse(SIZE);
    fdisk(file, sectorSize, 'o', 'n', 'p', '1', ...entry(1, 4), 'w');
    const shown = await cli(['partitions', file, '--sector-size', String(sectorSize), '--add', 'type=linux,size=2M', '--json']);
    expect(documentOf(shown)).toMatchObject({ table: { sectorSize, partitions: [{ start: MiB, size: 4 * MiB }, { start: 5 * MiB }] } });
    expect(fdiskRows(file, sectorSize)).toEqual([
      [MiB, 4 * MiB],
      [5 * MiB, 2 * MiB],
    ]);
  });
});

test('12: the same range with other sectors is another minor; requests go on counting in 512 bytes; what is no sector size', async () => {
  const file = bench.sparse(SIZE);
  const driver = bench.driver();
  const plain = driver.registerSync(file);
  const large = driver.registerSync(file, { sectorSize: 4096 });
  expect(large).not.toBe(plain);
  expect(await driver.register(file, { sectorSize: 4096 })).toBe(large);
  const device = bench.keep(driver.openSync(large, { mode: 'r+', raw: true }));
  await failure(() => driver.open(plain, { mode: 'r+' }), 'EBUSY');
  expect(device.readSync(Buffer.alloc(512), 512)).toBe(512);
  await failure(() => writePartitionsSync(device, { scheme: 'mbr', sectorSize: 512, partitions: [] }), 'EINVAL');
  for (const [wrong, code] of [
    [0, 'ERR_OUT_OF_RANGE'],
    [256, 'ERR_OUT_OF_RANGE'],
    [131072, 'ERR_OUT_OF_RANGE'],
    [1000, 'ERR_INVALID_ARG_VALUE'],
    ['4096', 'ERR_INVALID_ARG_TYPE'],
  ] as const) {
    // prettier-ignore
    expect(await refusal(() => open(file, { sectorSize: wrong as number }))).toBe(code);
    expect(await refusal(() => driver.registerSync(file, { sectorSize: wrong as number }))).toBe(code);
  }
  expect(await cli(['partitions', file, '--sector-size', '1000'])).toMatchObject({ status: 2 });
});
