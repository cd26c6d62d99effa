// openOverlay(): changes over a base that is only read.
import { tmpdir } from 'node:os';
import { keysOf } from '../arguments/known-keys.js';
import { bytes, integer, oneOf, requireOptions } from '../arguments/validate.js';
import { BlockDevice, handleOf } from '../device.js';
import { nativeOf, type BlockDriver } from '../driver.js';
import { fromFailure, invalidArgValue, isFailure } from '../errors.js';
import { MediumHandle } from '../media/medium.js';
import { sourceOf, type Source } from '../media/source.js';
import { FORMAT, TO_THE_END, type Failure, type NativeOverlay } from '../native/binding.js';
import type { ImageFormat } from '../options.js';
import { driverOf, openWith } from '../open.js';
import type { Bytes, Position } from '../request/transfer.js';
import { createOverlay, type OverlayDevice } from './overlay-device.js';

/** Options of {@link openOverlay}. */
export interface OverlayOptions {
  /** Where changes are kept: in memory, or in a file without a name in the folder for temporary files; default `'temporary'`. Both are gone with the overlay. */
  changes?: 'memory' | 'temporary';
  /** Bytes of a block, a power of two from 512 to 1 MiB; default 4096. A write of a part of one costs a read of the rest, once. */
  blockSize?: Bytes;
  /** Bytes of the overlay, at least those of the base, behind whose end it reads zeros; default those of the base. */
  size?: Position;
  /** What the file or the medium that is the base holds, as `open` has it; default `'raw'`. Not of a device, which says so itself. */
  format?: ImageFormat;
  /** The driver that the device belongs to; default the one that devices of `open()` share. */
  driver?: BlockDriver;
}

const CHANGES = { memory: 0, temporary: 1 } as const;
const OVERLAY_KEYS = keysOf<OverlayOptions>(
  { changes: true, blockSize: true, size: true, format: true, driver: true },
  { length: "'size'", clusterSize: "'blockSize'", delta: "'changes'", folder: 'the variable TMPDIR' },
);
const BLOCK_SIZE = 4096;
const BLOCK_MIN = 512;
const BLOCK_MAX = 2 ** 20;

/**
 * Opens an overlay: a device that reads as its base does, and keeps to itself what is written. The base is only read, and can
 * have any number of overlays at a time; while it has one, whoever opens it 'r+' gets EBUSY. Nothing of the changes outlives the
 * process: `durable` is false, and `flush()` has nothing to do.
 *
 * @param base path of a host file or node; a medium; or a device, also a partition, which must not be open 'r+' and may be closed afterwards
 * @param options `changes`, default `'temporary'`; `blockSize`, default 4096; `size`, default that of the base; `driver`, default the shared one
 * @returns the device, open 'r+'
 * @throws {BlockDeviceError} EBUSY the base is open 'r+'; EINVAL a size smaller than the base's; ENOTSUP a device whose medium cannot be had twice; ENOMEM, ENOSPC, EFBIG no place for changes; errors of the host
 *
 * @example
 * await using overlay = await openOverlay('disk.img', { changes: 'memory' });
 * await overlay.write(Buffer.from('hello'), 4096);
 * await overlay.reset();
 */
export async function openOverlay(base: Source | BlockDevice, options: OverlayOptions = {}): Promise<OverlayDevice> {
  requireOptions(options, 'options', OVERLAY_KEYS);
  const { changes = 'temporary', blockSize = BLOCK_SIZE, size, format = 'raw', driver: given } = options;
  const kind = oneOf(changes, 'options.changes', CHANGES);
  const block = integer(blockSize, 'options.blockSize', BLOCK_MIN, BLOCK_MAX);
  if ((block & (block - 1)) !== 0) throw invalidArgValue('options.blockSize', blockSize, 'must be a power of two');
  const wanted = size === undefined ? TO_THE_END : bytes(size, 'options.size');
  const image = FORMAT[oneOf(format, 'options.format', FORMAT)];
  const folder = Buffer.from(kind === 'memory' ? '' : tmpdir());
  const driver = driverOf(given === undefined ? {} : { driver: given });

  let made: NativeOverlay | Failure;
  let path: string;
  const device = base instanceof BlockDevice ? base : undefined;
  if (device !== undefined) {
    const handle = handleOf(device, 'openOverlay');
    path = handle.path;
    made = await handle.native.overlay(nameOver(path), wanted, block, folder);
  } else {
    const source = sourceOf(base, 'base', 'of type string or an instance of Buffer, URL, Medium or BlockDevice');
    path = source.name;
    made = await nativeOf(driver, 'openOverlay').overlay(nameOver(path), wanted, block, folder, source.native, image);
  }
  if (isFailure(made)) throw fromFailure(made, { path });
  const medium = new MediumHandle(made.medium, { kind: 'overlay', name: String(nameOver(path)), size: made.size });
  // Whoever has the overlay has all of it: opens of its partitions are not kept out by this one.
  return openWith(medium, { mode: 'r+', lock: false, driver }, createOverlay(medium, device));
}

function nameOver(path: string): Buffer {
  return Buffer.from(`overlay:${path}`);
}
