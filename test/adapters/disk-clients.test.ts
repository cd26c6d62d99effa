// DeviceDisk under the packages that it is for, on images of the real tools, which judge what was written.
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from '@jest/globals';
import * as imagefs from 'balena-image-fs';
import ext2fs from 'ext2fs';
import * as partitioninfo from 'partitioninfo';
import { BlockDriver, openSync } from 'rumpblk';
import { DeviceDisk } from 'rumpblk/file-disk';
import { SFDISK } from '../support/disks';
import { EXT4, VFAT, ext4Image, makeTree, promised, walk } from '../support/file-systems';
import { MADE_OF } from '../support/made-of';
import { run, runWith, testWith } from '../support/peers';
import { ACCESSES, MiB, pattern, rig } from '../support/rig';

const bench = rig();
const ext4 = testWith(...EXT4);
const ANY_FS = testWith(...EXT4, ...VFAT, SFDISK);

const tree = bench.path('tree');
const contents = makeTree(tree, 60, 90_000);

/** A file by each way to it, and what else a device may be made of. */
const WAYS = [
  ...ACCESSES.map((access) => ({ name: `a file, ${access}`, access, made: MADE_OF[0]! })),
  ...MADE_OF.slice(1).map((made) => ({ name: made.name, access: 'auto' as const, made })),
];

for (const { name: way, access, made } of WAYS) {
  ext4(`ext2fs reads a tree that mkfs.ext4 made (${way})`, async () => {
    const image = ext4Image(bench, 16 * MiB, tree, '-b', '1024');
    const disk = new DeviceDisk((await made.device(bench, image, { access, mode: 'r+' })).device);
    await ext2fs.withMountedDisk(disk, 0, async (raw: unknown) => {
      const fs = promised(raw);
      const names = (await walk(fs)).filter((name) => name !== '/lost+found');
      expect(names.sort()).toEqual([...contents.keys()].sort());
      for (const [name, content] of contents) expect((await fs.readFile(name)).equals(content)).toBe(true);
    });
  });

  ext4(`ext2fs writes what e2fsck finds clean and debugfs finds whole (${way})`, async () => {
    const image = ext4Image(bench, 16 * MiB, tree);
    const { device, settle } = await made.device(bench, image, { access, mode: 'r+' });
    const large = pattern(2 * MiB + 77, 5);
    await ext2fs.withMountedDisk(new DeviceDisk(device), 0, async (raw: unknown) => {
      const fs = promised(raw);
      await fs.mkdir('/new', 0o755);
      await fs.writeFile('/new/large', large);
      await fs.writeFile('/new/empty', Buffer.alloc(0));
      await fs.unlink('/folder-0/file-3');
      await fs.rename('/folder-0/file-4', '/new/moved');
      await (raw as { trim(): Promise<void> }).trim();
    });
    await device.flush();
    await settle();
    expect(run('e2fsck', '-f', '-n', image)).toContain('files');
    const dumped = (name: string): Buffer => {
      const out = bench.path('dumped');
      run('debugfs', '-R', `dump ${name} ${out}`, image);
      return readFileSync(out);
    };
    expect(dumped('/new/large').equals(large)).toBe(true);
    expect(dumped('/new/moved').equals(contents.get('/folder-0/file-4')!)).toBe(true);
    expect(run('debugfs', '-R', 'ls -p /folder-0', image)).not.toContain('/file-3/');
  });
}

ext4('ext2fs reads a device of mode r when the disk is readOnly', async () => {
  const image = ext4Image(bench, 8 * MiB, tree);
  const before = readFileSync(image);
  const disk = new DeviceDisk(bench.device(image), { readOnly: true });
  await ext2fs.withMountedDisk(disk, 0, async (raw: unknown) => {
    const [name, content] = [...contents][5]!;
    expect((await promised(raw).readFile(name)).equals(content)).toBe(true);
  });
  expect(readFileSync(image).equals(before)).toBe(true);
});

