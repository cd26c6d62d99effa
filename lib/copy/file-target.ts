// A regular file as the target of a copy. It grows, which no device does, so it is written through node:fs, under the lock
// that a device has. Once it has its length there is a device over it, for what the host copies and for holes.
import { constants, type BigIntStats } from 'node:fs';
import { open as openFile, rm, stat, type FileHandle } from 'node:fs/promises';
import { constants as system } from 'node:os';
import { BlockDeviceError, open as openDevice, type BlockDevice } from '../index.js';
import { lockToGrow } from '../open.js';
import type { DevicePart, Stretch, Target } from './ends.js';
import { DeviceTarget } from './device-ends.js';
import { runsOf } from './extent.js';
import { placeOfDevice, placeOfFile } from './place.js';

type Name = string | Buffer | URL;

const ZEROS = Buffer.alloc(1 << 16);

/** How a file is written. */
export interface FileTargetOptions {
  /** First byte of the file, which is changed in place; undefined: it is replaced. */
  readonly start: number | undefined;
  /** Whether to keep others off it. */
  readonly lock: boolean;
  /** It reads as zeros where it is not written. */
  readonly isZero: boolean;
  /** Looks at the file before it is locked, and throws when it must not be written. */
  readonly check: (stats: BigIntStats) => Promise<void>;
}

/** Takes its content off a file. One that has none is let be: ext4 would write a file that was cut to nothing back at its close, and wait for it. */
async function cutOff(handle: FileHandle): Promise<void> {
  const { size } = await handle.stat();
  if (size > 0) await handle.truncate(0);
}

/** A file that is created, replaced, or changed in place. */
export class FileTarget implements Target {
  readonly isStream = false;
  readonly size = Infinity;
  readonly #path: Name;
  readonly #handle: FileHandle;
  readonly #lock: BlockDevice | undefined;
  readonly #start: number;
  readonly #isReplaced: boolean;
  readonly #isSaidToBeZero: boolean;
  /** To remove when the copy fails: a file that was not there before. */
  readonly #created: Name | undefined;
  #emptied: Promise<void> | undefined;
  /** What it held before is there until something else lies in its place. */
  #isKept = false;
  /** Bytes that it had before it grew, to have again when the copy fails. */
  #shorter: number | undefined;
  /** The file as a device, when it has its length. */
  #disk: { readonly device: BlockDevice; readonly target: DeviceTarget } | undefined;

  private constructor(path: Name, handle: FileHandle, lock: BlockDevice | undefined, isCreated: boolean, options: FileTargetOptions) {
    this.#path = path;
    this.#handle = handle;
    this.#lock = lock;
    this.#start = options.start ?? 0;
    this.#isReplaced = options.start === undefined;
    this.#created = isCreated ? path : undefined;
    this.#isSaidToBeZero = options.isZero;
  }

  /**
   * Opens the file, or makes it; nothing of it is changed before the first write.
   *
   * @throws {BlockDeviceError} EBUSY while somebody has it open as a device; ESTALE the path names another file by now
   */
  static async open(path: Name, options: FileTargetOptions): Promise<FileTarget> {
    const { lock, check } = options;
    const { handle, created } = await openOrCreate(path).catch((error: unknown) => {
      throw hostError(error, path);
    });
    let held: BlockDevice | undefined;
    try {
      const stats = await handle.stat({ bigint: true });
      await check(stats);
      held = lock ? await lockToGrow(path) : undefined;
      // What was locked by its name has to be what is written.
      if (held !== undefined && !(await isNamed(path, stats))) throw staleError(path);
      return new FileTarget(path, handle, held, created, options);
    } catch (error) {
      await held?.close();
      if (created) await removeOwn(path, handle);
      await handle.close();
      throw error;
    }
  }

  get isZero(): boolean {
    return this.#isSaidToBeZero || (this.#isReplaced && !this.#isKept);
  }

