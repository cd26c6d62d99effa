// createQcow2(): a new image, empty or over another disk.
import { closeSync, openSync as openFile, rmSync, statSync, type PathLike, type Stats } from 'node:fs';
import { constants } from 'node:os';
import { dirname, resolve } from 'node:path';
import { keysOf } from './arguments/known-keys.js';
import { bytes, flag, hostPath, oneOf, requireOptions } from './arguments/validate.js';
import { BlockDriver, nativeOf } from './driver.js';
import { BlockDeviceError, fromFailure, invalidArgValue, remarkedError } from './errors.js';
import { FORMAT, type Outcome, type NativeCreation } from './native/binding.js';
import type { ImageFormat } from './options.js';
import type { Bytes, Position } from './request/transfer.js';

/** Options of {@link createQcow2}. */
export interface CreateQcow2Options {
  /** Bytes of the disk. */
  size: Position;
  /** The disk that the image goes on from: a path, from the folder of the image unless it is absolute; default none. It need not be there yet; no directory is one. */
  backing?: PathLike;
  /** What `backing` holds; default `'raw'`. */
  backingFormat?: Exclude<ImageFormat, 'auto'>;
  /** Bytes of a cluster, a power of two from 4096 to 2 MiB, with `extendedL2` from 16384; default 131072. */
  clusterSize?: Bytes;
  /** Whether a 32nd of a cluster is allocated by itself, so that small writes copy nothing; default true. */
  extendedL2?: boolean;
}

const KEYS = keysOf<CreateQcow2Options>(
  { size: true, backing: true, backingFormat: true, clusterSize: true, extendedL2: true },
  { base: "'backing'", backingFile: "'backing'", format: "'backingFormat'", length: "'size'" },
);
/** Names of formats in an image. */
const NAMES = { raw: 'raw', qcow2: 'qcow2', vhd: 'vpc' } as const;
const FORMATS = { raw: FORMAT.raw, qcow2: FORMAT.qcow2, vhd: FORMAT.vhd } as const;
const CLUSTER_MIN = 4096;
const EXTENDED_MIN = 16384;
const CLUSTER_MAX = 2 ** 21;

/**
 * Makes a qcow2 image of version 3, in a new file. It is on the disk when this is done.
 *
 * @param path where; there must be nothing yet
 * @param options `size` in bytes; `backing` and its format; `clusterSize`, default 128 KiB; `extendedL2`, default true
 * @throws {BlockDeviceError} EEXIST there is such a file; EISDIR `backing` is a directory; EFBIG too large for clusters of that size; errors of the host
 *
 * @example
 * await createQcow2('guest.qcow2', { size: 10 * 2 ** 30, backing: 'golden.img' });
 * await using disk = await open('guest.qcow2', { format: 'qcow2', mode: 'r+' });
 */
export async function createQcow2(path: PathLike, options: CreateQcow2Options): Promise<void> {
  const creation = creationOf(path, options);
  const driver = new BlockDriver({ workers: 1 });
  try {
    takePlace(creation[0]);
    finish(creation[0], await nativeOf(driver, 'open').createQcow2(...creation));
  } finally {
    driver.close();
  }
}

/**
 * Makes a qcow2 image of version 3, in a new file, on the calling thread.
 *
 * @param path where; there must be nothing yet
 * @param options `size` in bytes; `backing` and its format; `clusterSize`, default 128 KiB; `extendedL2`, default true
 * @throws {BlockDeviceError} EEXIST there is such a file; EISDIR `backing` is a directory; EFBIG too large for clusters of that size; errors of the host
 *
 * @example
 * createQcow2Sync('guest.qcow2', { size: 10 * 2 ** 30 });
 */
export function createQcow2Sync(path: PathLike, options: CreateQcow2Options): void {
  const creation = creationOf(path, options);
  const driver = new BlockDriver({ workers: 1 });
  try {
    takePlace(creation[0]);
    finish(creation[0], nativeOf(driver, 'open').createQcow2Sync(...creation));
  } finally {
    driver.close();
  }
}

function creationOf(path: PathLike, options: CreateQcow2Options): NativeCreation {
  const file = hostPath(path, 'path');
  requireOptions(options, 'options', KEYS);
  const { size, backing, backingFormat = 'raw', clusterSize = 131072, extendedL2 } = options;
  const isExtended = flag(extendedL2, 'options.extendedL2', true);
  const cluster = bytes(clusterSize, 'options.clusterSize');
  const least = isExtended ? EXTENDED_MIN : CLUSTER_MIN;
  if (!Number.isInteger(Math.log2(cluster)) || cluster < least || cluster > CLUSTER_MAX)
    throw invalidArgValue('options.clusterSize', clusterSize, `must be a power of two from ${least} to ${CLUSTER_MAX}`);
  const format = NAMES[oneOf(backingFormat, 'options.backingFormat', FORMATS)];
  const below = backing === undefined ? Buffer.alloc(0) : hostPath(backing, 'options.backing');
  if (below.length > 0) refuseFolder(below, file);
  return [file, bytes(size, 'options.size'), Math.log2(cluster), isExtended, below, below.length === 0 ? '' : format];
}

/** Throws where the image would go on from a directory. What is not there, or cannot be looked at, may come to be one day. */
function refuseFolder(backing: Uint8Array, image: Uint8Array): void {
  const name = Buffer.from(backing);
  const folder = dirname(Buffer.from(image).toString('latin1'));
  let found: Stats | undefined;
  try {
    found = statSync(Buffer.from(resolve(folder, name.toString('latin1')), 'latin1'), { throwIfNoEntry: false });
  } catch {
    return;
  }
  if (found?.isDirectory() !== true) return;
  const place = { errno: constants.errno.EISDIR, syscall: 'open', path: name.toString() };
  throw remarkedError(place, 'the backing file is a directory', createQcow2);
}

/**
 * Makes the file, which nobody else has yet.
 *
 * @internal
 */
export function takePlace(path: Uint8Array): void {
  try {
    closeSync(openFile(Buffer.from(path), 'wx', 0o666));
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    throw new BlockDeviceError({ errno, syscall: 'open', path: Buffer.from(path).toString() });
  }
}

function finish(path: Uint8Array, outcome: Outcome): void {
  if (typeof outcome === 'number') return;
  rmSync(Buffer.from(path), { force: true });
  throw fromFailure(outcome, { path: Buffer.from(path).toString() });
}
