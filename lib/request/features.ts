// What a device can do, as it was asked when it was opened.
import type { NativeDevice } from '../native/binding.js';
import type { Bytes } from './transfer.js';

/** Abilities of the medium of a device, as far as they are known without trying. The mode of the open does not change them. */
export interface DeviceFeatures {
  /** Tells whether `discard()` gives room back. */
  readonly discard: boolean;
  /** Tells whether `writeZeroes()` makes whole granules without writing them, and so takes `fast`. */
  readonly fastZero: boolean;
  /** Tells whether `extents()` tells holes from data. */
  readonly extents: boolean;
  /** Tells whether a durable write is one call of the medium; else it is a write and a flush. */
  readonly fua: boolean;
  /** Bytes: requests that begin and end with multiples of it are moved best. */
  readonly preferredSize: Bytes;
  /** Bytes: of a write of a part of it the rest has to be read first. 1 where there is no such size. */
  readonly minimumSize: Bytes;
}

export function featuresOf(native: NativeDevice): DeviceFeatures {
  const [discard, fastZero, extents, fua, preferredSize, minimumSize] = native.features();
  return Object.freeze({ discard, fastZero, extents, fua, preferredSize, minimumSize });
}
