// Where the bytes of an end lie: which host file, whatever it is called, and which bytes of it. A copy whose ends share bytes
// would read what it has written: it is refused.
import { readFile, realpath, stat } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import path from 'node:path';
import { handleOf } from '../device.js';
import { invalidArgValue } from '../errors.js';
import type { BlockDevice } from '../index.js';

/** A range of a host file. */
export interface Place {
  /** Type and numbers of the file; the same for each of its names. */
  readonly file: string;
  /** First byte. */
  readonly begin: number;
  /** Byte behind the last one; Infinity for a file that may grow. */
  readonly end: number;
  /** Files that reads of it may come from as well: of what it lies over. */
  readonly below?: readonly string[];
  /** The file that has the bytes of this one in an order of its own: that of an image, any byte of which a write may change. */
  readonly within?: string;
}

/** A method of streams of this package: the device that they read or write, and which bytes of it, as far as they know. */
export const STREAM_PLACE = Symbol('rumpblk.streamPlace');

const FILE = 0;
const BLOCK = 1;
const CHARACTER = 2;

const IN_IMAGE = ':image';

const nameOf = (type: number, device: bigint, inode: bigint): string => `${type}:${device}:${inode}`;
const ofMedium = ([kind, device, inode]: readonly [number, bigint, bigint]): string => nameOf(kind, device, inode);

/** The place of [begin, end) of a device. */
export function placeOfDevice(device: BlockDevice, begin: number, end: number): Place {
  const [medium, start, below, scattered] = handleOf(device, 'copy').native.place();
  const place = { file: ofMedium(medium), begin: start + begin, end: start + end, below: below.map(ofMedium) };
  // A disk in an image is another one than the file: byte 5 of it is not byte 5 of the file.
  return scattered === undefined ? place : { ...place, file: `${place.file}${IN_IMAGE}`, within: ofMedium(scattered) };
}

/** The place of [begin, end) of a file or node; undefined for a pipe, a socket and the like, which hold nothing. */
export function placeOfFile(stats: BigIntStats, begin: number, end: number): Place | undefined {
  if (stats.isFile()) return { file: nameOf(FILE, stats.dev, stats.ino), begin, end };
  if (stats.isBlockDevice()) return { file: nameOf(BLOCK, stats.rdev, 0n), begin, end };
  if (stats.isCharacterDevice()) return { file: nameOf(CHARACTER, stats.rdev, 0n), begin, end };
  return undefined;
}

interface StreamOfFile {
  readonly fd?: unknown;
  readonly path?: unknown;
  readonly start?: unknown;
  readonly end?: unknown;
  readonly [STREAM_PLACE]?: () => Place | undefined;
}

/** The place that a stream reads or writes, for those that tell: of this package, and of `node:fs`. */
export async function placeOfStream(stream: object): Promise<Place | undefined> {
  const { fd, path: name, start, end, [STREAM_PLACE]: own } = stream as StreamOfFile;
  if (own !== undefined) return own.call(stream);
  const stats = typeof fd === 'number' ? await statsOfDescriptor(fd) : await statsOf(name);
  if (stats === undefined) return undefined;
  const last = typeof end === 'number' ? end + 1 : Infinity;
  return placeOfFile(stats, typeof start === 'number' ? start : 0, last);
}

/** What a path names; undefined when that is nothing, or no path. */
export async function statsOf(name: unknown): Promise<BigIntStats | undefined> {
  if (typeof name !== 'string' && !(name instanceof Uint8Array) && !(name instanceof URL)) return undefined;
  try {
    return await stat(name as string, { bigint: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function statsOfDescriptor(fd: number): Promise<BigIntStats | undefined> {
  return statsOf(`/proc/self/fd/${fd}`);
}

/** Throws ERR_INVALID_ARG_VALUE when the two have bytes in common, also through partitions, loop devices and what the source lies over. */
export async function requireApart(from: Place | undefined, to: Place | undefined, target: unknown): Promise<void> {
  if (from === undefined || to === undefined) return;
  // Two ranges of one disk, in an image or not, are apart where their bytes are.
  const isSame = from.file === to.file;
  const all = (files: readonly string[] = []): Place[] => (isSame ? [] : files.map((file) => ({ file, begin: 0, end: Infinity })));
  const withAll = async (places: readonly Place[]): Promise<Place[]> => (await Promise.all(places.map(withLower))).flat();
  const sources = await withAll([from, ...all(from.below)]);
  const targets = await withAll([to, ...all(to.within === undefined ? [] : [to.within])]);
  for (const one of sources) {
    for (const other of targets) {
      if (one.file !== other.file || one.begin >= other.end || other.begin >= one.end) continue;
      throw invalidArgValue('target', target, 'must not overlap the source');
    }
  }
}

/** A place, and the places of the same bytes in what lies below: the disk of a partition, the file of a loop device. */
async function withLower(place: Place): Promise<Place[]> {
  const places = [place];
  for (let next = await lowerThan(place); next !== undefined; next = await lowerThan(next)) {
    places.push(next);
    if (places.length === MOST_LEVELS) break;
  }
  return places;
}

const MOST_LEVELS = 16;

async function lowerThan({ file, begin, end }: Place): Promise<Place | undefined> {
  const [type, device] = file.split(':');
  if (Number(type) !== BLOCK || file.endsWith(IN_IMAGE)) return undefined;
  const folder = `/sys/dev/block/${numbersOf(BigInt(device ?? 0))}`;
  const moved = (name: string, by: number): Place => ({ file: name, begin: begin + by, end: end + by });
  const start = await textOf(`${folder}/start`);
  if (start !== undefined) {
    const disk = await textOf(path.join(await realpath(folder), '..', 'dev'));
    return disk === undefined ? undefined : moved(nameOf(BLOCK, deviceOf(disk), 0n), Number(start) * 512);
  }
  const backing = await textOf(`${folder}/loop/backing_file`);
  // One that was removed has no name any more.
  const stats = backing === undefined ? undefined : await statsOf(backing).catch(() => undefined);
  const below = stats === undefined ? undefined : placeOfFile(stats, 0, 0);
  return below === undefined ? undefined : moved(below.file, Number((await textOf(`${folder}/loop/offset`)) ?? 0));
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).replace(/\n$/, '');
  } catch {
    return undefined; // not that kind of device
  }
}

// The numbers of a device as glibc and Linux pack them into one: 12 and 20 bits, in four pieces.
function numbersOf(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn & 0xffffffffn);
  return `${major}:${minor}`;
}

function deviceOf(numbers: string): bigint {
  const [major = 0n, minor = 0n] = numbers.split(':').map(BigInt);
  return ((major & 0xfffn) << 8n) | ((major & ~0xfffn) << 32n) | (minor & 0xffn) | ((minor & ~0xffn) << 12n);
}
