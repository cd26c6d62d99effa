// Streams over a device, each with a handle of its own, so that no stream can close what another one reads.
import type { BlockDevice } from '../../index.js';
import { openFileHandle } from './file-handle.js';
import type { ReadStreamOptions, WriteStreamOptions } from './options.js';
import type { DeviceReadStream } from './read-stream.js';
import type { DeviceWriteStream } from './write-stream.js';

/**
 * Makes a stream that reads a device, as `fs.createReadStream` does of a file. Its end, or `destroy()`, closes nothing: the device stays open.
 *
 * @param device the device
 * @param options `start`, default 0; `end`, the last byte, default that of the device; `highWaterMark`, bytes, default 64 KiB; `encoding`; `signal`
 * @returns the stream
 * @throws {BlockDeviceError} EBADF closed; a failed read destroys the stream with the device's error
 *
 * @example
 * for await (const chunk of createReadStream(device, { start: 0, end: 65535 })) console.log(chunk.length);
 */
export function createReadStream(device: BlockDevice, options?: ReadStreamOptions): DeviceReadStream {
  return openFileHandle(device).createReadStream(options);
}

/**
 * Makes a stream that writes to a device, as `fs.createWriteStream` does to a file. Its end, or `destroy()`, closes nothing: the device stays
 * open.
 *
 * @param device the device, open `'r+'`
 * @param options `start`, default 0; `flush`, default false: durable at the end; `highWaterMark`, bytes, default 64 KiB; `encoding`; `signal`
 * @returns the stream
 * @throws {BlockDeviceError} EBADF closed; a failed write destroys the stream with the device's error, ENOSPC behind its end
 *
 * @example
 * createWriteStream(device, { start: 4096, flush: true }).end('hello');
 */
export function createWriteStream(device: BlockDevice, options?: WriteStreamOptions): DeviceWriteStream {
  return openFileHandle(device).createWriteStream(options);
}
