// openOverlay(): changes over a base that is only read.
import type { PathLike } from 'node:fs';
import { tmpdir } from 'node:os';
import { keysOf } from '../arguments/known-keys.js';
import { bytes, hostPath, integer, oneOf, requireOptions } from '../arguments/validate.js';
import { BlockDevice, handleOf } from '../device.js';
import { nativeOf, type BlockDriver } from '../driver.js';
import { fromFailure, invalidArgValue, isFailure } from '../errors.js';
import { MediumHandle } from '../media/medium.js';
import { sourceOf, type Source } from '../media/source.js';
import {
  binding,
  FORMAT,
  MEDIUM_KINDS,
  TO_THE_END,
  type MadeInImage,
  type NativeDevice,
  type NativeOverlay,
  type OverInImage,
} from '../native/binding.js';
import type { ImageFormat } from '../options.js';
import { driverOf, openWith } from '../open.js';
import type { Bytes, Position } from '../request/transfer.js';
import { namedOf, openInImage, type Named } from './image-overlay.js';
import { createOverlay, type OverlayDevice } from './overlay-device.js';

/** Options of {@link openOverlay}. */
export interface OverlayOptions {
  /**
   * Where changes are kept: in memory, or in a file without a name in the folder for temporary files; default `'temporary'`. Both are gone with
   * the overlay. A path: in a qcow2 image there, which is made where there is none, and which has to lie over the base where there is one; a file of such a name is `'./memory'`.
   */
  // eslint-disable-next-line @typescript-eslint/no-redundant-type-constituents -- the two words that are no paths
  changes?: 'memory' | 'temporary' | PathLike;
  /** Bytes of a block, a power of two from 512 to 1 MiB; default 4096. A write of a part of one costs a read of the rest, once. Of a new image to 64 KiB; one that is there has its own. */
  blockSize?: Bytes;
  /** Bytes of the overlay, at least those of the base, behind whose end it reads zeros; default those of the base, of a new image rounded up to 512. Of an image that is there what it has. */
  size?: Position;
  /** Format of the base, as for `open`; default `'raw'`. Not for a base that is a device, whose format is known. */
  format?: ImageFormat;
  /** The driver that the device belongs to; default the one that devices of `open()` share. */
  driver?: BlockDriver;
}

const OVERLAY_KEYS = keysOf<OverlayOptions>(
  { changes: true, blockSize: true, size: true, format: true, driver: true },
  { length: "'size'", clusterSize: "'blockSize'", delta: "'changes'", folder: 'the variable TMPDIR' },
);
const BLOCK_SIZE = 4096;
const BLOCK_MIN = 512;
const BLOCK_MAX = 2 ** 20;
/** Of an image: a 32nd of the largest cluster. */
const BLOCK_MAX_IMAGE = 2 ** 16;

/**
 * Opens an overlay: a device that reads as its base does, and keeps to itself what is written. The base is only read, and can
 * have any number of overlays at a time; while it has one, whoever opens it 'r+' gets EBUSY. Changes in memory or in a temporary
 * file do not outlive the process: `durable` is false, and `flush()` has nothing to do. Those in a qcow2 image do: what was flushed
 * is there after a power cut, and QEMU's programs read the image too.
 *
 * @param base path of a host file or node; a medium; or a device, also a partition, which must not be open 'r+' and may be closed afterwards. Of a qcow2 image a path, an export of an NBD server, or a device that is all of one of these
 * @param options `changes`, default `'temporary'`; `blockSize`, default 4096; `size`, default that of the base; `format` of the base, default `'raw'`; `driver`, default the shared one
 * @returns the device, open 'r+'
 * @throws {BlockDeviceError} EBUSY the base is open 'r+', or the image is open; EINVAL a size smaller than the base's, or other than the image's; ESTALE the image lies over another base; EROFS an image that is only read; ENOTSUP a device whose medium cannot be had twice, or that neither a path nor a URL names; ENOMEM, ENOSPC, EFBIG no place for changes; errors of the host
 *
 * @example
 * await using overlay = await openOverlay('disk.img', { changes: 'memory' });
 * await overlay.write(Buffer.from('hello'), 4096);
 * await overlay.reset();
 *
 * @example
 * await using overlay = await openOverlay('golden.img', { changes: 'guest.qcow2' });
 * await overlay.write(Buffer.from('hello'), 4096);
 * await overlay.flush();
 *
 * @example
 * await using overlay = await openOverlay(nbd('nbd://127.0.0.1/golden'), { changes: 'guest.qcow2' });
 * await overlay.write(Buffer.from('hello'), 4096);
 */
