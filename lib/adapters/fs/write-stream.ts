// DeviceWriteStream: a Writable over a handle. Chunks are written one after the other, each whole or not at all.
import { addAbortSignal, Writable } from 'node:stream';
import { placeOfDevice, STREAM_PLACE, type Place } from '../../copy/place.js';
import { closeWith, type StreamHandle } from './stream-handle.js';
import type { WriteSettings } from './options.js';

type Done = (error?: Error | null) => void;

/**
 * Writes to a device as a stream; `createWriteStream()` of a handle makes it.
 *
 * @example
 * const stream = openFileHandle(device).createWriteStream();
 * stream.end('hello', () => console.log(stream.bytesWritten));
 */
export class DeviceWriteStream extends Writable {
  /** Counts the bytes written so far. */
  bytesWritten = 0;

  readonly #handle: StreamHandle;
  readonly #settings: WriteSettings;
  readonly #inFlight = new AbortController();

  /** @internal */
  constructor(handle: StreamHandle, settings: WriteSettings) {
    const { chunk, encoding, emitClose, signal } = settings;
    super({ highWaterMark: chunk, emitClose, ...(encoding !== undefined && { defaultEncoding: encoding }) });
    this.#handle = handle;
    this.#settings = settings;
    // An aborted one destroys the stream at once, which needs all of it.
    if (signal !== undefined) addAbortSignal(signal, this);
  }

  /** @internal Where it writes: without a start that of the handle, which moves, so anywhere. */
  [STREAM_PLACE](): Place {
    const { device } = this.#handle;
    return placeOfDevice(device, this.#settings.start ?? 0, device.size);
  }

  /** @internal Writes one chunk for the base class. */
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Done): void {
    this.#put(chunk).then(() => callback(), callback);
  }

  /** @internal Makes what was written durable if that is wanted, for the base class. */
  override _final(callback: Done): void {
    if (this.#settings.flush) this.#handle.datasync().then(() => callback(), callback);
    else callback();
  }

  /** @internal Ends what is in flight, for the base class, and closes the handle. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#inFlight.abort(error ?? undefined);
    closeWith(this.#handle, this.#settings.autoClose, error, callback);
  }

  async #put(chunk: Buffer): Promise<void> {
    const { start } = this.#settings;
    const position = start === undefined ? null : start + this.bytesWritten;
    const { bytesWritten } = await this.#handle.write(chunk, { position, signal: this.#inFlight.signal });
    this.bytesWritten += bytesWritten;
  }
}
