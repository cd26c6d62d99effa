// RandomAccessDevice: a device as an instance of the package random-access-storage. A device neither grows nor shrinks nor
// goes away, so what would make it do so is an error, and a deleted range is one of zeros.
import type { EventEmitter } from 'node:events';
import { handleOf } from '../device.js';
import type { BlockDevice } from '../index.js';
import { keysOf, NO_CHOICE } from '../arguments/known-keys.js';
import { bytes, flag, requireOptions } from '../arguments/validate.js';
import { failureOn, requireRoom, requireWhole, zeroRange } from '../copy/extent.js';
import { deviceStats, type DeviceStats } from './fs/stats.js';
import { loadPeer } from './peer.js';

/** One request as random-access-storage hands it to an implementation. */
interface Request {
  readonly offset: number;
  /** Undefined only where the caller of `del` left it out. */
  readonly size: number | undefined;
  readonly data: Uint8Array | null;
  callback(error: unknown, value?: unknown): void;
}

/** Takes the outcome of a call. */
export type RandomAccessCallback<T = void> = (error: Error | null, value: T) => void;

/** What the base class of random-access-storage gives to callers; that package has no types of its own. */
export interface RandomAccessStorage extends EventEmitter {
  /** Tells whether it was opened, which the first call does. */
  readonly opened: boolean;
  /** Tells whether it was closed. */
  readonly closed: boolean;
  /** Tells whether it was let go of, until the next call. */
  readonly suspended: boolean;
  /** Tells whether reads work. */
  readonly readable: boolean;
  /** Tells whether writes work. */
  readonly writable: boolean;
  /** Tells whether ranges can be deleted. */
  readonly deletable: boolean;
  /** Tells whether it can be made shorter: a device cannot. */
  readonly truncatable: boolean;
  /** Tells whether `stat` works. */
  readonly statable: boolean;
  /**
   * Opens it; every other call does so by itself.
   *
   * @example
   * storage.open((error) => console.log(error ?? 'open'));
   */
  open(cb?: RandomAccessCallback): void;
  /**
   * Reads `size` bytes at `offset`.
   *
   * @example
   * storage.read(4096, 512, (error, bytes) => console.log(error ?? bytes.length));
   */
  read(offset: number, size: number, cb: RandomAccessCallback<Buffer>): void;
  /**
   * Writes all of `data` at `offset`.
   *
   * @example
   * storage.write(4096, Buffer.from('hello'), (error) => console.log(error ?? 'written'));
   */
  write(offset: number, data: Uint8Array, cb?: RandomAccessCallback): void;
  /**
   * Deletes `size` bytes at `offset`; undefined and Infinity stand for all that follow.
   *
   * @example
   * storage.del(4096, 512, (error) => console.log(error ?? 'zeros'));
   */
  del(offset: number, size: number | undefined, cb?: RandomAccessCallback): void;
  /**
   * Fails with EINVAL.
   *
   * @example
   * storage.truncate(0, (error) => console.log(error)); // EINVAL
   */
  truncate(offset: number, cb?: RandomAccessCallback): void;
  /**
   * Tells the size.
   *
   * @example
   * storage.stat((error, stats) => console.log(error ?? stats.size));
   */
  stat(cb: RandomAccessCallback<DeviceStats>): void;
  /**
   * Lets go of it until the next call.
   *
   * @example
   * storage.suspend();
   */
  suspend(cb?: RandomAccessCallback): void;
  /**
   * Closes it, which makes what was written durable.
   *
   * @example
   * storage.close((error) => console.log(error ?? 'durable'));
   */
  close(cb?: RandomAccessCallback): void;
  /**
   * Fails with EINVAL.
   *
   * @example
   * storage.unlink((error) => console.log(error)); // EINVAL
   */
  unlink(cb?: RandomAccessCallback): void;
}

const Base = loadPeer(
  'random-access-storage',
  'rumpblk/random-access-storage',
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- an import would not let the error say what is missing
  () => require('random-access-storage') as new () => RandomAccessStorage,
);

/** Options of a {@link RandomAccessDevice}. */
export interface RandomAccessDeviceOptions {
  /** Closes the device as well when it is closed; default false. */
  closeDevice?: boolean;
}

const STORAGE_KEYS = keysOf<RandomAccessDeviceOptions>(
  { closeDevice: true },
  { ...NO_CHOICE, autoClose: "'closeDevice'", close: "'closeDevice'" },
);

