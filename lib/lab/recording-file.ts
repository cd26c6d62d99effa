// The file of a whole recording: what was written, in which order, and what the devices held before. All numbers little-endian:
// magic; bytes of the header (u32) and the header, JSON; events, EVENT_NUMBERS doubles each; of each event with data its bytes (u32) and
// they themselves; what the devices held, pieces of [device u32, bytes u32, position f64] and their bytes, behind the last one a device of 2^32 - 1; SHA-256 of all that.
import { createHash } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { constants } from 'node:os';
import { BlockDeviceError, EINVAL, reword } from '../errors.js';
import { EVENT_NUMBERS } from '../native/binding.js';
import type { Mark } from './report.js';

/** What a file begins with. */
export const MAGIC = Buffer.from('RBLKREC1');
const DIGEST_BYTES = 32;
const LAST = 0xffff_ffff;
const PIECE_BYTES = 16;
/** Bytes that are collected before they are written. */
const BUFFERED = 2 ** 20;
/** A header that is longer is none. */
const HEADER_MAX = 2 ** 28;

/** What the header says. */
export interface FileHeader {
  readonly v: 1;
  readonly atomicUnit: number;
  readonly disks: readonly { readonly name: string; readonly size: number }[];
  /** Every mark, those of a state whose recovery was recorded first. */
  readonly marks: readonly Mark[];
  readonly inherited: number;
  readonly events: number;
}

/** Bytes of a device before the recording. */
export interface BasePiece {
  readonly device: number;
  readonly position: number;
  readonly data: Uint8Array;
}

/** What is written to a file. */
export interface FileContent {
  readonly header: FileHeader;
  /** EVENT_NUMBERS for each. */
  readonly rows: Float64Array;
  /** Of the events with data, in order. */
  readonly data: Iterable<Uint8Array>;
  readonly base: AsyncIterable<BasePiece>;
}

