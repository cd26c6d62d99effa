// Overlays under the packages that devices are for: what they write stays off the base until a commit, and the tools that made
// the image judge it then.
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from '@jest/globals';
import ext2fs from 'ext2fs';
import fatfs from 'fatfs';
import { copy } from 'rumpblk/copy';
import { fatfsDriver } from 'rumpblk/fatfs';
import { DeviceDisk } from 'rumpblk/file-disk';
import { RandomAccessDevice } from 'rumpblk/random-access-storage';
import { EXT4, VFAT, ext4Image, makeTree, promised } from '../support/file-systems';
import { all, overlays } from '../support/overlays';
import { peer, run, testWith } from '../support/peers';
import { MiB, pattern, rig } from '../support/rig';

const bench = rig();
const over = overlays(bench);
const tree = bench.path('tree');
makeTree(tree, 20, 60_000);
const writer = (volume: any): any => promisify(volume.writeFile);
const large = pattern(2 * MiB + 77, 5);

for (const blockSize of [512, 4096, 65_536]) {
  testWith(...EXT4)(
    `ext2fs over blocks of ${blockSize}: e2fsck finds the committed image clean, and the base is untouched before`,
    async () => {
      const image = ext4Image(bench, 16 * MiB, tree);
      const before = readFileSync(image);
      const overlay = await over(image, { blockSize });
      await ext2fs.withMountedDisk(new DeviceDisk(overlay), 0, async (raw: unknown) => {
        const fs = promised(raw);
        await fs.mkdir('/new', 0o755);
        await fs.writeFile('/new/large', large);
        await fs.unlink('/folder-0/file-3');
        await (raw as { trim(): Promise<void> }).trim();
      });
      expect(readFileSync(image).equals(before)).toBe(true);
      const seen = all(overlay);
      await overlay.commit();
      await overlay.close();
      expect(readFileSync(image).equals(seen)).toBe(true);
      expect(run('e2fsck', '-f', '-n', image)).toContain('files');
      const out = bench.path('dumped');
      run('debugfs', '-R', `dump /new/large ${out}`, image);
      expect(readFileSync(out).equals(large)).toBe(true);
    },
  );
}

testWith(...VFAT)('fatfs over blocks of 512: mtools read what was committed', async () => {
  const image = bench.sparse(16 * MiB);
  run('mkfs.vfat', '-F', '16', image);
  const overlay = await over(image, { blockSize: 512, changes: 'memory' });
  const fresh = await overlay.snapshot();
  const volume = fatfs.createFileSystem(fatfsDriver(overlay));
  await writer(volume)('/gone.txt', 'gone');
  await overlay.revert(fresh);
  const again = fatfs.createFileSystem(fatfsDriver(overlay));
  await writer(again)('/kept.txt', 'kept');
  await overlay.commit();
  await overlay.close();
  expect(run('mtype', '-i', image, '::kept.txt')).toBe('kept');
  expect(run('mdir', '-i', image, '-b', '::/')).not.toContain('gone');
});

testWith(peer('qemu-img', 'qemu-utils'))('qemu-img compare finds a copy of an overlay and its committed base the same', async () => {
  const image = bench.image(pattern(4 * MiB));
  const overlay = await over(image);
  await overlay.write(large.subarray(0, MiB), 1_000_001);
  await overlay.writeZeroes(3 * MiB, MiB - 5);
  const copied = bench.path('copied.img');
  await copy(overlay, copied);
  await overlay.commit();
  await overlay.close();
  expect(run('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', image, copied)).toContain('Images are identical');
});

testWith(peer('qemu-img', 'qemu-utils'))('a qcow2 image is a base, which qemu-img finds sound after a commit', async () => {
  const raw = bench.image(pattern(4 * MiB));
  const image = bench.path('base.qcow2');
  run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-c', raw, image);
  const before = readFileSync(image);
  const overlay = await over(image, { format: 'qcow2', blockSize: 65_536 });
  expect(all(overlay).equals(pattern(4 * MiB))).toBe(true);
  await overlay.write(large.subarray(0, 100), 1_000_001);
  const changed = pattern(4 * MiB);
  large.copy(changed, 1_000_001, 0, 100);
  expect(all(overlay).equals(changed)).toBe(true);
  expect(readFileSync(image).equals(before)).toBe(true);
  await overlay.commit();
  await overlay.close();
  expect(run('qemu-img', 'check', image)).toContain('No errors');
  writeFileSync(raw, changed);
  expect(run('qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', raw, image)).toContain('Images are identical');
});

testWith()('random-access storage over an overlay writes, reads and deletes', async () => {
  const image = bench.image(pattern(MiB));
  const overlay = await over(image, { changes: 'memory' });
  const storage = new RandomAccessDevice(overlay) as any;
  const call = (name: string, ...args: unknown[]): Promise<any> =>
    new Promise((resolve, reject) =>
      storage[name](...args, (error: Error | null, value: unknown) => (error ? reject(error) : resolve(value))),
    );
  await call('write', 5000, Buffer.from('hello'));
  expect(String(await call('read', 5000, 5))).toBe('hello');
  await call('del', 8192, 4096);
  expect((await call('read', 8192, 4096)).equals(Buffer.alloc(4096))).toBe(true);
  await call('close');
  expect(readFileSync(image).equals(pattern(MiB))).toBe(true);
});