/**
 * Gives a device to the clients of the package random-access-storage. It has the size of the device from the beginning:
 * a read across the end is EINVAL, a write across it ENOSPC, `del` makes zeros, `truncate` and `unlink` are EINVAL.
 *
 * @example
 * await using device = await open('disk.img', { mode: 'r+' });
 * const storage = new RandomAccessDevice(device);
 * storage.write(4096, Buffer.from('hello'), (error) => storage.close());
 */
export class RandomAccessDevice extends Base {
  /** Gives the device. */
  readonly device: BlockDevice;
  readonly #closeDevice: boolean;

  /**
   * Makes a storage of an open device.
   *
   * @param device the device; offsets are positions of it
   * @param options whether the device is closed as well; default: no
   * @throws {BlockDeviceError} EBADF closed
   *
   * @example
   * const storage = new RandomAccessDevice(device, { closeDevice: true });
   */
  constructor(device: BlockDevice, options: RandomAccessDeviceOptions = {}) {
    handleOf(device, 'RandomAccessDevice');
    requireOptions(options, 'options', STORAGE_KEYS);
    const closeDevice = flag(options.closeDevice, 'options.closeDevice', false);
    super();
    const isWritable = device.mode === 'r+';
    Object.assign(this, { writable: isWritable, deletable: isWritable, truncatable: false });
    this.device = device;
    this.#closeDevice = closeDevice;
  }

  /** @internal Opens for the base class. */
  protected _open(request: Request): void {
    answer(request, () => void handleOf(this.device, 'open'));
  }

  /** @internal Reads for the base class: all that was asked for, or EINVAL. */
  protected _read(request: Request): void {
    answer(request, async () => {
      const { device } = this;
      const offset = bytes(request.offset, 'offset');
      const size = bytes(request.size, 'size');
      if (offset + size > device.size) throw failureOn(device, 'EINVAL', 'read', 0);
      const { bytesRead, buffer } = await device.read(Buffer.allocUnsafe(size), offset);
      if (bytesRead < size) throw failureOn(device, 'EIO', 'read', bytesRead);
      return buffer;
    });
  }

  /** @internal Writes for the base class: all of it, or ENOSPC. */
  protected _write(request: Request): void {
    answer(request, async () => {
      const offset = bytes(request.offset, 'offset');
      const size = bytes(request.size, 'size');
      requireRoom(this.device, offset, size);
      const { bytesWritten } = await this.device.write(request.data as Uint8Array, offset);
      requireWhole(this.device, bytesWritten, size);
    });
  }

  /** @internal Makes zeros for the base class; beyond the end there is nothing to delete. */
  protected _del(request: Request): void {
    answer(request, () => {
      const offset = bytes(request.offset, 'offset');
      const { size } = request;
      // Other storages of this interface take neither for the end.
      const length = size === undefined || size === Infinity ? Infinity : bytes(size, 'size');
      return zeroRange(this.device, offset, Math.min(offset + length, this.device.size));
    });
  }

  /** @internal Refuses for the base class. */
  protected _truncate(request: Request): void {
    answer(request, () => Promise.reject(failureOn(this.device, 'EINVAL', 'ftruncate')));
  }

  /** @internal Tells the size for the base class. */
  protected _stat(request: Request): void {
    answer(request, () => (handleOf(this.device, 'fstat'), deviceStats(this.device)));
  }

  /** @internal Lets go for the base class: the device stays open. */
  protected _suspend(request: Request): void {
    answer(request, () => undefined);
  }

  /** @internal Closes for the base class. */
  protected _close(request: Request): void {
    answer(request, () => {
      const { device } = this;
      if (this.#closeDevice) return device.close();
      return device.closed ? undefined : device.flush();
    });
  }

  /** @internal Refuses for the base class. */
  protected _unlink(request: Request): void {
    answer(request, () => Promise.reject(failureOn(this.device, 'EINVAL', 'unlink')));
  }
}

/** Does the work and calls back, once, outside of any promise: what the callback throws is the caller's, and no rejection. */
function answer(request: Request, work: () => unknown): void {
  const begun = new Promise((resolve) => resolve(work()));
  begun.then(
    (value) => process.nextTick(() => request.callback(null, value)),
    (error: unknown) => process.nextTick(() => request.callback(error)),
  );
}
