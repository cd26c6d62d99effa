// DeviceFileHandle: a device behind the methods of the FileHandle of node:fs/promises. A device has no cursor; a handle has one.
// Over 300 lines: one class, whose members are short and documented one by one.
import { EventEmitter } from 'node:events';
import type { ReadableStream, WritableStream } from 'node:stream/web';
import { handleOf } from '../../device.js';
import { closedError, invalidArgValue } from '../../errors.js';
import type { BlockDevice } from '../../index.js';
import type { Bytes, Position, View } from '../../request/transfer.js';
import { keysOf, NO_CHOICE } from '../../arguments/known-keys.js';
import { flag, requireOptions } from '../../arguments/validate.js';
import { failureOn, requireRoom, requireWhole } from '../../copy/extent.js';
import { placeOf, readRequest, viewsOf, writeRequest, type FileRequest, type FileTransferOptions } from './arguments.js';
import { readStreamOptions, webReadStreamOptions, webWriteStreamOptions, writeStreamOptions } from './options.js';
import type { ReadStreamOptions, WebReadStreamOptions, WebWriteStreamOptions, WriteStreamOptions } from './options.js';
import { DeviceReadStream } from './read-stream.js';
import { deviceStats, type DeviceStats } from './stats.js';
import { readableWebStream, writableWebStream } from './web-streams.js';
import { DeviceWriteStream } from './write-stream.js';

/** Options of {@link openFileHandle}. */
export interface FileHandleOptions {
  /** Closes the device as well when the handle is closed; default false. */
  closeDevice?: boolean;
}

const STAT_KEYS = keysOf<{ bigint?: boolean }>({ bigint: true });
const HANDLE_KEYS = keysOf<FileHandleOptions>({ closeDevice: true }, { ...NO_CHOICE, autoClose: "'closeDevice'", close: "'closeDevice'" });

/**
 * Behaves as the FileHandle of `node:fs/promises` does, over a device. Reads end at the end of the device and give 0 bytes
 * beyond it; a write that does not fit is ENOSPC and writes nothing. Emits `'close'` when it is closed.
 *
 * @example
 * const handle = openFileHandle(device);
 * const { bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 4096);
 */
export class DeviceFileHandle extends EventEmitter implements AsyncDisposable {
  /** Gives the device, which stays open when the handle is closed, unless `closeDevice` says otherwise. */
  readonly device: BlockDevice;