export async function openOverlay(base: Source | BlockDevice, options: OverlayOptions = {}): Promise<OverlayDevice> {
  requireOptions(options, 'options', OVERLAY_KEYS);
  const { changes = 'temporary', blockSize = BLOCK_SIZE, size, format = 'raw', driver: given } = options;
  const file = changes === 'memory' || changes === 'temporary' ? undefined : hostPath(changes, 'options.changes');
  const block = integer(blockSize, 'options.blockSize', BLOCK_MIN, file === undefined ? BLOCK_MAX : BLOCK_MAX_IMAGE);
  if ((block & (block - 1)) !== 0) throw invalidArgValue('options.blockSize', blockSize, 'must be a power of two');
  const wanted = size === undefined ? TO_THE_END : bytes(size, 'options.size');
  const image = FORMAT[oneOf(format, 'options.format', FORMAT)];
  const driver = driverOf(given === undefined ? {} : { driver: given });
  const over = overOf(base, image, driver);

  const made =
    file === undefined ? await inNothing(over, wanted, block, changes === 'memory') : await inImage(over, wanted, block, file, driver);
  const name = file === undefined ? over.name : Buffer.from(file).toString();
  const medium = new MediumHandle(made.medium, { kind: 'overlay', name, size: made.size });
  try {
    // Whoever has the overlay has all of it: opens of its partitions are not kept out by this one.
    const device = await openWith(medium, { mode: 'r+', lock: false, driver }, createOverlay(medium, { base: over.device, file }));
    binding.overlayOpened(made.medium);
    return device;
  } catch (error) {
    binding.overlayRelease(made.medium);
    throw error;
  }
}

/** What an overlay lies over. */
interface Over {
  readonly device: BlockDevice | undefined;
  /** In errors. */
  readonly path: string;
  /** What it is to an image. */
  readonly named: Named | undefined;
  /** Of the overlay, where it has no file. */
  readonly name: string;
  readonly overlay: (...changes: Changes) => ReturnType<NativeDevice['overlay']>;
  readonly imageOverlay: (...image: OverInImage) => Promise<MadeInImage>;
}
type Changes = Parameters<NativeDevice['overlay']>;

function overOf(base: Source | BlockDevice, format: number, driver: BlockDriver): Over {
  if (base instanceof BlockDevice) {
    const { native, path } = handleOf(base, 'openOverlay');
    return {
      device: base,
      path,
      named: MEDIUM_KINDS[native.place()[0][0]] === 'nbd' ? new URL(path) : native.info()[3],
      name: `overlay:${path}`,
      overlay: (...changes) => native.overlay(...changes),
      imageOverlay: (...image) => native.imageOverlay(...image),
    };
  }
  const source = sourceOf(base, 'base', 'of type string or an instance of Buffer, URL, Medium or BlockDevice');
  const native = nativeOf(driver, 'openOverlay');
  return {
    device: undefined,
    path: source.name,
    named: namedOf(source),
    name: `overlay:${source.name}`,
    overlay: (...changes) => native.overlay(...changes, source.native, format),
    imageOverlay: (...image) => native.imageOverlay(...image, source.native, format),
  };
}

/** Changes in what is gone with the overlay. */
async function inNothing(over: Over, size: number, block: number, isMemory: boolean): Promise<NativeOverlay> {
  const made = await over.overlay(Buffer.from(over.name), size, block, Buffer.from(isMemory ? '' : tmpdir()));
  if (isFailure(made)) throw fromFailure(made, { path: over.path });
  return made;
}

async function inImage(over: Over, size: number, blockSize: number, file: Uint8Array, driver: BlockDriver): Promise<NativeOverlay> {
  const { imageOverlay: open, named: base, path: baseName } = over;
  return openInImage({ open, driver: nativeOf(driver, 'openOverlay'), name: file, size, blockSize, file, base, baseName });
}
