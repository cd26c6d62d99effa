// A regular file as the target of a copy. It grows, which no device does, so it is written through node:fs.
import { constants } from 'node:fs';
import { open as openFile, rm, type FileHandle } from 'node:fs/promises';
import { invalidArgValue } from '../../errors.js';
import { BlockDeviceError, open } from '../../index.js';
import { runsOf } from '../extent.js';
import type { Target } from './ends.js';

/** A file that is created, replaced, or changed in place. */
export class FileTarget implements Target {
  readonly isStream = false;
  readonly size = Infinity;
  readonly #handle: FileHandle;
  /** To remove when the copy fails: a file that was not there before. */
  readonly #created: string | Buffer | URL | undefined;
  readonly #start: number;
  readonly #isReplaced: boolean;

  private constructor(handle: FileHandle, start: number | undefined, created: string | Buffer | URL | undefined) {
    this.#handle = handle;
    this.#created = created;
    this.#start = start ?? 0;
    this.#isReplaced = start === undefined;
  }

  /**
   * Opens the file; without a `start` it is emptied.
   *
   * @throws {BlockDeviceError} EBUSY while somebody has it open as a device
   */
  static async open(path: string | Buffer | URL, start: number | undefined): Promise<FileTarget> {
    const { handle, created } = await openOrCreate(path);
    try {
      if (!created) await requireUnused(path);
      if (start === undefined) await handle.truncate(0);
      return new FileTarget(handle, start, created ? path : undefined);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async write(data: Buffer, position: number, sparse: boolean): Promise<void> {
    // What was emptied holds zeros, or will when it gets its length.
    const runs = sparse && this.#isReplaced ? runsOf(data).filter(({ isZero }) => !isZero) : [{ from: 0, to: data.length }];
    for (const { from, to } of runs) {
      for (let done = from; done < to;) {
        const { bytesWritten } = await this.#handle.write(data, done, to - done, this.#start + position + done);
        done += bytesWritten;
      }
    }
  }

  async finish(length: number, flush: boolean): Promise<void> {
    if (this.#isReplaced) await this.#handle.truncate(length);
    if (flush) await this.#handle.sync();
  }

  async read(memory: Buffer, position: number): Promise<number> {
    let done = 0;
    while (done < memory.length) {
      const { bytesRead } = await this.#handle.read(memory, done, memory.length - done, this.#start + position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async close(failure?: { readonly reason: unknown }): Promise<void> {
    await this.#handle.close();
    if (failure !== undefined && this.#created !== undefined) await rm(this.#created, { force: true });
  }
}

async function openOrCreate(path: string | Buffer | URL): Promise<{ handle: FileHandle; created: boolean }> {
  try {
    return { handle: await openFile(path, 'wx+'), created: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return { handle: await openFile(path, constants.O_RDWR), created: false };
  }
}

/** The locks of open devices are asked for, and let go of at once: a file that changes its length cannot be one. */
async function requireUnused(path: string | Buffer | URL): Promise<void> {
  try {
    const device = await open(path, { mode: 'r+', cache: 'unsafe' });
    await device.close();
  } catch (error) {
    // Neither a file nor a disk: a pipe, a terminal.
    if (error instanceof BlockDeviceError && error.code === 'EINVAL') throw invalidArgValue('target', path, 'must be a file or a disk');
    throw error;
  }
}
