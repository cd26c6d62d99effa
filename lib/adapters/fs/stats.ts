// What an fs-like stat() tells of a device. Nothing of the host file: that is another thing, of another size.
import { constants } from 'node:fs';
import type { BlockDevice } from '../../index.js';

/**
 * What `stat()` of a device tells, in the shape of `fs.Stats`; what a device has not is 0.
 *
 * @example
 * const stats = await openFileHandle(device).stat();
 * console.log(stats.size, stats.isBlockDevice());
 */
export class DeviceStats {
  /** Is 0: the device is in no file system. */
  readonly dev = 0;
  /** Gives the type, a block device, and the permissions that the mode of the open amounts to. */
  readonly mode: number;
  /** Is 1. */
  readonly nlink = 1;
  /** Is 0. */
  readonly uid = 0;
  /** Is 0. */
  readonly gid = 0;
  /** Is 0. */
  readonly rdev = 0;
  /** Gives the size of a sector, in bytes. */
  readonly blksize: number;
  /** Is 0. */
  readonly ino = 0;
  /** Gives the size of the device, in bytes. */
  readonly size: number;
  /** Gives the size in units of 512 bytes, the last one perhaps not whole. */
  readonly blocks: number;
  /** Is 0. */
  readonly atimeMs = 0;
  /** Is 0. */
  readonly mtimeMs = 0;
  /** Is 0. */
  readonly ctimeMs = 0;
  /** Is 0. */
  readonly birthtimeMs = 0;
  /** Is the beginning of 1970. */
  readonly atime = new Date(0);
  /** Is the beginning of 1970. */
  readonly mtime = new Date(0);
  /** Is the beginning of 1970. */
  readonly ctime = new Date(0);
  /** Is the beginning of 1970. */
  readonly birthtime = new Date(0);

  /** @internal */
  constructor(size: number, blksize: number, permissions: number) {
    this.size = size;
    this.blksize = blksize;
    this.blocks = Math.ceil(size / 512);
    this.mode = constants.S_IFBLK | permissions;
  }

  /**
   * Tells that it is a block device.
   *
   * @example
   * (await handle.stat()).isBlockDevice(); // true
   */
  isBlockDevice(): boolean {
    return true;
  }

  /**
   * Tells that it is no regular file.
   *
   * @example
   * (await handle.stat()).isFile(); // false
   */
  isFile(): boolean {
    return false;
  }

  /**
   * Tells that it is no directory.
   *
   * @example
   * (await handle.stat()).isDirectory(); // false
   */
  isDirectory(): boolean {
    return false;
  }

  /**
   * Tells that it is no character device.
   *
   * @example
   * (await handle.stat()).isCharacterDevice(); // false
   */
  isCharacterDevice(): boolean {
    return false;
  }

  /**
   * Tells that it is no symbolic link.
   *
   * @example
   * (await handle.stat()).isSymbolicLink(); // false
   */
  isSymbolicLink(): boolean {
    return false;
  }

  /**
   * Tells that it is no FIFO.
   *
   * @example
   * (await handle.stat()).isFIFO(); // false
   */
  isFIFO(): boolean {
    return false;
  }

  /**
   * Tells that it is no socket.
   *
   * @example
   * (await handle.stat()).isSocket(); // false
   */
  isSocket(): boolean {
    return false;
  }
}

/** Makes the stats of a device. */
export function deviceStats({ size, sectorSize, mode }: BlockDevice): DeviceStats {
  return new DeviceStats(size, sectorSize, mode === 'r+' ? 0o600 : 0o400);
}
