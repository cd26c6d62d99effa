// DirtyBitmap: which blocks of a device were changed, since it is tracked or since the marks were taken last.
import { inspect, type InspectOptions } from 'node:util';
import { keysOf } from '../arguments/known-keys.js';
import { integer, requireOptions } from '../arguments/validate.js';
import { fromFailure, invalidArgType, invalidArgValue, invalidThis, isFailure } from '../errors.js';
import { binding, type NativeChanges } from '../native/binding.js';
import type { Extent } from './extents.js';
import type { DeviceHandle } from './handle.js';
import type { Bytes } from './transfer.js';

/** Options of `track()`. */
export interface TrackOptions {
  /** Bytes of a block, a power of two from 512 to 2^30; default 65536. */
  granularity?: Bytes;
}

/** The changes of a device; `BlockDevice.track()` makes it. It may say too much, never too little. */
export interface DirtyBitmap extends Disposable {
  /** Bytes of the blocks that were changed. */
  readonly count: Bytes;
  /** False when changes may be missing: then take everything for changed. Always true of one that lives in memory. */
  readonly isConsistent: boolean;
  /** Lists what was changed, in order, as extents of type `'data'`; of this moment, block by block. */
  extents(): AsyncIterableIterator<Extent>;
  /**
   * Moves the marks into a bitmap of their own, which gets no more of them. A change that is under way meanwhile is marked in
   * one of the two at least.
   *
   * @throws {BlockDeviceError} ENOMEM
   */
  take(): DirtyBitmap;
  /** Takes all marks away. */
  clear(): void;
  /**
   * Adds the marks of another one, of any granularity: so those of a backup that has failed come back.
   *
   * @throws {TypeError} `from` is of another device, or of another range
   */
  merge(from: DirtyBitmap): void;
}

const NAMES = { granularity: true } as const;
const TRACK_KEYS = keysOf<TrackOptions>(NAMES, { blockSize: "'granularity'", size: "'granularity'", block: "'granularity'" });
const USUAL = 65536;
const LEAST = 512;
const MOST = 2 ** 30;
/** Runs that one call lists. */
const RUNS = 1024;

class TrackedBitmap implements DirtyBitmap {
  readonly isConsistent = true;
  readonly #handle: DeviceHandle;
  readonly #native: NativeChanges;

  constructor(handle: DeviceHandle, native: NativeChanges) {
    this.#handle = handle;
    this.#native = native;
  }

  get count(): Bytes {
    return binding.changeBytes(TrackedBitmap.#of(this).#native);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as those of a device, and as bitmaps on a disk will be
  async *extents(): AsyncIterableIterator<Extent> {
    const native = TrackedBitmap.#of(this).#native;
    const runs = new Float64Array(2 * RUNS);
    for (let from = 0, count = RUNS; count === RUNS;) {
      count = binding.changeRuns(native, from, runs);
      for (let i = 0; i < count; i += 1) {
        const position = runs[2 * i] ?? 0;
        const length = runs[2 * i + 1] ?? 0;
        from = position + length;
        yield { position, length, type: 'data', depth: 0, offset: undefined };
      }
    }
  }

  take(): DirtyBitmap {
    const bitmap = TrackedBitmap.#of(this);
    const taken = binding.takeChanges(bitmap.#native);
    if (isFailure(taken)) throw fromFailure(taken, bitmap.#handle);
    return new TrackedBitmap(bitmap.#handle, taken);
  }

  clear(): void {
    binding.clearChanges(TrackedBitmap.#of(this).#native);
  }

  merge(from: DirtyBitmap): void {
    const native = TrackedBitmap.#of(this).#native;
    if (!TrackedBitmap.#is(from)) throw invalidArgType('from', 'an instance of DirtyBitmap', from);
    if (!binding.mergeChanges(native, from.#native)) throw invalidArgValue('from', from, 'is of another device or range');
  }

  /** Ends the tracking; the marks stay. */
  [Symbol.dispose](): void {
    binding.endChanges(TrackedBitmap.#of(this).#native);
  }

  /** What `console.log` shows. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { count, isConsistent } = this;
    return `DirtyBitmap ${inspect({ count, isConsistent }, options)}`;
  }

  static #is(value: unknown): value is TrackedBitmap {
    return typeof value === 'object' && value !== null && #native in value;
  }

  static #of(value: unknown): TrackedBitmap {
    if (!TrackedBitmap.#is(value)) throw invalidThis('DirtyBitmap');
    return value;
  }
}

/** Tracks the device behind `handle`. */
export function track(handle: DeviceHandle, options: TrackOptions | undefined): DirtyBitmap {
  if (options !== undefined) requireOptions(options, 'options', TRACK_KEYS);
  const { granularity = USUAL } = options ?? {};
  const block = integer(granularity, 'options.granularity', LEAST, MOST);
  if ((block & (block - 1)) !== 0) throw invalidArgValue('options.granularity', granularity, 'must be a power of two');
  const native = handle.native.track(block);
  if (isFailure(native)) throw fromFailure(native, handle);
  return new TrackedBitmap(handle, native);
}
