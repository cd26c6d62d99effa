// fatfsDriver(): a device as the volume driver of the package fatfs, which asks for whole sectors and takes callbacks.
import { handleOf } from '../device.js';
import { invalidArgType, invalidArgValue } from '../errors.js';
import type { BlockDevice } from '../index.js';
import { viewLength } from '../request/transfer.js';
import { keysOf, NO_CHOICE } from '../arguments/known-keys.js';
import { integer, requireOptions } from '../arguments/validate.js';
import { failureOn, requireRoom, requireWhole } from '../copy/extent.js';

/** Options of {@link fatfsDriver}. */
export interface FatfsDriverOptions {
  /** Bytes of a sector of the file system, a multiple of 512; default 512, which nearly every FAT has. */
  sectorSize?: number;
}

const FATFS_KEYS = keysOf<FatfsDriverOptions>({ sectorSize: true }, NO_CHOICE);

/** What `fatfs.createFileSystem` takes. */
export interface FatfsVolumeDriver {
  /** Bytes of a sector. */
  readonly sectorSize: number;
  /** Whole sectors of the device. */
  readonly numSectors: number;
  /**
   * Fills `dest` from sector `i` on.
   *
   * @param i first sector
   * @param dest memory of whole sectors
   * @param cb called once, later, with the error or null
   *
   * @example
   * fatfsDriver(device).readSectors(0, sector, (error) => console.log(error ?? sector[510]));
   */
  readSectors(i: number, dest: Buffer, cb: FatfsCallback): void;
  /**
   * Writes `data` from sector `i` on: all of it, or nothing where it does not fit (ENOSPC). Not there on an 'r' device,
   * which makes the file system read-only.
   *
   * @param i first sector
   * @param data memory of whole sectors
   * @param cb called once, later, with the error or null
   *
   * @example
   * fatfsDriver(device).writeSectors?.(0, sector, (error) => console.log(error ?? 'written'));
   */
  writeSectors?(i: number, data: Buffer, cb: FatfsCallback): void;
}

/** Takes the outcome of a request of fatfs. */
export type FatfsCallback = (error: Error | null) => void;

/**
 * Makes a volume driver of an open device. fatfs knows no flush: call `flush()` or `close()` of the device when done.
 *
 * @param device the device, from the first sector of the FAT on; `open` with `offset`, or a partition, finds one inside a disk
 * @param options size of a sector
 * @returns the driver
 * @throws {BlockDeviceError} EBADF closed
 *
 * @example
 * await using device = await open('boot.img', { mode: 'r+' });
 * const fs = fatfs.createFileSystem(fatfsDriver(device));
 * await promisify(fs.writeFile)('/cmdline.txt', 'quiet');
 */
export function fatfsDriver(device: BlockDevice, options: FatfsDriverOptions = {}): FatfsVolumeDriver {
  handleOf(device, 'fatfsDriver');
  requireOptions(options, 'options', FATFS_KEYS);
  const { sectorSize: given = device.sectorSize } = options;
  const sectorSize = integer(given, 'options.sectorSize', 512, 65536);
  if (sectorSize % 512 !== 0) throw invalidArgValue('options.sectorSize', given, 'must be a multiple of 512');
  const numSectors = Math.floor(device.size / sectorSize);

  /** What both directions take: first byte and length, in whole sectors. */
  const extent = (i: unknown, memory: unknown, name: string, cb: unknown): [position: number, length: number] => {
    if (typeof cb !== 'function') throw invalidArgType('cb', 'of type function', cb);
    const length = viewLength(memory, name);
    if (length % sectorSize !== 0) throw invalidArgValue(name, memory, `must be whole sectors of ${sectorSize} bytes`);
    return [integer(i, 'i', 0, Math.floor(Number.MAX_SAFE_INTEGER / sectorSize)) * sectorSize, length];
  };
  const read = async (dest: Buffer, position: number, length: number): Promise<void> => {
    if (position + length > numSectors * sectorSize) throw failureOn(device, 'EINVAL', 'read', 0);
    const { bytesRead } = await device.read(dest, position);
    if (bytesRead < length) throw failureOn(device, 'EIO', 'read', bytesRead);
  };
  const write = async (data: Buffer, position: number, length: number): Promise<void> => {
    requireRoom(device, position, length);
    const { bytesWritten } = await device.write(data, position);
    requireWhole(device, bytesWritten, length);
  };
  const driver: FatfsVolumeDriver = {
    sectorSize,
    numSectors,
    readSectors: (i, dest, cb) => answer(read(dest, ...extent(i, dest, 'dest', cb)), cb),
  };
  if (device.mode === 'r+') driver.writeSectors = (i, data, cb) => answer(write(data, ...extent(i, data, 'data', cb)), cb);
  return driver;
}

/** Calls back outside of the promise: what the callback throws is the caller's, and no rejection. */
function answer(begun: Promise<void>, cb: FatfsCallback): void {
  begun.then(
    () => process.nextTick(cb, null),
    (error: unknown) => process.nextTick(cb, error),
  );
}
