// DeviceDisk: a device as a Disk of the package file-disk, which ext2fs, partitioninfo and balena-image-fs take.
// Reads go straight to the device unless the Disk knows better what is there: chunks that it recorded and did not write.
import type * as fileDisk from 'file-disk';
import type { ReadResult, WriteResult } from 'file-disk';
import { handleOf, readPart } from '../device.js';
import type { BlockDevice } from '../index.js';
import { viewLength } from '../request/transfer.js';
import { keysOf, NO_CHOICE } from '../arguments/known-keys.js';
import { bytes, flag, integer, requireOptions } from '../arguments/validate.js';
import { requireRoom, requireWhole, zeroRange } from '../copy/extent.js';
import { loadPeer } from './peer.js';

// eslint-disable-next-line @typescript-eslint/no-require-imports -- an import would not let the error say what is missing
const { Disk } = loadPeer('file-disk', 'rumpblk/file-disk', () => require('file-disk') as typeof fileDisk);

/** Options of a {@link DeviceDisk}; they are those of `Disk` itself, by name. */
export interface DeviceDiskOptions {
  /** Takes writes and discards without passing them on to the device, as file-disk does; default false: writes on an `'r'` device are EACCES. */
  readOnly?: boolean;
  /** Keeps what is written in memory as well, for `getTransformStream()`, and for reads when `readOnly`; default false. */
  recordWrites?: boolean;
  /** Keeps what is read in memory and gives it again; default false. */
  recordReads?: boolean;
  /** Makes discarded ranges zeros; default true. With false a discard is only recorded. */
  discardIsZero?: boolean;
}

const DISK_KEYS = keysOf<DeviceDiskOptions>({ readOnly: true, recordWrites: true, recordReads: true, discardIsZero: true }, NO_CHOICE);

/**
 * Gives a device to the clients of the package file-disk: ext2fs, partitioninfo, balena-image-fs.
 *
 * @example
 * await using device = await open('disk.img', { mode: 'r+' });
 * const disk = new DeviceDisk(device);
 * await ext2fs.withMountedDisk(disk, 0, (fs) => promisify(fs.mkdir)('/boot', 0o755));
 * await device.flush();
 */
export class DeviceDisk extends Disk {
  /** Gives the device, which stays the caller's: closing it ends the disk. */
  readonly device: BlockDevice;

  /**
   * Makes a disk of an open device.
   *
   * @param device the device; positions of the disk are those of the device
   * @param options what the Disk records, and whether it writes; default: nothing, and it does
   * @throws {BlockDeviceError} EBADF closed
   *
   * @example
   * const disk = new DeviceDisk(device, { readOnly: true });
   */
  constructor(device: BlockDevice, options: DeviceDiskOptions = {}) {
    handleOf(device, 'DeviceDisk');
    requireOptions(options, 'options', DISK_KEYS);
    const { readOnly, recordWrites, recordReads, discardIsZero } = options;
    super(
      flag(readOnly, 'options.readOnly', false),
      flag(recordWrites, 'options.recordWrites', false),
      flag(recordReads, 'options.recordReads', false),
      flag(discardIsZero, 'options.discardIsZero', true),
    );
    this.device = device;
  }

  /**
   * Reads at a position of the disk; short at its end, 0 bytes from there on.
   *
   * @param buffer memory to fill
   * @param bufferOffset first byte of the buffer
   * @param length bytes to read
   * @param fileOffset bytes from the start of the disk
   * @returns the bytes read, and the caller's buffer
   * @throws {BlockDeviceError} EIO host or injected; EBADF closed
   *
   * @example
   * const { bytesRead } = await new DeviceDisk(device).read(buffer, 0, 512, 4096); // 512 bytes from 4096 on
   */
  override async read(buffer: Buffer, bufferOffset: number, length: number, fileOffset: number): Promise<ReadResult> {
    requirePart(buffer, bufferOffset, length, fileOffset);
    const isKnown = this.recordReads || (this.readOnly && this.knownChunks.length > 0);
    return isKnown ? this.#readKnown(buffer, bufferOffset, length, fileOffset) : this._read(buffer, bufferOffset, length, fileOffset);
  }

