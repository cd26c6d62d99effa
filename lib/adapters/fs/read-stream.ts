// DeviceReadStream: a Readable over a handle. One read is in flight at a time, so that a slow consumer holds one chunk in memory.
import { addAbortSignal, Readable } from 'node:stream';
import { placeOfDevice, STREAM_PLACE, type Place } from '../../copy/place.js';
import { closeWith, type StreamHandle } from './stream-handle.js';
import type { ReadSettings } from './options.js';

/**
 * Reads a range of a device as a stream; `createReadStream()` of a handle makes it.
 *
 * @example
 * const stream = openFileHandle(device).createReadStream({ start: 0 });
 * stream.on('end', () => console.log(stream.bytesRead));
 */
export class DeviceReadStream extends Readable {
  /** Counts the bytes read so far. */
  bytesRead = 0;

  readonly #handle: StreamHandle;
  readonly #settings: ReadSettings;
  readonly #inFlight = new AbortController();

  /** @internal */
  constructor(handle: StreamHandle, settings: ReadSettings) {
    const { chunk, encoding, emitClose, signal } = settings;
    super({ highWaterMark: chunk, emitClose, ...(encoding !== undefined && { encoding }) });
    this.#handle = handle;
    this.#settings = settings;
    // An aborted one destroys the stream at once, which needs all of it.
    if (signal !== undefined) addAbortSignal(signal, this);
  }

  /** @internal Where it reads: without a start that of the handle, which moves, so anywhere. */
  [STREAM_PLACE](): Place {
    const { start = 0, stop } = this.#settings;
    const { device } = this.#handle;
    return placeOfDevice(device, start, Math.min(stop, device.size));
  }

  /** @internal Reads one chunk for the base class. */
  override _read(): void {
    const { start, stop, chunk } = this.#settings;
    const position = start === undefined ? null : start + this.bytesRead;
    // Without a start, `end` counts from where the handle was.
    const length = Math.min(chunk, stop - (position ?? this.bytesRead));
    if (length <= 0) {
      this.push(null);
      return;
    }
    const begun = this.#handle.read(Buffer.allocUnsafeSlow(length), { position, signal: this.#inFlight.signal });
    begun.then(
      ({ bytesRead, buffer }) => {
        this.bytesRead += bytesRead;
        this.push(bytesRead === 0 ? null : buffer.subarray(0, bytesRead));
      },
      (error: unknown) => this.destroy(error as Error),
    );
  }

  /** @internal Ends what is in flight, for the base class, and closes the handle. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#inFlight.abort(error ?? undefined);
    closeWith(this.#handle, this.#settings.autoClose, error, callback);
  }
}