/** Writes a file; it is there, whole and under its name, when the promise settles, or not at all. */
export async function writeRecordingFile(file: string, { header, rows, data, base }: FileContent): Promise<void> {
  const fresh = `${file}.${process.pid}.${Date.now().toString(36)}`;
  try {
    await withFile(fresh, 'wx', async (handle) => {
      const sink = new Sink(handle);
      const text = Buffer.from(JSON.stringify(header));
      await sink.put(MAGIC, uint32(text.length), text, new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
      for (const bytes of data) await sink.put(uint32(bytes.length), bytes);
      for await (const { device, position, data: bytes } of base) await sink.put(pieceHead(device, bytes.length, position), bytes);
      await sink.put(pieceHead(LAST, 0, 0));
      await sink.end();
    });
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw hostError(error, file);
  }
}

/** Reads a file piece by piece. The pieces come in their order: rows, data of one event after the other, base. */
export class RecordingFile {
  readonly #handle: FileHandle;
  readonly #file: string;
  readonly #hash = createHash('sha256');
  #at = 0;

  private constructor(handle: FileHandle, file: string) {
    this.#handle = handle;
    this.#file = file;
  }

  /** Opens a file for `use`. */
  static async with<T>(file: string, use: (from: RecordingFile) => Promise<T>): Promise<T> {
    return withFile(file, 'r', (handle) => use(new RecordingFile(handle, file)));
  }

  async header(): Promise<FileHeader> {
    if (!(await this.#take(MAGIC.length)).equals(MAGIC)) throw this.#refuse('not a recording of this version');
    const length = (await this.#take(4)).readUInt32LE();
    if (length > HEADER_MAX) throw this.#refuse('its header is damaged');
    try {
      return checkedHeader(JSON.parse((await this.#take(length)).toString()));
    } catch (error) {
      if (error instanceof BlockDeviceError) throw error;
      throw this.#refuse('its header is damaged');
    }
  }

  async rows(events: number): Promise<Float64Array> {
    const bytes = await this.#take(events * EVENT_NUMBERS * 8);
    // Aligned, which a part of a pool may not be.
    const rows = new Float64Array(events * EVENT_NUMBERS);
    new Uint8Array(rows.buffer).set(bytes);
    return rows;
  }

  async data(): Promise<Buffer> {
    return this.#take((await this.#take(4)).readUInt32LE());
  }

  async *base(): AsyncGenerator<BasePiece, void> {
    for (;;) {
      const head = await this.#take(PIECE_BYTES);
      const device = head.readUInt32LE(0);
      if (device === LAST) return;
      yield { device, position: head.readDoubleLE(8), data: await this.#take(head.readUInt32LE(4)) };
    }
  }

  /** Is called at the end: what was read has to be what was written. */
  async end(): Promise<void> {
    const digest = this.#hash.copy().digest();
    if (!(await this.#take(DIGEST_BYTES)).equals(digest)) throw this.#refuse('it is damaged: its checksum is another one');
  }

  async #take(length: number): Promise<Buffer> {
    const { size } = await this.#handle.stat();
    if (length > size - this.#at) throw ownError(constants.errno.EIO, this.#file, 'it ends too early');
    const buffer = Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length;) {
      const { bytesRead } = await this.#handle.read(buffer, filled, length - filled, this.#at + filled);
      if (bytesRead === 0) throw ownError(constants.errno.EIO, this.#file, 'it ends too early');
      filled += bytesRead;
    }
    this.#at += length;
    this.#hash.update(buffer);
    return buffer;
  }

  #refuse(why: string): BlockDeviceError {
    return ownError(EINVAL, this.#file, why);
  }
}

/** Makes an error that says what is wrong with a file. */
export function ownError(errno: number, file: string, why: string): BlockDeviceError {
  const error = new BlockDeviceError({ errno, syscall: 'read', path: file });
  return reword(error, `${error.message} (${why})`, ownError);
}

class Sink {
  readonly #handle: FileHandle;
  readonly #hash = createHash('sha256');
  #parts: Uint8Array[] = [];
  #size = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async put(...parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      this.#hash.update(part);
      this.#parts.push(part);
      this.#size += part.length;
    }
    if (this.#size >= BUFFERED) await this.#flush();
  }

  async end(): Promise<void> {
    this.#parts.push(this.#hash.digest());
    await this.#flush();
  }

  async #flush(): Promise<void> {
    await this.#handle.writeFile(Buffer.concat(this.#parts));
    [this.#parts, this.#size] = [[], 0];
  }
}

async function withFile<T>(file: string, flags: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  let handle: FileHandle;
  try {
    handle = await open(file, flags);
  } catch (error) {
    throw hostError(error, file);
  }
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

function hostError(error: unknown, file: string): unknown {
  if (error instanceof BlockDeviceError) return error;
  const { errno, syscall = 'open' } = error as NodeJS.ErrnoException;
  return typeof errno === 'number' ? new BlockDeviceError({ errno, syscall, path: file }, { cause: error }) : error;
}

function checkedHeader(value: unknown): FileHeader {
  const { v, atomicUnit, disks, marks, inherited, events } = value as Partial<Record<keyof FileHeader, unknown>>;
  const isCount = (number: unknown): boolean => Number.isSafeInteger(number) && (number as number) >= 0;
  const areDisks =
    Array.isArray(disks) && disks.every((disk: { name?: unknown; size?: unknown }) => typeof disk.name === 'string' && isCount(disk.size));
  const areMarks = Array.isArray(marks) && marks.every((mark: { name?: unknown }) => typeof mark.name === 'string');
  if (v !== 1 || !isCount(atomicUnit) || !areDisks || !areMarks || !isCount(inherited) || !isCount(events))
    throw new SyntaxError('no header');
  return value as FileHeader;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function pieceHead(device: number, length: number, position: number): Buffer {
  const bytes = Buffer.allocUnsafe(PIECE_BYTES);
  bytes.writeUInt32LE(device, 0);
  bytes.writeUInt32LE(length, 4);
  bytes.writeDoubleLE(position, 8);
  return bytes;
}
