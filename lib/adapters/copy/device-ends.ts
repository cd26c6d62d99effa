// Ends of a copy that are devices: given open, or opened here and closed afterwards.
import type { BlockDevice } from '../../index.js';
import { failureOn, requireRoom, requireWhole, runsOf, zeroRange } from '../extent.js';
import type { Source, Target } from './ends.js';

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

  async read(memory: Buffer, position: number, signal: AbortSignal): Promise<number> {
    const { bytesRead } = await this.#device.read(memory, this.#start + position, { signal });
    return bytesRead;
  }

  async close(): Promise<void> {
    if (this.#isOurs) await this.#device.close();
  }
}

/** A device, or a range of it, that is written. */
export class DeviceTarget implements Target {
  readonly isStream = false;
  readonly size: number;
  readonly #device: BlockDevice;
  readonly #start: number;
  readonly #isOurs: boolean;

  /** `isOurs`: the device was opened for the copy, and is closed with it. */
  constructor(device: BlockDevice, start: number, isOurs: boolean) {
    requireRoom(device, start, 0);
    this.size = device.size - start;
    this.#device = device;
    this.#start = start;
    this.#isOurs = isOurs;
  }

  async write(data: Buffer, position: number, sparse: boolean, signal: AbortSignal): Promise<void> {
    const at = this.#start + position;
    requireRoom(this.#device, at, data.length);
    for (const { from, to, isZero } of sparse ? runsOf(data) : [{ from: 0, to: data.length, isZero: false }]) {
      if (isZero) {
        await zeroRange(this.#device, at + from, at + to, signal);
        continue;
      }
      const { bytesWritten } = await this.#device.write(data, at + from, { offset: from, length: to - from, signal });
      requireWhole(this.#device, bytesWritten, to - from);
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