  readonly #closeDevice: boolean;
  #cursor = 0;
  #pending = 0;
  #idle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(device: BlockDevice, closeDevice: boolean) {
    super();
    this.device = device;
    this.#closeDevice = closeDevice;
  }

  /** Tells whether the handle is closed, or about to be. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Reads into a buffer; short only at the end of the device.
   *
   * @param buffer memory to fill; default 16 KiB of its own
   * @param offset first byte of the buffer; default 0
   * @param length bytes to read; default: to the end of the buffer
   * @param position bytes from the start of the device; null, -1 or left out: that of the handle, which moves when the call is made
   * @returns the bytes read, 0 from the end of the device on, and the caller's own view
   * @throws {BlockDeviceError} EIO host or injected; EBADF closed
   *
   * @example
   * await handle.read(Buffer.alloc(512), 0, 512, 4096); // offset, length, position: the order of node:fs
   */
  read<T extends View>(
    buffer: T,
    offset?: number | null,
    length?: number | null,
    position?: Position | null,
  ): Promise<{ bytesRead: Bytes; buffer: T }>;
  /**
   * Reads into a buffer; short only at the end of the device.
   *
   * @param buffer memory to fill
   * @param options `offset`, `length`, `position` as above, and `signal`
   * @returns the bytes read and the caller's own view
   * @throws {BlockDeviceError} EIO host or injected; EBADF closed
   *
   * @example
   * await handle.read(Buffer.alloc(512), { position: 4096 });
   */
  read<T extends View>(buffer: T, options?: FileTransferOptions): Promise<{ bytesRead: Bytes; buffer: T }>;
  /**
   * Reads into a buffer; short only at the end of the device.
   *
   * @param options `buffer`, default 16 KiB of its own, and the options as above
   * @returns the bytes read and the view
   * @throws {BlockDeviceError} EIO host or injected; EBADF closed
   *
   * @example
   * const { bytesRead, buffer: bytes } = await handle.read({ position: 4096 });
   */
  read<T extends View = ReturnType<typeof Buffer.alloc>>(
    options?: FileTransferOptions & { buffer?: T },
  ): Promise<{ bytesRead: Bytes; buffer: T }>;
  async read(...args: unknown[]): Promise<{ bytesRead: Bytes; buffer: View }> {
    return this.#use('read', async () => {
      const request = readRequest(args);
      return { bytesRead: await this.#read(request), buffer: request.buffer };
    });
  }

  /**
   * Reads into several buffers, one after the other.
   *
   * @param buffers memory to fill
   * @param position bytes from the start of the device; null or left out: that of the handle
   * @returns the bytes read and the caller's own array
   * @throws {BlockDeviceError} EIO host or injected; EBADF closed
   *
   * @example
   * await handle.readv([Buffer.alloc(512), Buffer.alloc(4096)], 0);
   */
  async readv<T extends View>(buffers: readonly T[], position?: Position | null): Promise<{ bytesRead: Bytes; buffers: readonly T[] }> {
    return this.#use('read', async () => {
      const { views, length } = viewsOf(buffers);
      const from = this.#claim(placeOf(position), length);
      let bytesRead = 0;
      for (const view of views) {
        const moved = await this.#readAt(view, 0, view.byteLength, from + bytesRead);
        bytesRead += moved;
        if (moved < view.byteLength) break;
      }
      return { bytesRead, buffers };
    });
  }

  /**
   * Writes a buffer: all of it, or nothing where it does not fit.
   *
   * @param buffer memory to write
   * @param offset first byte of the buffer; default 0
   * @param length bytes to write; default: to the end of the buffer
   * @param position bytes from the start of the device; null, -1 or left out: that of the handle, which moves when the call is made
   * @returns the bytes written and the caller's own view
   * @throws {BlockDeviceError} ENOSPC beyond the end; EACCES mode 'r'; EIO host or injected; EBADF closed
   *
   * @example
   * await handle.write(Buffer.from('hello'), 0, 5, 4096);
   */
  write<T extends View>(
    buffer: T,
    offset?: number | null,
    length?: number | null,
    position?: Position | null,
  ): Promise<{ bytesWritten: Bytes; buffer: T }>;
  /**
   * Writes a buffer: all of it, or nothing where it does not fit.
   *
   * @param buffer memory to write
   * @param options `offset`, `length`, `position` as above, and `signal`
   * @returns the bytes written and the caller's own view
   * @throws {BlockDeviceError} ENOSPC beyond the end; EACCES mode 'r'; EIO host or injected; EBADF closed
   *
   * @example
   * await handle.write(Buffer.from('hello'), { position: 4096 });
   */
  write<T extends View>(buffer: T, options?: FileTransferOptions): Promise<{ bytesWritten: Bytes; buffer: T }>;
  /**
   * Writes a string: all of it, or nothing where it does not fit.
   *
   * @param data the string
   * @param position bytes from the start of the device; null or left out: that of the handle
   * @param encoding how characters become bytes; default utf8
   * @returns the bytes written and the string
   * @throws {BlockDeviceError} ENOSPC beyond the end; EACCES mode 'r'; EIO host or injected; EBADF closed
   *
   * @example
   * await handle.write('hello', 4096, 'utf8');
   */
  write(data: string, position?: Position | null, encoding?: BufferEncoding | null): Promise<{ bytesWritten: Bytes; buffer: string }>;
  async write(...args: unknown[]): Promise<{ bytesWritten: Bytes; buffer: View | string }> {
    return this.#use('write', async () => {
      const request = writeRequest(args);
      return { bytesWritten: await this.#write(request), buffer: args[0] as View | string };
    });
  }

  /**
   * Writes several buffers, one after the other: all of them, or nothing where they do not fit.
   *
   * @param buffers memory to write
   * @param position bytes from the start of the device; null or left out: that of the handle
   * @returns the bytes written and the caller's own array
   * @throws {BlockDeviceError} ENOSPC beyond the end; EACCES mode 'r'; EIO host or injected; EBADF closed
   *
   * @example
   * await handle.writev([Buffer.from('head'), Buffer.from('body')], 4096);
   */
  async writev<T extends View>(buffers: readonly T[], position?: Position | null): Promise<{ bytesWritten: Bytes; buffers: readonly T[] }> {
    return this.#use('write', async () => {
      const { views, length } = viewsOf(buffers);
      const place = placeOf(position);
      requireRoom(this.device, place ?? this.#cursor, length);
      const from = this.#claim(place, length);
      let bytesWritten = 0;
      for (const view of views) bytesWritten += await this.#writeAt(view, 0, view.byteLength, from + bytesWritten);
      return { bytesWritten, buffers };
    });
  }

  /**
   * Tells type and size, in numbers.
   *
   * @param options `bigint`, which can only be false
   * @throws {BlockDeviceError} EBADF closed
   *
   * @example
   * const { size } = await handle.stat();
   */
  async stat(options?: { bigint?: false }): Promise<DeviceStats> {
    return this.#use('fstat', () => {
      if (options !== undefined) requireOptions(options, 'options', STAT_KEYS);
      const bigint: unknown = options?.bigint;
      if (bigint !== undefined && bigint !== false) throw invalidArgValue('options.bigint', bigint, 'must be false');
      return Promise.resolve(deviceStats(this.device));
    });
  }

  /**
   * Makes everything written so far durable.
   *
   * @throws {BlockDeviceError} EIO or ENOSPC host; EBADF closed
   *
   * @example
   * await handle.write('hello', 0);
   * await handle.sync();
   */
  async sync(): Promise<void> {
    return this.#use('fsync', () => this.device.flush());
  }

  /**
   * Makes everything written so far durable, as `sync()` does.
   *
   * @throws {BlockDeviceError} EIO or ENOSPC host; EBADF closed
   *
   * @example
   * await handle.datasync();
   */
  async datasync(): Promise<void> {
    return this.#use('fdatasync', () => this.device.flush());
  }

  /**
   * Refuses: a device has the size that it has.
   *
   * @throws {BlockDeviceError} EINVAL always; EBADF closed
   *
   * @example
   * await handle.truncate(0).catch((error) => console.log(error.code)); // EINVAL
   */
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- the parameter is part of the interface
  async truncate(_length?: number): Promise<never> {
    return this.#use('ftruncate', () => Promise.reject(failureOn(this.device, 'EINVAL', 'ftruncate')));
  }

  /**
   * Makes a Readable of a range.
   *
   * @param options range, chunk size, encoding, `signal`, `autoClose`
   * @returns the stream
   * @throws {BlockDeviceError} EBADF closed
   *
   * @example
   * for await (const chunk of handle.createReadStream({ start: 0, end: 65535 })) console.log(chunk.length);
   */
  createReadStream(options?: ReadStreamOptions): DeviceReadStream {
    this.#requireOpen('read');
    return new DeviceReadStream(this, readStreamOptions(options));
  }

  /**
   * Makes a Writable from a position on; what does not fit is ENOSPC.
   *
   * @param options start, encoding, `signal`, `autoClose`, `flush`
   * @returns the stream
   * @throws {BlockDeviceError} EBADF closed
   *
   * @example
   * await pipeline(process.stdin, handle.createWriteStream({ start: 4096, flush: true }));
   */
  createWriteStream(options?: WriteStreamOptions): DeviceWriteStream {
    this.#requireOpen('write');
    return new DeviceWriteStream(this, writeStreamOptions(options));
  }

  /**
   * Makes a ReadableStream of a range: a stream of bytes, which also takes BYOB readers, and reads only what is asked for.
   *
   * @param options range, chunk size, `signal`, `autoClose`
   * @returns the stream
   * @throws {BlockDeviceError} EBADF closed
   *
   * @example
   * for await (const chunk of handle.readableWebStream({ start: 0 })) console.log(chunk.byteLength);
   */
  readableWebStream(options?: WebReadStreamOptions): ReadableStream<Uint8Array> {
    this.#requireOpen('read');
    return readableWebStream(this, webReadStreamOptions(options));
  }

  /**
   * Makes a WritableStream from a position on; what does not fit is ENOSPC.
   *
   * @param options start, `highWaterMark`, `signal`, `autoClose`, `flush`
   * @returns the stream
   * @throws {BlockDeviceError} EBADF closed
   *
   * @example
   * const writer = handle.writableWebStream({ start: 4096 }).getWriter();
   * await writer.write(Buffer.from('hello'));
   * await writer.close();
   */
  writableWebStream(options?: WebWriteStreamOptions): WritableStream<View> {
    this.#requireOpen('write');
    return writableWebStream(this, webWriteStreamOptions(options));
  }

  /**
   * Closes the handle: waits for what is in flight. Calls that come later return the same promise.
   *
   * @throws {BlockDeviceError} EIO or ENOSPC when `closeDevice` is set and the last flush failed
   *
   * @example
   * const handle = openFileHandle(device);
   * await handle.close(); // the device stays open
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#finish());
  }

  /** Closes the handle as `close()` does, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #finish(): Promise<void> {
    // The promise of the close exists from here on: what begins now is refused.
    await Promise.resolve();
    if (this.#pending > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    try {
      if (this.#closeDevice) await this.device.close();
    } finally {
      this.emit('close');
    }
  }

  #requireOpen(method: string): void {
    if (this.#closing !== undefined) throw closedError('file', method);
  }

  /** Counts what is in flight, so that a close waits for it. */
  async #use<T>(method: string, work: () => Promise<T>): Promise<T> {
    this.#requireOpen(method);
    this.#pending += 1;
    try {
      return await work();
    } finally {
      this.#pending -= 1;
      if (this.#pending === 0) this.#idle?.();
    }
  }

  /** Where a request begins. Without a place of its own it takes its range off the cursor at once, so that the next one finds it moved. */
  #claim(position: number | undefined, length: number): number {
    if (position !== undefined) return position;
    const from = this.#cursor;
    this.#cursor = Math.min(from + length, Math.max(from, this.device.size));
    return from;
  }

  async #read({ buffer, offset, length, position, signal }: FileRequest): Promise<number> {
    const from = this.#claim(position, length);
    try {
      return await this.#readAt(buffer, offset, length, from, signal);
    } catch (error) {
      if (position === undefined) this.#unclaim(from, length);
      throw error;
    }
  }

  async #write({ buffer, offset, length, position, signal }: FileRequest): Promise<number> {
    requireRoom(this.device, position ?? this.#cursor, length);
    const from = this.#claim(position, length);
    try {
      return await this.#writeAt(buffer, offset, length, from, signal);
    } catch (error) {
      if (position === undefined) this.#unclaim(from, length);
      throw error;
    }
  }

  /** A request that failed did not move the cursor, unless another one has moved it since. */
  #unclaim(from: number, length: number): void {
    if (this.#cursor === Math.min(from + length, this.device.size)) this.#cursor = from;
  }

  async #readAt(buffer: View, offset: number, length: number, from: number, signal?: AbortSignal): Promise<number> {
    if (from >= this.device.size && !this.device.closed) return 0;
    const { bytesRead } = await this.device.read(buffer, from, { offset, length, ...(signal !== undefined && { signal }) });
    return bytesRead;
  }

  async #writeAt(buffer: View, offset: number, length: number, from: number, signal?: AbortSignal): Promise<number> {
    const { bytesWritten } = await this.device.write(buffer, from, { offset, length, ...(signal !== undefined && { signal }) });
    requireWhole(this.device, bytesWritten, length);
    return bytesWritten;
  }
}

/**
 * Makes a handle with the methods of `node:fs/promises`' FileHandle over an open device.
 *
 * @param device the device
 * @param options whether the device is closed with the handle; default: no
 * @returns the handle, at position 0
 * @throws {BlockDeviceError} EBADF closed
 *
 * @example
 * await using device = await open('disk.img');
 * const handle = openFileHandle(device);
 * await pipeline(handle.createReadStream({ start: 0, end: 511 }), process.stdout);
 */
export function openFileHandle(device: BlockDevice, options: FileHandleOptions = {}): DeviceFileHandle {
  handleOf(device, 'openFileHandle');
  requireOptions(options, 'options', HANDLE_KEYS);
  return new DeviceFileHandle(device, flag(options.closeDevice, 'options.closeDevice', false));
}
