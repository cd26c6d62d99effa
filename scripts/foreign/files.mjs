// ext2fs over a device: files written and read through it, and e2fsck and debugfs as judges of what it left on the disk.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { assert } from './checks.mjs';
import { rumpblkDisk } from './package.mjs';

const require = createRequire(import.meta.url);

/** A new ext4 of so many bytes with a tree of files in it. @returns {Promise<{ image: string, contents: Map<string, Buffer> }>} */
export async function ext4Image(place, bytes, files = 20) {
  const tree = place.mkdir('tree');
  const contents = new Map();
  for (let i = 0; i < files; i += 1) {
    const folder = `folder-${i % 4}`;
    mkdirSync(`${tree}/${folder}`, { recursive: true });
    const content = randomBytes(1000 + i * 9973);
    writeFileSync(`${tree}/${folder}/file-${i}`, content);
    contents.set(`/${folder}/file-${i}`, content);
  }
  const image = place.image('ext4', bytes);
  await place.run('mkfs.ext4', ['-q', '-F', '-b', '4096', '-d', tree, image]);
  return { image, contents };
}

/** Reads files through ext2fs. */
export function readFiles(device, contents) {
  return mounted(device, async (fs) => {
    for (const [name, content] of contents) assert((await fs.readFile(name)).equals(content), `${name} reads as something else`);
  });
}

/** Writes some files through ext2fs, up to so many bytes, and flushes. @returns {Promise<Map<string, Buffer>>} their contents */
export async function writeFiles(device, largest) {
  const contents = new Map();
  await mounted(device, async (fs) => {
    await fs.mkdir('/new', 0o755);
    for (const [name, size] of Object.entries({ '/new/small': 77, '/new/large': largest + 5, '/new/block': 4096 })) {
      contents.set(name, randomBytes(size));
      await fs.writeFile(name, contents.get(name));
    }
  });
  await device.flush();
  return contents;
}

/** What the tools of ext4 find in an image. */
export async function judgeFiles(place, image, contents) {
  await place.run('e2fsck', ['-f', '-n', image]);
  for (const [name, content] of contents) {
    await place.run('debugfs', ['-R', `dump ${name} ${place.path('dumped')}`, image]);
    assert(readFileSync(place.path('dumped')).equals(content), `${name} was dumped as something else`);
  }
}

async function mounted(device, use) {
  const { DeviceDisk } = await rumpblkDisk();
  const ext2fs = require('ext2fs');
  await ext2fs.withMountedDisk(new DeviceDisk(device), 0, (fs) => use(promised(fs)));
}

/** The calls that are used here, as promises. */
function promised(fs) {
  const call = (name, ...args) => promisify(fs[name]).call(fs, ...args);
  return {
    mkdir: (name, mode) => call('mkdir', name, mode),
    async readFile(name) {
      const data = Buffer.alloc((await call('stat', name)).size);
      const fd = await call('open', name, 'r');
      await call('read', fd, data, 0, data.length, 0);
      await call('close', fd);
      return data;
    },
    async writeFile(name, data) {
      const fd = await call('open', name, 'w', 0o644);
      await call('write', fd, data, 0, data.length, 0);
      await call('close', fd);
    },
  };
}