ext4('a fault in the middle is an error of ext2fs, and the file system is as it was', async () => {
  const image = ext4Image(bench, 8 * MiB, tree);
  const device = bench.device(image, { mode: 'r+' });
  const fs = (await ext2fs.mount(new DeviceDisk(device), 0)) as any;
  const [name, content] = [...contents].find(([, { length }]) => length > 20_000)!;
  const data = Buffer.alloc(content.length);
  const fd: unknown = await promisify(fs.open)(name, 'r');
  const read = (): Promise<unknown> => promisify(fs.read)(fd, data, 0, data.length, 0);
  device.driver.faults.set({ rate: 10_000, seed: 1 });
  await expect(read()).rejects.toMatchObject({ code: 'EIO' });
  device.driver.faults.clear();
  await read();
  expect(data.equals(content)).toBe(true);
  await promisify(fs.close)(fd);
  await ext2fs.umount(fs);
  await device.flush();
  expect(run('e2fsck', '-f', '-n', image)).toContain('files');
});

/** MBR with a FAT16 partition of 16 MiB and an ext4 one of 16 MiB, or the same as GPT. */
function dividedDisk(label: 'dos' | 'gpt'): string {
  const image = bench.sparse(40 * MiB);
  const types = label === 'dos' ? ['e', '83'] : ['EBD0A0A2-B9E5-4433-87C0-68B6B72699C7', '0FC63DAF-8483-4772-8E79-3D69D8477DE4'];
  runWith(`label: ${label}\nstart=2048, size=32768, type=${types[0]}\nstart=34816, size=32768, type=${types[1]}\n`, 'sfdisk', '-q', image);
  run('mkfs.vfat', '-F', '16', '--offset', '2048', image, '16384');
  run('mkfs.ext4', '-q', '-F', '-E', 'offset=17825792', '-d', tree, image, '16384k');
  return image;
}

for (const label of ['dos', 'gpt'] as const) {
  ANY_FS(`partitioninfo and balena-image-fs work on partitions that sfdisk made (${label})`, async () => {
    const image = dividedDisk(label);
    const device = openSync(image, { mode: 'r+' });
    const disk = new DeviceDisk(device);
    const info = await partitioninfo.getPartitions(disk);
    expect(info.partitions.map(({ offset, size }) => [offset, size])).toEqual([
      [1 * MiB, 16 * MiB],
      [17 * MiB, 16 * MiB],
    ]);
    await imagefs.interact(disk, 2, async (raw: unknown) => {
      const fs = promised(raw);
      expect((await fs.readFile('/folder-1/file-25')).equals(contents.get('/folder-1/file-25')!)).toBe(true);
      await fs.writeFile('/new', pattern(5000, 3));
    });
    await imagefs.interact(disk, 1, async (fs: any) => {
      await new Promise<void>((resolve, reject) =>
        fs.writeFile('/hello.txt', 'written through balena-image-fs', (error: Error | null) => (error ? reject(error) : resolve())),
      );
    });
    await device.close();
    expect(run('mtype', '-i', `${image}@@1M`, '::hello.txt')).toBe('written through balena-image-fs');
    // The same ext4 as a device of its own: the clients see a partition as a disk.
    const driver = new BlockDriver();
    const part = driver.openSync(driver.registerPartitionSync(driver.registerSync(image), label === 'dos' ? 's2' : 'p2'));
    const whole = Buffer.alloc(part.size);
    part.readSync(whole, 0);
    await ext2fs.withMountedDisk(new DeviceDisk(part, { readOnly: true }), 0, async (raw: unknown) => {
      expect((await promised(raw).readFile('/new')).equals(pattern(5000, 3))).toBe(true);
    });
    part.closeSync();
    driver.close();
    expect(run('e2fsck', '-f', '-n', bench.image(whole))).toContain('files');
  });
}
