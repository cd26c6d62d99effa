// File systems in image files, made by the real tools, and Node packages that read and write them.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { peer, run } from './peers';
import { pattern, type Rig } from './rig';

export const EXT4 = [peer('mkfs.ext4', 'e2fsprogs'), peer('debugfs', 'e2fsprogs'), peer('e2fsck', 'e2fsprogs')];
export const VFAT = [peer('mkfs.vfat', 'dosfstools'), peer('fsck.vfat', 'dosfstools'), peer('mtype', 'mtools'), peer('mdir', 'mtools')];

/** A tree of files: `count` in folders of 20, up to `largest` bytes each. Gives the contents by path. */
export function makeTree(root: string, count: number, largest: number): Map<string, Buffer> {
  const contents = new Map<string, Buffer>();
  for (let index = 0; index < count; index += 1) {
    const folder = `folder-${Math.floor(index / 20)}`;
    const name = `/${folder}/file-${index}`;
    const content = pattern((index * 7919 * 13) % (largest + 1), index + 1);
    mkdirSync(path.join(root, folder), { recursive: true });
    writeFileSync(path.join(root, name), content);
    contents.set(name, content);
  }
  return contents;
}

/** A new ext4 image with a tree in it. */
export function ext4Image(bench: Rig, size: number, tree?: string, ...options: string[]): string {
  const image = bench.sparse(size);
  run('mkfs.ext4', '-q', '-F', ...options, ...(tree === undefined ? [] : ['-d', tree]), image);
  return image;
}

/** The parts of ext2fs that work, as promises: its own `promises` do not await the close of a file. */
export function promised(fs: any) {
  const call = (name: string): any => promisify(fs[name]);
  return {
    readdir: call('readdir'),
    stat: call('stat'),
    mkdir: call('mkdir'),
    unlink: call('unlink'),
    rename: call('rename'),
    async readFile(name: string): Promise<Buffer> {
      const { size } = (await call('stat')(name)) as { size: number };
      const data = Buffer.alloc(size);
      const fd: unknown = await call('open')(name, 'r');
      if (size > 0) await call('read')(fd, data, 0, size, 0);
      await call('close')(fd);
      return data;
    },
    async writeFile(name: string, data: Buffer): Promise<void> {
      const fd: unknown = await call('open')(name, 'w', 0o644);
      if (data.length > 0) await call('write')(fd, data, 0, data.length, 0);
      await call('close')(fd);
    },
  };
}

/** The names of all files below a folder. */
export async function walk(fs: ReturnType<typeof promised>, folder = ''): Promise<string[]> {
  const found: string[] = [];
  for (const name of (await fs.readdir(folder === '' ? '/' : folder)) as string[]) {
    const whole = `${folder}/${name}`;
    const isFolder = ((await fs.stat(whole)) as { isDirectory(): boolean }).isDirectory();
    found.push(...(isFolder ? await walk(fs, whole) : [whole]));
  }
  return found;
}