  async begin(length: number, mayRefuse: boolean): Promise<DevicePart | undefined> {
    // Blocks that are shared take the place of what is there; where they cannot be, that is still wanted.
    this.#isKept = mayRefuse;
    await this.#empty();
    const { size } = await this.#handle.stat();
    const end = this.#start + length;
    if (end > Number.MAX_SAFE_INTEGER) throw hostError({ errno: -system.errno.EFBIG, syscall: 'ftruncate' }, this.#path);
    if (size < end) {
      if (this.#isKept || !this.#isReplaced) this.#shorter = size;
      await this.#told(this.#handle.truncate(end));
    }
    const device = length === 0 ? undefined : await this.#open();
    if (device === undefined) return undefined;
    const target = new DeviceTarget(device, { start: this.#start, isOurs: true, fua: false, isZero: this.isZero });
    this.#disk = { device, target };
    return target.begin();
  }

  stretches(position: number, length: number, signal: AbortSignal): AsyncIterator<Stretch> {
    return this.#disk?.target.stretches(position, length, signal) ?? allData(position, length);
  }

  async write(data: Buffer, position: number, detect: boolean): Promise<void> {
    await this.#empty();
    // What was emptied holds zeros, or will when it gets its length.
    const runs = detect && this.isZero ? runsOf(data).filter(({ isZero }) => !isZero) : [{ from: 0, to: data.length }];
    for (const { from, to } of runs) await this.#put(data, from, to, position);
  }

  async zero(position: number, length: number, signal: AbortSignal): Promise<void> {
    await this.#empty();
    if (this.isZero) return;
    if (this.#disk !== undefined) return this.#disk.target.zero(position, length, signal);
    for (let done = 0; done < length; done += ZEROS.length) {
      signal.throwIfAborted();
      await this.#put(ZEROS, 0, Math.min(ZEROS.length, length - done), position + done);
    }
  }

  async finish(length: number, flush: boolean): Promise<void> {
    await this.#empty();
    this.#shorter = undefined;
    if (this.#isReplaced) await this.#told(this.#handle.truncate(length));
    if (flush) await this.#told(this.#handle.sync());
  }

  async read(memory: Buffer, position: number): Promise<number> {
    let done = 0;
    while (done < memory.length) {
      const { bytesRead } = await this.#told(this.#handle.read(memory, done, memory.length - done, this.#start + position + done));
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async close(failure?: { readonly reason: unknown }): Promise<void> {
    // The lock goes last: nobody is to find a file that is about to be removed.
    try {
      await this.#disk?.device.close();
      if (failure !== undefined && this.#shorter !== undefined) await this.#told(this.#handle.truncate(this.#shorter));
      if (failure !== undefined && this.#created !== undefined) await removeOwn(this.#created, this.#handle);
      await this.#handle.close();
    } finally {
      await this.#lock?.close();
    }
  }

  /** Once, whoever writes first: what was there stays for as long as nothing comes in its place. */
  #empty(): Promise<void> {
    return (this.#emptied ??= this.#isReplaced && !this.#isKept ? this.#told(cutOff(this.#handle)) : Promise.resolve());
  }

  /** Opens the file as a device; undefined where its name is another one's by now, or the file cannot be one. */
  async #open(): Promise<BlockDevice | undefined> {
    const stats = await this.#handle.stat({ bigint: true });
    let device: BlockDevice;
    try {
      // The file is made durable through its handle.
      device = await openDevice(this.#path, { mode: 'r+', access: 'pio', cache: 'unsafe', lock: false });
    } catch {
      return undefined; // reads and writes say what is wrong with it
    }
    if (placeOfDevice(device, 0, 0).file === placeOfFile(stats, 0, 0)?.file) return device;
    await device.close();
    return undefined;
  }

  /** What the host says of the file, as an error that names it. */
  async #told<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw hostError(error, this.#path);
    }
  }

  async #put(data: Buffer, from: number, to: number, position: number): Promise<void> {
    for (let done = from; done < to;) {
      const { bytesWritten } = await this.#told(this.#handle.write(data, done, to - done, this.#start + position + done));
      done += bytesWritten;
    }
  }
}

/** Of a file of which nothing is known, all is data. */
function allData(position: number, length: number): AsyncIterator<Stretch> {
  const all: Stretch[] = [{ position, length, isZero: false }];
  return {
    next: () => {
      const value = all.pop();
      return Promise.resolve(value === undefined ? { value, done: true } : { value, done: false });
    },
  };
}

async function openOrCreate(path: Name): Promise<{ handle: FileHandle; created: boolean }> {
  try {
    return { handle: await openFile(path, 'wx+'), created: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return { handle: await openFile(path, constants.O_RDWR), created: false };
  }
}

/** Removes the file that is open, and no other that has its name by now. */
async function removeOwn(path: Name, handle: FileHandle): Promise<void> {
  const stats = await handle.stat({ bigint: true });
  if (await isNamed(path, stats)) await rm(path, { force: true });
}

async function isNamed(path: Name, { dev, ino }: BigIntStats): Promise<boolean> {
  try {
    const named = await stat(path, { bigint: true });
    return named.dev === dev && named.ino === ino;
  } catch {
    return false; // nothing has that name any more
  }
}

/** What the host says of the file as an error of ours; anything else as it is. */
function hostError(error: unknown, path: Name): unknown {
  const { errno, syscall } = error as NodeJS.ErrnoException;
  return errno === undefined || syscall === undefined ? error : new BlockDeviceError({ errno, syscall, path: path.toString() });
}

function staleError(path: Name): BlockDeviceError {
  return new BlockDeviceError({ errno: -system.errno.ESTALE, syscall: 'lock', path: path.toString() });
}
