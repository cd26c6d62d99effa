// Snapshot: what an overlay was at one moment.
import { illegalConstructor, markCopy } from '../errors.js';
import type { NativeMedium, NativeSnapshot } from '../native/binding.js';

/** Nothing outside this file can name it, so that only createSnapshot() can construct. */
const KEY = Symbol('createSnapshot');

/** Holds a native snapshot of the overlay that is `of`. */
export let createSnapshot: (of: NativeMedium, native: NativeSnapshot, name: string) => Snapshot;
/** Gives the native snapshot of one that was taken of this overlay; undefined for everything else. */
export let nativeSnapshotOf: (value: unknown, of: NativeMedium) => NativeSnapshot | undefined;

/**
 * Keeps what an overlay was when it was taken, for as long as the object is there; `revert()` of the overlay goes back to it.
 *
 * @example
 * const clean = await overlay.snapshot('clean');
 * console.log(clean.name, clean.created);
 */
export class Snapshot {
  /** Names it, for people. */
  readonly name: string;
  /** Tells when it was taken. */
  readonly created: Date = new Date();

  readonly #of: NativeMedium;
  readonly #native: NativeSnapshot;

  static {
    markCopy(Snapshot);
    createSnapshot = (of, native, name) => new Snapshot(KEY, of, native, name);
    nativeSnapshotOf = (value, of) =>
      typeof value === 'object' && value !== null && #native in value && value.#of === of ? value.#native : undefined;
  }

  private constructor(key: symbol, of: NativeMedium, native: NativeSnapshot, name: string) {
    if (key !== KEY) throw illegalConstructor();
    this.name = name;
    this.#of = of;
    this.#native = native;
  }
}
