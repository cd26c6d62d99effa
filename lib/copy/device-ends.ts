// Ends of a copy that are devices: given open, or opened here and closed afterwards.
import type { BlockDevice } from '../index.js';
import type { DevicePart, Source, Stretch, Target } from './ends.js';
import { failureOn, requireRoom, requireWhole, runsOf, zeroRange } from './extent.js';
import { placeOfDevice, type Place } from './place.js';

/** Where requests of a raw device may begin. */
const SECTOR = 512;

/** What `length` bytes of a device from `start + position` on are, counted from `start`. Zeros begin and end with sectors, or where all of it does. */
async function* stretchesOf(
  device: BlockDevice,
  { start, position, length, signal }: { start: number; position: number; length: number; signal: AbortSignal },
): AsyncGenerator<Stretch, undefined> {
  const stop = start + position + length;
  let at = start + position;
  for await (const extent of device.extents({ position: at, length, signal })) {
    if (extent.type === 'data' || extent.type === 'unallocated') continue;
    const end = extent.position + extent.length;
    const from = extent.position === at ? at : Math.ceil(extent.position / SECTOR) * SECTOR;
    const to = end === stop ? end : Math.floor(end / SECTOR) * SECTOR;
    if (from >= to) continue;
    if (from > at) yield { position: at - start, length: from - at, isZero: false };
    yield { position: from - start, length: to - from, isZero: true };
    at = to;
  }
  if (at < stop) yield { position: at - start, length: stop - at, isZero: false };
  return undefined;
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

  get part(): DevicePart {
    return { device: this.#device, start: this.#start };
  }

  place(length: number): Promise<Place> {
    return Promise.resolve(placeOfDevice(this.#device, this.#start, this.#start + Math.min(length, this.size)));
  }

  async read(memory: Buffer, position: number, signal: AbortSignal): Promise<number> {
    const { bytesRead } = await this.#device.read(memory, this.#start + position, { signal });
    return bytesRead;
  }

  stretches(position: number, length: number, signal: AbortSignal): AsyncIterator<Stretch> {
    return stretchesOf(this.#device, { start: this.#start, position, length, signal });
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
  /** It reads as zeros where it is not written. */
  readonly isZero: boolean;
}

/** A device, or a range of it, that is written. */
export class DeviceTarget implements Target {
  readonly isStream = false;
  readonly size: number;
  readonly isZero: boolean;
  readonly #device: BlockDevice;
  readonly #start: number;
  readonly #isOurs: boolean;
  readonly #durably: { fua?: true };

  constructor(device: BlockDevice, { start, isOurs, fua, isZero }: DeviceTargetOptions) {
    requireRoom(device, start, 0);
    this.isZero = isZero;
    this.size = device.size - start;
    this.#device = device;
    this.#start = start;
    this.#isOurs = isOurs;
    this.#durably = fua ? { fua } : {};
  }

  begin(): Promise<DevicePart> {
    return Promise.resolve({ device: this.#device, start: this.#start });
  }

  stretches(position: number, length: number, signal: AbortSignal): AsyncIterator<Stretch> {
    return stretchesOf(this.#device, { start: this.#start, position, length, signal });
  }

  async write(data: Buffer, position: number, detect: boolean, signal: AbortSignal): Promise<void> {
    const at = this.#start + position;
    requireRoom(this.#device, at, data.length);
    for (const { from, to, isZero } of detect ? runsOf(data) : [{ from: 0, to: data.length, isZero: false }]) {
      if (isZero) {
        if (!this.isZero) await zeroRange(this.#device, at + from, at + to, { signal, ...this.#durably });
        continue;
      }
      const part = { offset: from, length: to - from, signal, ...this.#durably };
      const { bytesWritten } = await this.#device.write(data, at + from, part);
      requireWhole(this.#device, bytesWritten, to - from);
    }
  }

  async zero(position: number, length: number, signal: AbortSignal): Promise<void> {
    const begin = this.#start + position;
    requireRoom(this.#device, begin, length);
    // Where the device has a hole itself there is nothing to do: a node, which may have to write, would do it.
    for await (const extent of this.#device.extents({ position: begin, length, signal })) {
      if (extent.type === 'hole' || extent.type === 'zero') continue;
      await zeroRange(this.#device, extent.position, extent.position + extent.length, { signal, ...this.#durably });
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
