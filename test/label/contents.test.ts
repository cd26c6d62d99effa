// Media that begin with a file system or its like: not divided, and written over only when asked.
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from '@jest/globals';
import { readPartitions, writePartitions, type BlockDevice, type PartitionTable } from 'rumpblk';
import { LINUX, SFDISK, sfdisk, table } from '../support/disks';
import { failure } from '../support/failure';
import { BLKID, blkid, divisionOf, isKept } from '../support/overwriting';
import { peer, run, runWith, testWith } from '../support/peers';
import { MiB, rig } from '../support/rig';

type Peer = ReturnType<typeof peer>;
const QEMU_IMG = peer('qemu-img', 'qemu-utils');

const bench = rig();
const SIZE = 64 * MiB;
const writable = (file: string): BlockDevice => bench.device(file, { mode: 'r+' });

describe('media that begin with a file system or its like', () => {
  const made =
    (size: number, program: string, ...options: string[]) =>
    (): string => {
      const file = bench.sparse(size);
      run(program, ...options, file);
      return file;
    };
  const all: [type: string, peer: Peer, make: () => string][] = [
    ['ext2', peer('mkfs.ext2', 'e2fsprogs'), made(SIZE, 'mkfs.ext2', '-qF')],
    ['ext3', peer('mkfs.ext3', 'e2fsprogs'), made(SIZE, 'mkfs.ext3', '-qF')],
    ['ext4', peer('mkfs.ext4', 'e2fsprogs'), made(SIZE, 'mkfs.ext4', '-qF')],
    ['vfat', peer('mkfs.vfat', 'dosfstools'), made(SIZE, 'mkfs.vfat', '-F32')],
    ['vfat', peer('mkfs.vfat', 'dosfstools'), made(4 * MiB, 'mkfs.vfat', '-F12')],
    ['exfat', peer('mkfs.exfat', 'exfatprogs'), made(SIZE, 'mkfs.exfat')],
    ['ntfs', peer('mkfs.ntfs', 'ntfs-3g'), made(SIZE, 'mkfs.ntfs', '-qQF')],
    ['xfs', peer('mkfs.xfs', 'xfsprogs'), made(SIZE * 8, 'mkfs.xfs', '-q')],
    ['btrfs', peer('mkfs.btrfs', 'btrfs-progs'), made(SIZE * 4, 'mkfs.btrfs', '-q')],
    ['swap', peer('mkswap', 'util-linux'), made(SIZE, 'mkswap')],
    ['minix', peer('mkfs.minix', 'util-linux'), made(SIZE, 'mkfs.minix')],
    ['minix', peer('mkfs.minix', 'util-linux'), made(SIZE, 'mkfs.minix', '-2')],
    ['minix', peer('mkfs.minix', 'util-linux'), made(SIZE, 'mkfs.minix', '-3')],
    ['bfs', peer('mkfs.bfs', 'util-linux'), made(SIZE, 'mkfs.bfs')],
    [
      'crypto_LUKS',
      peer('cryptsetup', 'cryptsetup-bin'),
      () => {
        const file = bench.sparse(SIZE);
        runWith(
          'secret',
          'cryptsetup',
          '-q',
          'luksFormat',
          '--type',
          'luks2',
          '--pbkdf',
          'pbkdf2',
          '--pbkdf-force-iterations',
          '1000',
          file,
        );
        return file;
      },
    ],
    [
      'ufs',
      peer('makefs', 'makefs'),
      () => {
        const tree = bench.path('tree');
        mkdirSync(tree, { recursive: true });
        writeFileSync(path.join(tree, 'file'), 'content');
        const file = bench.path('ufs');
        run('makefs', '-t', 'ffs', '-s', '16m', file, tree);
        return file;
      },
    ],
    [
      'iso9660',
      peer('genisoimage', 'genisoimage'),
      () => {
        const file = bench.path('iso');
        run('genisoimage', '-quiet', '-o', file, __dirname);
        truncateSync(file, 4 * MiB);
        return file;
      },
    ],
  ];
  for (const [type, tool, make] of all) {
    testWith(tool, BLKID)(`${type}: not divided, and not written over unasked`, async () => {
      const file = make();
      expect(divisionOf(file)).toBeUndefined();
      expect(blkid(file, 'TYPE')).toBe(type);
      await isKept(make, new RegExp(type));
    });
  }

  testWith(QEMU_IMG)('images of virtual machines are no disks to be divided', async () => {
    for (const format of ['qcow2', 'vhdx', 'vpc']) {
      const make = (): string => {
        const file = bench.path(`image.${format}`);
        run('qemu-img', 'create', '-q', '-f', format, file, '64M');
        if (format !== 'vhdx') truncateSync(file, SIZE);
        return file;
      };
      await isKept(make, new RegExp(`\\(${format}\\)`));
    }
  });

  testWith(QEMU_IMG, SFDISK)('the footer of a virtual disk of a fixed size is not written over', async () => {
    const file = bench.path('fixed.vhd');
    run('qemu-img', 'create', '-q', '-f', 'vpc', '-o', 'subformat=fixed,force_size', file, '64M');
    const footer = readFileSync(file).subarray(-512);
    const device = writable(file);
    // The disk ends before the footer does, and its backup header with it.
    const inner = bench.device(file, { mode: 'r+', lock: false, size: device.size - 512 });
    await writePartitions(inner, { scheme: 'gpt', partitions: [{ start: MiB, size: MiB, type: 'linux' }] });
    const found = (await readPartitions(device)) as PartitionTable;
    expect(found.problems).toEqual([expect.stringContaining('the backup header is in sector')]);
    const { cause } = await failure(() => writePartitions(device, found), 'EINVAL');
    expect((cause as Error).message).toMatch(/\(vpc\)/);
    expect(readFileSync(file).subarray(-512).equals(footer)).toBe(true);
  });

  testWith(peer('mkfs.vfat', 'dosfstools'))('DIOCWDINFO writes no label into a FAT, and one beside an ext4', async () => {
    const fat = made(4 * MiB, 'mkfs.vfat')();
    const device = writable(fat);
    const before = readFileSync(fat);
    await failure(() => device.ioctl('DIOCWDINFO', device.ioctl('DIOCGDINFO')), 'EINVAL');
    expect(readFileSync(fat).equals(before)).toBe(true);
    const ext4 = writable(made(SIZE, 'mkfs.ext4', '-qF')());
    ext4.ioctl('DIOCWDINFO', ext4.ioctl('DIOCGDINFO'));
    expect(blkid(ext4.path, 'TYPE')).toBe('ext4');
  });

  testWith(SFDISK, peer('mkfs.ext4', 'e2fsprogs'))('inside partitions they are no reason to refuse', async () => {
    const file = bench.sparse(SIZE);
    sfdisk(file, 'label: dos', 'start=2048,size=40960');
    run('mkfs.ext4', '-qF', '-E', `offset=${2048 * 512}`, file, '20480k');
    const device = writable(file);
    const found = (await readPartitions(device)) as PartitionTable;
    Object.assign(found.partitions[0] as object, { bootable: true });
    await writePartitions(device, found);
    expect((await readPartitions(device))?.partitions[0]?.bootable).toBe(true);
  });

  testWith(SFDISK, peer('mkfs.ext4', 'e2fsprogs'))(
    'a table does not take a place that a file system has beside another table',
    async () => {
      const file = bench.sparse(SIZE);
      run('mkfs.ext4', '-qF', file);
      runWith('label: dos\nstart=2048,size=40960\n', 'sfdisk', '--quiet', '--no-reread', '--wipe=never', file);
      const device = writable(file);
      const found = (await readPartitions(device)) as PartitionTable;
      await writePartitions(device, found);
      const error = await failure(() => writePartitions(device, table('gpt', [0, 2048, 2048, LINUX])), 'EINVAL');
      expect((error.cause as Error).message).toMatch(/ext4/);
      await writePartitions(device, table('gpt', [0, 2048, 2048, LINUX]), { overwrite: true });
      expect(await readPartitions(device)).toMatchObject({ scheme: 'gpt', problems: [] });
    },
  );
});
