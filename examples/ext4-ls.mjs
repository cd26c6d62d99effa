// Lists a directory of an ext4 file system, read from the bytes of the device alone: superblock, group descriptor, inode, extents, entries.
// It needs no mount and no privileges, and changes nothing. (ext2fs, of npm, does the whole of ext4: see docs/guides/adapters.md.)
//
//   node ext4-ls.mjs root.ext4 /etc
//   node ext4-ls.mjs disk.img /etc root          the same in a partition of a disk
import { openSync } from 'rumpblk';

const [path, folder = '/', partition] = process.argv.slice(2);
if (path === undefined) {
  console.error('usage: node ext4-ls.mjs IMAGE [DIRECTORY] [PARTITION]');
  process.exit(2);
}
const ROOT_INODE = 2;
const EXTENT_MAGIC = 0xf30a;
const KINDS = { 1: '-', 2: 'd', 3: 'c', 4: 'b', 5: 'p', 6: 's', 7: 'l' };

const device = openSync(path, partition === undefined ? {} : { partition });

function bytesAt(position, length) {
  const bytes = Buffer.alloc(length);
  if (device.readSync(bytes, position) < length) throw new Error(`${path} ends within the file system`);
  return bytes;
}

/** The superblock begins at byte 1024, whatever the size of a block is. */
function mount() {
  const sb = bytesAt(1024, 1024);
  if (sb.readUInt16LE(0x38) !== 0xef53) throw new Error(`${path} holds no ext2, ext3 or ext4`);
  const blockSize = 1024 << sb.readUInt32LE(0x18);
  return {
    blockSize,
    inodesPerGroup: sb.readUInt32LE(0x28),
    inodeSize: sb.readUInt16LE(0x58),
    isWide: (sb.readUInt32LE(0x60) & 0x80) !== 0, // 64bit: block numbers of 64 bits in the descriptors
    descriptorSize: (sb.readUInt32LE(0x60) & 0x80) !== 0 ? sb.readUInt16LE(0xfe) : 32,
    descriptors: (sb.readUInt32LE(0x14) + 1) * blockSize,
  };
}

function inodeOf(fs, number) {
  const group = Math.floor((number - 1) / fs.inodesPerGroup);
  const descriptor = bytesAt(fs.descriptors + group * fs.descriptorSize, fs.descriptorSize);
  const table = descriptor.readUInt32LE(8) + (fs.isWide ? descriptor.readUInt32LE(0x28) * 2 ** 32 : 0);
  return bytesAt(table * fs.blockSize + ((number - 1) % fs.inodesPerGroup) * fs.inodeSize, fs.inodeSize);
}

/** Yields the blocks of a file, in order: a node of the extent tree holds extents, or further nodes. */
function* blocksOf(fs, node) {
  if (node.readUInt16LE(0) !== EXTENT_MAGIC) throw new Error('this file is mapped by blocks, as on ext2: not done here');
  const [entries, depth] = [node.readUInt16LE(2), node.readUInt16LE(6)];
  for (let at = 12; at < 12 + entries * 12; at += 12) {
    if (depth > 0) {
      const child = node.readUInt32LE(at + 4) + node.readUInt16LE(at + 8) * 2 ** 32;
      yield* blocksOf(fs, bytesAt(child * fs.blockSize, fs.blockSize));
    } else {
      const first = node.readUInt32LE(at + 8) + node.readUInt16LE(at + 6) * 2 ** 32;
      for (let i = 0; i < node.readUInt16LE(at + 4); i += 1) yield bytesAt((first + i) * fs.blockSize, fs.blockSize);
    }
  }
}

function* entriesOf(fs, number) {
  const inode = inodeOf(fs, number);
  if ((inode.readUInt16LE(0) & 0xf000) !== 0x4000) throw new Error('not a directory');
  for (const block of blocksOf(fs, inode.subarray(0x28, 0x64))) {
    for (let at = 0; at < fs.blockSize; at += Math.max(12, block.readUInt16LE(at + 4))) {
      const entry = {
        inode: block.readUInt32LE(at),
        kind: KINDS[block[at + 7]],
        name: block.toString('utf8', at + 8, at + 8 + block[at + 6]),
      };
      if (entry.inode !== 0) yield entry;
    }
  }
}

try {
  const fs = mount();
  let number = ROOT_INODE;
  for (const part of folder.split('/').filter((name) => name !== '')) {
    const found = [...entriesOf(fs, number)].find(({ name }) => name === part);
    if (found === undefined) throw new Error(`no '${part}' in ${folder}`);
    number = found.inode;
  }
  for (const { name, kind, inode } of entriesOf(fs, number)) {
    const about = inodeOf(fs, inode);
    console.log(`${kind} ${String(about.readUInt32LE(4)).padStart(10)} ${new Date(about.readUInt32LE(16) * 1000).toISOString()} ${name}`);
  }
} finally {
  device.closeSync();
}
