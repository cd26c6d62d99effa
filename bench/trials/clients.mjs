// A whole client instead of single requests: ext2fs reads every file of an ext4 image, through file-disk's own FileDisk and
// through DeviceDisk, with a disk in memory as the floor: what ext2fs takes by itself.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT, installed } from '../../scripts/support/run.mjs';
import { openDevice, openFileHandle } from '../support/context.mjs';
import { random } from '../support/patterns.mjs';

const MIB = 1 << 20;
const IMAGE = 64 * MIB;
const FILES = 200;
const LARGEST = 130_000;

/** A tree of 200 files, 13 MB in all, in an ext4 image of 1 KiB blocks. -> the image and the bytes in it */
function makeImage(folder) {
  const tree = path.join(folder, 'tree');
  const image = path.join(folder, 'ext4');
  const next = random(7);
  let bytes = 0;
  for (let index = 0; index < FILES; index += 1) {
    const into = path.join(tree, `folder-${index % 10}`);
    mkdirSync(into, { recursive: true });
    const content = Buffer.alloc(Math.floor(next() * LARGEST), `file ${index} `);
    writeFileSync(path.join(into, `file-${index}`), content);
    bytes += content.length;
  }
  writeFileSync(image, '');
  truncateSync(image, IMAGE);
  execFileSync('mkfs.ext4', ['-q', '-F', '-b', '1024', '-d', tree, image]);
  return { image, bytes };
}

/** Reads every file below `folder`. -> bytes */
async function readTree(fs, folder) {
  let bytes = 0;
  for (const name of await promisify(fs.readdir)(folder || '/')) {
    const whole = `${folder}/${name}`;
    const stats = await promisify(fs.stat)(whole);
    if (stats.isDirectory()) bytes += await readTree(fs, whole);
    else {
      const fd = await promisify(fs.open)(whole, 'r');
      const data = Buffer.alloc(stats.size);
      if (stats.size > 0) await promisify(fs.read)(fd, data, 0, stats.size, 0);
      await promisify(fs.close)(fd);
      bytes += data.length;
    }
  }
  return bytes;
}

class MemoryDisk {
  constructor(memory) {
    this.memory = memory;
  }
  async read(buffer, offset, length, position) {
    return { bytesRead: this.memory.copy(buffer, offset, position, position + length), buffer };
  }
  async write(buffer, offset, length, position) {
    return { bytesWritten: buffer.copy(this.memory, position, offset, offset + length), buffer };
  }
  async discard() {}
  async flush() {}
}

async function contenders(context) {
  const { image, bytes } = makeImage(context.folder);
  const load = createRequire(path.join(context.packageRoot ?? ROOT, 'package.json'));
  const ext2fs = load('ext2fs');
  const disks = {
    FileDisk: new (load('file-disk').FileDisk)(await openFileHandle(context, { file: image, flags: 'r+' })),
    DeviceDisk: new (load('rumpblk/file-disk').DeviceDisk)(openDevice(context, { file: image, mode: 'r+' })),
    memory: new MemoryDisk(readFileSync(image)),
  };
  let read = bytes;
  const readAll = async (disk) => {
    read = await ext2fs.withMountedDisk(disk, 0, (fs) => readTree(fs, ''));
  };
  // Twice, for the compilers, of which ext2fs's WebAssembly has one of its own.
  for (const disk of [...Object.values(disks), ...Object.values(disks)]) await readAll(disk);
  const entries = Object.entries(disks).map(([name, disk]) => [
    name,
    { ops: 1, run: () => readAll(disk), after: () => (read === bytes ? 0 : 1) },
  ]);
  return Object.fromEntries(entries);
}

export default [
  {
    id: 'ext2fs-tree',
    title: 'ext2fs reads 200 files, 13 MB, of an ext4 image (1 KiB blocks)',
    places: ['disk'],
    files: [],
    passes: 7,
    skip: () => (installed('mkfs.ext4') ? undefined : 'mkfs.ext4 is missing: apt-get install e2fsprogs'),
    checks: [
      { label: 'time of FileDisk', kind: 'time', of: 'DeviceDisk', to: 'FileDisk', max: 0.2 },
      { label: 'time of a disk in memory', kind: 'time', of: 'DeviceDisk', to: 'memory' },
    ],
    contenders,
  },
];
