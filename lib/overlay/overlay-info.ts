// overlayInfo(): what an overlay in an image lies over, so that it can be opened by its own name alone.
import type { PathLike } from 'node:fs';
import { hostPath } from '../arguments/validate.js';
import { BlockDriver, nativeOf } from '../driver.js';
import { fromFailure, isFailure } from '../errors.js';
import { exportNamed } from '../media/nbd-url.js';
import type { ImageFormat } from '../options.js';
import type { Bytes } from '../request/transfer.js';

/** Facts about the image of an overlay, as {@link overlayInfo} returns them. */
export interface OverlayInfo {
  /** Bytes of the disk. */
  size: Bytes;
  /** Bytes of a block: a 32nd of a cluster with extended L2 entries, else a cluster. */
  blockSize: Bytes;
  /** Bytes of a cluster. */
  clusterSize: Bytes;
  /** Path or URL of the base as the image has it; undefined of an image without a base. */
  backing: string | undefined;
  /** The path that this is, from the working directory, or the URL of an export of an NBD server; undefined where it is neither. */
  base: string | URL | undefined;
  /** Format of the base; undefined if it is none that is known here. */
  format: Exclude<ImageFormat, 'auto'> | undefined;
}

/** What an image calls formats; of nothing QEMU's programs guess, and here it is raw. */
const FORMATS = new Map<string, Exclude<ImageFormat, 'auto'>>([
  ['', 'raw'],
  ['raw', 'raw'],
  ['file', 'raw'],
  ['host_device', 'raw'],
  ['qcow2', 'qcow2'],
  ['vpc', 'vhd'],
]);

/**
 * Tells what the qcow2 image of an overlay says of itself and of its base. It locks nothing and looks at the header alone, so also of one that is open.
 *
 * @param file path of the image
 * @returns sizes in bytes, and the base
 * @throws {BlockDeviceError} EINVAL no qcow2 image; ENOTSUP a feature that is not done here; errors of the host
 *
 * @example
 * const { base, format } = await overlayInfo('guest.qcow2');
 * await using overlay = await openOverlay(base, { changes: 'guest.qcow2', format });
 */
export async function overlayInfo(file: PathLike): Promise<OverlayInfo> {
  const path = hostPath(file, 'file');
  const driver = new BlockDriver({ workers: 1 });
  try {
    const info = await nativeOf(driver, 'open').overlayImageInfo(path);
    if (isFailure(info)) throw fromFailure(info, { path: path.toString() });
    const { size, blockSize, clusterSize, backing, base } = info;
    const text = (bytes: Buffer): string | undefined => (bytes.length === 0 ? undefined : bytes.toString());
    return {
      size,
      blockSize,
      clusterSize,
      backing: text(backing),
      base: text(base) ?? exportNamed(backing.toString()),
      format: FORMATS.get(info.format),
    };
  } finally {
    driver.close();
  }
}
