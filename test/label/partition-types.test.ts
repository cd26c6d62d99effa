// Types of partitions by name: those that sfdisk knows, in both directions.
import { expect, test } from '@jest/globals';
import { type PartitionTable, type TableToWrite, readPartitionsSync, writePartitionsSync } from 'rumpblk';
import { SFDISK, sfdisk, sfdiskRows, table } from '../support/disks';
import { refusal } from '../support/failure';
import { run, testWith } from '../support/peers';
import { MiB, rig } from '../support/rig';

const bench = rig();
const SIZE = 64 * MiB;

/** The table that is read when this one has been written. */
function written(given: TableToWrite, file = bench.sparse(SIZE)): PartitionTable {
  const device = bench.device(file, { mode: 'r+' });
  writePartitionsSync(device, given);
  const read = readPartitionsSync(device);
  device.closeSync();
  if (read === undefined) throw new Error('no table');
  return read;
}
const entry = (i: number, type: number | string): { start: number; size: number; type: number | string } => ({
  start: MiB + i * 4096,
  size: 4096,
  type,
});

testWith(SFDISK)('12.9: a GPT knows every type of sfdisk by name and by GUID', () => {
  const known = [...run('sfdisk', '-T', '--label', 'gpt').matchAll(/^([0-9a-f]{8}-\S+) +(.*)$/gim)];
  const types = known.map(([, guid, name]) => [guid!.toUpperCase(), name!] as const);
  expect(types.length).toBeGreaterThan(190);
  for (let i = 0; i < types.length; i += 100) {
    const some = types.slice(i, i + 100);
    const read = written({ scheme: 'gpt', partitions: some.map(([, name], at) => entry(at, name)) });
    expect(read.partitions.map(({ type, typeName }) => [type, typeName])).toEqual(some);
  }
});

testWith(SFDISK)('12.9: the short names mean what they mean to sfdisk', () => {
  const schemes = {
    mbr: ['linux', 'swap', 'uefi', 'raid', 'lvm', 'extended', 'linuxex'],
    gpt: ['linux', 'swap', 'uefi', 'home', 'raid', 'lvm'],
  };
  for (const [scheme, names] of Object.entries(schemes) as ['mbr' | 'gpt', string[]][]) {
    for (const name of names) {
      const theirs = bench.sparse(SIZE);
      sfdisk(theirs, `label: ${scheme === 'mbr' ? 'dos' : 'gpt'}`, `start=2048,size=2048,type=${name}`);
      const ours = bench.sparse(SIZE);
      written({ scheme, partitions: [{ start: MiB, size: MiB, type: name }] }, ours);
      expect(sfdiskRows(ours)[0]?.type).toBe(sfdiskRows(theirs)[0]?.type);
    }
  }
});

test('12.9: names of the other schemes, whatever their case and punctuation; esp; bytes in hexadecimal', () => {
  const mbr = ['Linux raid autodetect', 'w95 fat32 lba', 'ESP', '0x83'];
  expect(written({ scheme: 'mbr', partitions: mbr.map((type, i) => entry(i, type)) }).partitions.map(({ type }) => type)).toEqual([
    0xfd, 0x0c, 0xef, 0x83,
  ]);
  const bsd = ['4.2BSD', 'swap', 'linux', 'MSDOS', 7];
  expect(written({ scheme: 'bsd', partitions: bsd.map((type, i) => entry(i, type)) }).partitions.map(({ type }) => type)).toEqual([
    7, 1, 17, 8, 7,
  ]);
  const gpt = ['esp', 'linux luks', 'LINUX ROOT X86-64'];
  expect(written({ scheme: 'gpt', partitions: gpt.map((type, i) => entry(i, type)) }).partitions.map(({ typeName }) => typeName)).toEqual([
    'EFI System',
    'Linux LUKS',
    'Linux root (x86-64)',
  ]);
  const chain = written({
    scheme: 'mbr',
    partitions: [
      { start: MiB, size: 8 * MiB, type: 'extended', table: { scheme: 'ebr', partitions: [{ start: 2 * MiB, size: MiB, type: 'swap' }] } },
    ],
  });
  expect(chain.partitions[0]).toMatchObject({ type: 5, table: { partitions: [{ type: 0x82 }] } });
});

test('12.9: what is no type, or the name of two', async () => {
  const device = bench.device(bench.sparse(SIZE), { mode: 'r+' });
  const wrong: ['bsd' | 'mbr' | 'gpt', unknown, string][] = [
    ['mbr', 'NTFS volume set', 'ERR_INVALID_ARG_VALUE'],
    ['mbr', '', 'ERR_INVALID_ARG_VALUE'],
    ['mbr', '?', 'ERR_INVALID_ARG_VALUE'],
    ['mbr', '83', 'ERR_INVALID_ARG_VALUE'],
    ['mbr', 'home', 'ERR_INVALID_ARG_VALUE'],
    ['mbr', 'constructor', 'ERR_INVALID_ARG_VALUE'],
    ['mbr', undefined, 'ERR_INVALID_ARG_TYPE'],
    ['bsd', 'esp', 'ERR_INVALID_ARG_VALUE'],
    ['bsd', 256, 'ERR_OUT_OF_RANGE'],
    ['gpt', 'extended', 'ERR_INVALID_ARG_VALUE'],
    ['gpt', 0x83, 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [scheme, type, code] of wrong) {
    const given = table(scheme, [0, 2048, 2048, type as string]);
    expect([type, await refusal(() => writePartitionsSync(device, given))]).toEqual([type, code]);
  }
});
