// Ends of a copy that are devices: given open, or opened here and closed afterwards.
import { handleOf } from '../device.js';
import { fromFailure, isFailure } from '../errors.js';
import type { BlockDevice } from '../index.js';
import type { Source, Target } from './ends.js';
import { failureOn, requireRoom, requireWhole, runsOf, zeroRange } from './extent.js';
import { placeOfDevice, type Place } from './place.js';

/** Where a device may hold something else than zeros, from `position` on. */
async function nextDataOf(device: BlockDevice, position: number): Promise<{ begin: number; end: number }> {
  const handle = handleOf(device, 'copy');
  const found = await handle.native.nextData(position);
  if (isFailure(found)) throw fromFailure(found, handle);
  return found;
}

/** A device, or a range of it, that is read. */
export class DeviceSource implements Source {
  readonly isStream = false;
  readonly size: number;
  readonly #device: BlockDevice;
  readonly #start: number;
  readonly #isOurs: boolean;

  /** `isOurs`: the device was opened for the copy, and is closed with it. */
  constructor(device: BlockDevice, start: number, isOurs: boolean) {
    if (start > device.size) throw failureOn(device, 'EINVAL', 'read', 0);
    this.size = device.size - start;
    this.#device = device;
    this.#start = start;
    this.#isOurs = isOurs;
  }

  place(length: number): Promise<Place> {
    return Promise.resolve(placeOfDevice(this.#device, this.#start, this.#start + Math.min(length, this.size)));
  }

  async read(memory: Buffer, position: number, signal: AbortSignal): Promise<number> {
    const { bytesRead } = await this.#device.read(memory, this.#start + position, { signal });
    return bytesRead;
  }

  async nextData(position: number): Promise<{ begin: number; end: number }> {
    const { begin, end } = await nextDataOf(this.#device, this.#start + position);
    return { begin: begin - this.#start, end: end - this.#start };
  }

  async close(): Promise<void> {
    if (this.#isOurs) await this.#device.close();
  }
}

/** How a device is written. */
export interface DeviceTargetOptions {
  /** First byte of the device. */
  readonly start: number;
  /** The device was opened for the copy, and is closed with it. */
  readonly isOurs: boolean;
  /** Each write is durable when it completes. */
  readonly fua: boolean;
}

/** A device, or a range of it, that is written. */
export class DeviceTarget implements Target {
  readonly isStream = false;
  readonly size: number;
  readonly #device: BlockDevice;
  readonly #start: number;
  readonly #isOurs: boolean;
  readonly #durably: { fua?: true };

  constructor(device: BlockDevice, { start, isOurs, fua }: DeviceTargetOptions) {
    requireRoom(device, start, 0);
    this.size = device.size - start;
    this.#device = device;
    this.#start = start;
    this.#isOurs = isOurs;
    this.#durably = fua ? { fua } : {};
  }

  async write(data: Buffer, position: number, sparse: boolean, signal: AbortSignal): Promise<void> {
    const at = this.#start + position;
    requireRoom(this.#device, at, data.length);
    for (const { from, to, isZero } of sparse ? runsOf(data) : [{ from: 0, to: data.length, isZero: false }]) {
      if (isZero) {
        await zeroRange(this.#device, at + from, at + to, { signal, ...this.#durably });
        continue;
      }
      const part = { offset: from, length: to - from, signal, ...this.#durably };
      const { bytesWritten } = await this.#device.write(data, at + from, part);
      requireWhole(this.#device, bytesWritten, to - from);
    }
  }

  async zero(position: number, length: number, signal: AbortSignal): Promise<void> {
    const stop = this.#start + position + length;
    requireRoom(this.#device, stop, 0);
    // Where the device has a hole itself there is nothing to do: a node, which may have to write, would do it.
    for await (const { type, position: begin, length: bytes } of this.#device.extents({
      position: this.#start + position,
      length,
      signal,
    })) {
      if (type !== 'data') continue;
      await zeroRange(this.#device, begin, begin + bytes, { signal, ...this.#durably });
    }
  }

  async finish(_length: number, flush: boolean, signal: AbortSignal): Promise<void> {
    if (flush) await this.#device.flush({ signal });
  }

  async read(memory: Buffer, position: number, signal: AbortSignal): Promise<number> {
    const { bytesRead } = await this.#device.read(memory, this.#start + position, { signal });
    return bytesRead;
  }

  async close(): Promise<void> {
    if (this.#isOurs) await this.#device.close();
  }
}
