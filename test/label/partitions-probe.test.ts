// What lies in partitions: blkid is the judge over what the real mkfs tools make, as it is and with a superblock that was damaged.
import { execFileSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { type PartitionContent, readPartitions, readPartitionsSync, writePartitionsSync } from 'rumpblk';
import { MAKEFS } from '../support/disks';
import { refusal } from '../support/failure';
import { peer, run, runWith, testWith } from '../support/peers';
import { MiB, rig } from '../support/rig';

const bench = rig();
const BLKID = peer('blkid', 'util-linux');

/** What blkid says of a file that is a file system. */
function judged(file: string): PartitionContent | undefined {
  const value = (name: string): string => {
    try {
      return run('blkid', '-p', '-u', 'filesystem,crypto,other', '-s', name, '-o', 'value', file).trimEnd();
    } catch {
      return ''; // nothing found
    }
  };
  const [type, uuid, label] = ['TYPE', 'UUID', 'LABEL'].map(value) as [string, string, string];
  return type === '' ? undefined : { type, ...(uuid !== '' && { uuid }), ...(label !== '' && { label }) };
}

/** What is said of the same bytes in a partition. */
async function probed(content: string): Promise<PartitionContent | undefined> {
  const bytes = readFileSync(content);
  const size = Math.ceil(bytes.length / 512) * 512;
  const file = bench.sparse(2 * MiB + size);
  const device = bench.device(file, { mode: 'r+' });
  writePartitionsSync(device, { scheme: 'gpt', partitions: [{ start: MiB, size, type: 'linux' }] });
  device.writeSync(bytes, MiB);
  const table = readPartitionsSync(device, { probe: true });
  expect(await readPartitions(device, { probe: true })).toEqual(table);
  expect(readPartitionsSync(device)?.partitions[0]).not.toHaveProperty('content');
  await device.close();
  truncateSync(file, 0);
  return table?.partitions[0]?.content;
}

const mkfs = (program: string, debianPackage: string, size: number, where: number, ...args: string[]) =>
  ({ need: peer(program, debianPackage), size, where, make: (file: string) => void run(program, ...args, file) }); // prettier-ignore
const iso = (...args: string[]) =>
  ({ need: peer('genisoimage', 'genisoimage'), size: 0, where: 32769, make: (file: string) => void run('genisoimage', '-quiet', ...args, '-o', file, __filename) }); // prettier-ignore
/** blkid knows a LUKS 2 by its second header, too, which is not looked for here. */
const UNDAMAGED = -1;
const luks = (type: string, where: number, ...args: string[]) => ({
  need: peer('cryptsetup', 'cryptsetup-bin'),
  size: 32,
  where,
  make: (file: string) =>
    void runWith('x', 'cryptsetup', 'luksFormat', '-q', '--type', type, '--pbkdf-force-iterations', '1000', ...args, file, '-'),
});

/** Each with the byte that makes it nothing when it is changed. */
const FORMATS = {
  ext2: mkfs('mkfs.ext2', 'e2fsprogs', 4, 1080, '-qF', '-L', 'second'),
  ext3: mkfs('mkfs.ext3', 'e2fsprogs', 8, 1080, '-qF'),
  ext4: mkfs('mkfs.ext4', 'e2fsprogs', 8, 1080, '-qF', '-L', 'with spaces'),
  FAT12: mkfs('mkfs.vfat', 'dosfstools', 2, 13, '-F12', '-n', 'TWELVE'),
  FAT16: mkfs('mkfs.vfat', 'dosfstools', 16, 13, '-F16'),
  FAT32: mkfs('mkfs.vfat', 'dosfstools', 40, 13, '-F32', '-n', 'THIRTY TWO'),
  exFAT: mkfs('mkfs.exfat', 'exfatprogs', 8, 3, '-L', 'ex fat'),
  NTFS: mkfs('mkfs.ntfs', 'ntfs-3g', 8, 3, '-qF', '-L', 'new tech'),
  XFS: mkfs('mkfs.xfs', 'xfsprogs', 320, 0, '-qf', '-L', 'xfslabel'),
  'XFS without checksums': mkfs('mkfs.xfs', 'xfsprogs', 320, 0, '-qf', '-m', 'crc=0'),
  btrfs: mkfs('mkfs.btrfs', 'btrfs-progs', 112, 65600, '-q', '-L', 'butter'),
  swap: mkfs('mkswap', 'util-linux', 1, 4086, '-L', 'swappy'),
  'swap in pages of 64 KiB': mkfs('mkswap', 'util-linux', 1, 65526, '-p', '65536'),
  'LUKS 1': luks('luks1', 0),
  'LUKS 2': luks('luks2', UNDAMAGED, '--pbkdf', 'pbkdf2', '--label', 'locked'),
  'ISO 9660': iso('-V', 'Plain'),
  'ISO 9660 with Joliet': iso('-J', '-V', 'A Joliet volume'),
};

for (const [name, { need, size, where, make }] of Object.entries(FORMATS)) {
  testWith(BLKID, need)(
    `12: ${name}, as blkid has it`,
    async () => {
      const file = bench.sparse(size * MiB);
      make(file);
      const expected = judged(file);
      expect(expected).toMatchObject({ type: expect.any(String), uuid: expect.any(String) });
      expect(await probed(file)).toEqual(expected);
      if (where === UNDAMAGED) return;
      const bytes = readFileSync(file);
      bytes[where] = (bytes[where] ?? 0) ^ 0x55;
      writeFileSync(file, bytes);
      expect(judged(file)).toBeUndefined();
      expect(await probed(file)).toBeUndefined();
    },
    60_000,
  );
}

testWith(BLKID, MAKEFS)('12: UFS of both versions and both byte orders, as blkid has it', async () => {
  const folder = bench.path('folder');
  execFileSync('mkdir', ['-p', folder]);
  for (const version of [1, 2]) {
    for (const order of ['le', 'be']) {
      const file = bench.path(`ufs${version}${order}`);
      run('makefs', '-t', 'ffs', '-s', '2m', '-B', order, '-o', `version=${version}`, file, folder);
      expect(judged(file)).toMatchObject({ type: 'ufs' });
      expect(await probed(file)).toEqual(judged(file));
    }
  }
});

test('12: nothing is nothing; options', async () => {
  expect(await probed(bench.sparse(MiB))).toBeUndefined();
  const device = bench.device(bench.sparse(MiB));
  expect(await readPartitions(device, { probe: true })).toBeUndefined();
  expect(await refusal(() => readPartitions(device, { probe: 1 } as never))).toBe('ERR_INVALID_ARG_TYPE');
  expect(await refusal(() => readPartitionsSync(device, { prob: true } as never))).toBe('ERR_INVALID_ARG_VALUE');
});
