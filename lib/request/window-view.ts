// WindowView: bytes of a device as memory, without a copy. Native lends the memory and takes it back.
import { isFailure, fromFailure, invalidThis } from '../errors.js';
import type { NativeLease } from '../native/binding.js';
import { keepAlive, type DeviceHandle } from './handle.js';
import { startOf, type Position } from './transfer.js';
import { bytes } from '../arguments/validate.js';

/** Bytes of a device, lent by `BlockDevice.mapSync()` until they are released. */
export interface WindowView extends Disposable {
  /** The bytes themselves; detached, with length 0, after `release()`. */
  readonly bytes: Uint8Array;
  /**
   * Gives the bytes back; does nothing the second time. Whoever works on them on another thread, as callbacks and promises
   * of `zlib`, `crypto` and `fs` do, has to be done: memory that is unmapped under them ends the process.
   *
   * @throws {BlockDeviceError} EIO, or ENOSPC for want of room, when the host could not give some of the bytes: zeros
   *   were read, or stores are lost; `lost` says where
   *
   * @example
   * const view = device.mapSync(0, 4096);
   * console.log(view.bytes[0]);
   * view.release(); // view.bytes is empty now
   */
  release(): void;
}

class LentView implements WindowView {
  readonly bytes: Uint8Array;
  readonly #handle: DeviceHandle;
  readonly #lease: NativeLease;

  constructor(handle: DeviceHandle, owner: object, lease: NativeLease) {
    // Untransferable already, as all memory that is not JavaScript's own; marked again, Node 24 could not detach it.
    const buffer = lease.buffer();
    keepAlive(buffer, lease, owner);
    this.bytes = new Uint8Array(buffer);
    this.#handle = handle;
    this.#lease = lease;
  }

  release(): void {
    if (!LentView.#is(this)) throw invalidThis('WindowView');
    const outcome = this.#lease.release();
    if (typeof outcome !== 'number') throw fromFailure(outcome, this.#handle);
  }

  [Symbol.dispose](): void {
    LentView.prototype.release.call(this);
  }

  static #is(value: unknown): value is LentView {
    return typeof value === 'object' && value !== null && #lease in value;
  }
}

/** Lends [position, position + length) of the device behind `handle`, which is `owner`'s. */
export function lend(handle: DeviceHandle, owner: object, position: Position, length: Position): WindowView {
  const lease = handle.native.map(startOf(position), bytes(length, 'length'));
  if (isFailure(lease)) throw fromFailure(lease, handle);
  return new LentView(handle, owner, lease);
}
