// The images of a run: real data, made once, gone at the end whatever ends it. Every page begins with its own number, and
// the rest of it is noise that can be made again, so that what was read can be checked without keeping a copy.
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import path from 'node:path';
import { random } from './patterns.mjs';

export const PAGE = 4096;
const PIECE = 1 << 22;

/** Magic numbers of statfs(2). */
const FILE_SYSTEMS = new Map([
  [0xef53, 'ext4'],
  [0x01021994, 'tmpfs'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x794c7630, 'overlayfs'],
  [0x2fc12fc1, 'zfs'],
]);

export function fileSystemOf(folder) {
  return FILE_SYSTEMS.get(Number(statfsSync(folder, { bigint: true }).type)) ?? 'other';
}

let noise;

/** The noise of one piece, without the numbers of its pages. */
function piece() {
  if (noise === undefined) {
    noise = Buffer.allocUnsafeSlow(PIECE);
    const words = new Uint32Array(noise.buffer, noise.byteOffset, PIECE / 4);
    const next = random(0x626c6b);
    for (let i = 0; i < words.length; i += 1) words[i] = next() * 2 ** 32;
  }
  return noise;
}

function stamp(data, firstPage) {
  for (let at = 0; at < data.length; at += PAGE) data.writeDoubleLE(0, at);
  for (let at = 0; at < data.length; at += PAGE) data.writeUInt32LE(firstPage + at / PAGE, at);
}

/** What [position, position + length) of an image holds; whole pages. */
export function expectedAt(position, length) {
  const data = Buffer.allocUnsafe(length);
  for (let done = 0; done < length;) {
    const from = (position + done) % PIECE;
    const part = Math.min(length - done, PIECE - from);
    piece().copy(data, done, from, from + part);
    done += part;
  }
  stamp(data, position / PAGE);
  return data;
}

/** True when `data` is what the image holds at `position`. Parts of pages are compared, too. */
export function isRight(data, position) {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const first = Math.floor(position / PAGE) * PAGE;
  const length = Math.ceil((position + bytes.length - first) / PAGE) * PAGE;
  return expectedAt(first, length)
    .subarray(position - first, position - first + bytes.length)
    .equals(bytes);
}

/** Makes an image and waits until it is on the disk, so that its writeback is over before anything is timed. */
export function makeImage(file, size) {
  const fd = openSync(file, 'wx');
  try {
    for (let at = 0; at < size; at += PIECE) {
      const data = expectedAt(at, Math.min(PIECE, size - at));
      for (let done = 0; done < data.length;) done += writeSync(fd, data, done, data.length - done, at + done);
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Where rows are that need no image. */
export const NO_PLACE = { fileSystem: 'no file', folder: undefined, files: {}, provide: () => undefined, remove: () => undefined };

/** A folder for images on one file system. */
export class Place {
  constructor(parent) {
    this.fileSystem = fileSystemOf(parent);
    this.folder = mkdtempSync(path.join(parent, 'rumpblk-bench-'));
    this.files = {};
  }

  /** Makes the image `name` unless it is there. */
  provide(name, size) {
    if (this.files[name] !== undefined) return;
    this.files[name] = path.join(this.folder, name);
    makeImage(this.files[name], size);
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