  /**
   * Writes at a position of the disk: all of it, or nothing where it does not fit.
   *
   * @param buffer memory to write
   * @param bufferOffset first byte of the buffer
   * @param length bytes to write
   * @param fileOffset bytes from the start of the disk
   * @returns the bytes written, and the caller's buffer
   * @throws {BlockDeviceError} ENOSPC beyond the end; EACCES mode 'r'; EIO host or injected; EBADF closed
   *
   * @example
   * await new DeviceDisk(device).write(buffer, 0, 512, 4096);
   */
  override async write(buffer: Buffer, bufferOffset: number, length: number, fileOffset: number): Promise<WriteResult> {
    requirePart(buffer, bufferOffset, length, fileOffset);
    requireRoom(this.device, fileOffset, length);
    // What the base class keeps of discards has to be cut where they are overwritten.
    const isKept = length > 0 && (this.recordWrites || this.knownChunks.length > 0);
    if (isKept) return super.write(buffer, bufferOffset, length, fileOffset);
    return this.readOnly ? { bytesWritten: length, buffer } : this._write(buffer, bufferOffset, length, fileOffset);
  }

  /**
   * Discards a range: on the device it becomes zeros, a hole where the host can have one; and it is recorded for
   * `getDiscardedChunks()` and `getRanges()`. What lies beyond the end is left out.
   *
   * @param offset bytes from the start of the disk
   * @param length bytes
   * @throws {BlockDeviceError} EACCES mode 'r'; EIO host or injected; EBADF closed
   *
   * @example
   * await new DeviceDisk(device).discard(1048576, 65536);
   */
  override async discard(offset: number, length: number): Promise<void> {
    const start = bytes(offset, 'offset');
    const end = Math.min(start + bytes(length, 'length'), this.device.size);
    if (start >= end) return;
    if (!this.readOnly && this.discardIsZero) await zeroRange(this.device, start, end);
    await super.discard(start, end - start);
  }

  /** Gives the size of the device to the base class. */
  protected override _getCapacity(): Promise<number> {
    return Promise.resolve(this.device.size);
  }

  /** Reads from the device for the base class. */
  protected override _read(buffer: Buffer, bufferOffset: number, length: number, fileOffset: number): Promise<ReadResult> {
    const { device } = this;
    // A device refuses what is beyond its end; for a file that is a read of nothing.
    if (fileOffset > device.size && !device.closed) return Promise.resolve({ bytesRead: 0, buffer });
    const moved = readPart(device, buffer, bufferOffset, length, fileOffset);
    return typeof moved === 'number' ? Promise.resolve({ bytesRead: moved, buffer }) : moved.then((bytesRead) => ({ bytesRead, buffer }));
  }

  /** Writes to the device for the base class. */
  protected override async _write(buffer: Buffer, bufferOffset: number, length: number, fileOffset: number): Promise<WriteResult> {
    const { bytesWritten } = await this.device.write(buffer, fileOffset, { offset: bufferOffset, length });
    requireWhole(this.device, bytesWritten, length);
    return { bytesWritten, buffer };
  }

  /** Makes what was written durable, for the base class. */
  protected override _flush(): Promise<void> {
    return this.device.flush();
  }

  /** The base class counts what it asked for, from the start of the buffer: it is asked for what there is, into the part. */
  async #readKnown(buffer: Buffer, bufferOffset: number, length: number, fileOffset: number): Promise<ReadResult> {
    const bytesRead = Math.max(0, Math.min(length, this.device.size - fileOffset));
    if (bytesRead > 0) await super.read(partOf(buffer, bufferOffset, bytesRead), 0, bytesRead, fileOffset);
    return { bytesRead, buffer };
  }
}

function requirePart(buffer: unknown, bufferOffset: unknown, length: unknown, fileOffset: unknown): void {
  const size = viewLength(buffer, 'buffer');
  const first = integer(bufferOffset, 'bufferOffset', 0, size);
  integer(length, 'length', 0, size - first);
  integer(fileOffset, 'fileOffset', 0, Number.MAX_SAFE_INTEGER);
}

/** A Buffer over the part, whatever view it is of: the base class copies as Buffers do. */
function partOf({ buffer, byteOffset }: NodeJS.ArrayBufferView, offset: number, length: number): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset + offset, length);
}
