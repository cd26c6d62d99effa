// DirtyBitmap: which blocks of a device were changed, since it is tracked or since the marks were taken last. Those with a name are kept
// in the image; they are listed and removed here too.
import { inspect, type InspectOptions } from 'node:util';
import { keysOf } from '../arguments/known-keys.js';
import { integer, requireOptions, text } from '../arguments/validate.js';
import { fromFailure, invalidArgType, invalidArgValue, invalidThis, isFailure } from '../errors.js';
import { binding, type NativeChanges } from '../native/binding.js';
import type { Extent } from './extents.js';
import type { DeviceHandle } from './handle.js';
import type { Bytes } from './transfer.js';

/** Options of `track()`. */
export interface TrackOptions {
  /** Bytes of a block, a power of two from 512 to 2^30; default 65536. Of a name that the image has already: what the bitmap has, and nothing else. */
  granularity?: Bytes;
  /** Keeps the bitmap in the qcow2 image under this name, of 1 to 1023 bytes of UTF-8. Default: it lives in memory. */
  name?: string;
}

/** A bitmap that an image keeps; `BlockDevice.bitmaps()` lists them. */
export interface BitmapInfo {
  /** Name; bytes of it that are not UTF-8 appear as U+FFFD. */
  readonly name: string;
  /** Bytes of a block. */
  readonly granularity: Bytes;
  /** False when changes may be missing: it was not saved, as after a crash, or has something that is not known here. */
  readonly isConsistent: boolean;
  /** Whether changes are marked in it, by whatever program writes to the image. */
  readonly isEnabled: boolean;
}

/**
 * The changes of a device; `BlockDevice.track()` makes it. It may say too much, never too little. Its end, by `using` say, ends the
 * tracking; of one with a name it ends this object alone, and the image goes on to keep the bitmap.
 */
export interface DirtyBitmap extends Disposable {
  /** Bytes of the blocks that were changed. */
  readonly count: Bytes;
  /**
   * False when marks were lost, as those of a bitmap in an image that was not closed: then all of the device counts as changed, until
   * it is cleared or taken.
   */
  readonly isConsistent: boolean;
  /**
   * Lists what was changed, in order, as extents of type `'data'`; of this moment, block by block.
   *
   * @example
   * for await (const { position, length } of changes.extents()) console.log(position, length);
   */
  extents(): AsyncIterableIterator<Extent>;
  /**
   * Moves the marks into a bitmap of their own, which gets no more of them. A change that is under way meanwhile is marked in
   * one of the two at least. What was taken from a bitmap with a name is in the image no more: after a backup that failed, `merge`
   * it before the device is closed.
   *
   * @throws {BlockDeviceError} ENOMEM; EBADF the bitmap is kept in the image no more
   *
   * @example
   * const changed = changes.take(); // what is written from here on is in changes
   */
  take(): DirtyBitmap;
  /**
   * Takes all marks away.
   *
   * @throws {BlockDeviceError} EBADF the bitmap is kept in the image no more
   *
   * @example
   * changes.clear();
   */
  clear(): void;
  /**
   * Adds the marks of another one, of any granularity: so those of a backup that has failed come back.
   *
   * @param from bitmap of the same device, or what `take` gave
   * @throws {TypeError} `from` is of another device, or of another range
   * @throws {BlockDeviceError} EBADF the bitmap is kept in the image no more: nothing was merged
   *
   * @example
   * const changed = changes.take();
   * await save(device).catch(() => changes.merge(changed)); // so that the next backup has them
   */
  merge(from: DirtyBitmap): void;
}

const NAMES = { granularity: true, name: true } as const;
const TRACK_KEYS = keysOf<TrackOptions>(NAMES, { blockSize: "'granularity'", size: "'granularity'", block: "'granularity'" });
const USUAL = 65536;
const LEAST = 512;
const MOST = 2 ** 30;
/** Bytes of a name. */
const MOST_NAME = 1023;
/** Runs that one call lists. */
const RUNS = 1024;

/** Gives what `value`, a DirtyBitmap, is for native code. */
export let changesOf: (value: unknown, what: string) => NativeChanges;

class TrackedBitmap implements DirtyBitmap {
  readonly #handle: DeviceHandle;
  readonly #native: NativeChanges;

  static {
    changesOf = (value, what) => {
      if (!TrackedBitmap.#is(value)) throw invalidArgType(what, 'an instance of DirtyBitmap', value);
      return value.#native;
    };
  }

  constructor(handle: DeviceHandle, native: NativeChanges) {
    this.#handle = handle;
    this.#native = native;
  }

  get count(): Bytes {
    return binding.changeBytes(TrackedBitmap.#of(this).#native);
  }

  get isConsistent(): boolean {
    return binding.changesConsistent(TrackedBitmap.#of(this).#native);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as those of a device
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
    const bitmap = TrackedBitmap.#of(this);
    const cleared = binding.clearChanges(bitmap.#native);
    if (isFailure(cleared)) throw fromFailure(cleared, bitmap.#handle);
  }

  merge(from: DirtyBitmap): void {
    const bitmap = TrackedBitmap.#of(this);
    const merged = binding.mergeChanges(bitmap.#native, changesOf(from, 'from'));
    if (isFailure(merged)) throw fromFailure(merged, bitmap.#handle);
    if (!merged) throw invalidArgValue('from', from, 'is of another device or range');
  }

  /** Ends the tracking, but for what an image keeps; the marks stay. */
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
  const { granularity, name } = options ?? {};
  const block = granularity === undefined ? undefined : blockOf(granularity);
  const native = name === undefined ? handle.native.track(block ?? USUAL) : handle.native.keep(bitmapName(name, 'options.name'), block);
  if (isFailure(native)) throw fromFailure(native, handle);
  return new TrackedBitmap(handle, native);
}

function blockOf(granularity: unknown): Bytes {
  const block = integer(granularity, 'options.granularity', LEAST, MOST);
  if ((block & (block - 1)) !== 0) throw invalidArgValue('options.granularity', granularity, 'must be a power of two');
  return block;
}

/** Accepts what an image can keep as a name, and other programs can show. */
export function bitmapName(value: unknown, what: string): string {
  const name = text(value, what);
  const size = Buffer.byteLength(name);
  if (size === 0 || size > MOST_NAME) throw invalidArgValue(what, value, `must have 1 to ${MOST_NAME} bytes of UTF-8`);
  if (name.includes('\0') || /\p{Surrogate}/u.test(name)) throw invalidArgValue(what, value, 'must be UTF-8 without a NUL');
  return name;
}

/** Lists the bitmaps of the image behind `handle`. */
export function bitmaps(handle: DeviceHandle): BitmapInfo[] {
  const found = handle.native.bitmaps();
  if (isFailure(found)) throw fromFailure(found, handle);
  return found.bitmaps.map(([name, granularity, isConsistent, isEnabled]) => ({
    name: name.toString(),
    granularity,
    isConsistent,
    isEnabled,
  }));
}

/** Removes a bitmap from the image behind `handle`. */
export function removeBitmap(handle: DeviceHandle, name: unknown): boolean {
  const removed = handle.native.removeBitmap(bitmapName(name, 'name'));
  if (isFailure(removed)) throw fromFailure(removed, handle);
  return removed;
}
