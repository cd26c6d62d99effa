// OverlayDevice: a device that is an overlay: its freeze points, and what has changed.
import { inspect, type InspectOptions } from 'node:util';
import { keysOf } from '../arguments/known-keys.js';
import { abortSignal, flag, oneOf, requireOptions, SIGNAL_KEYS, text } from '../arguments/validate.js';
import { BlockDevice, DEVICE_KEY, handleOf } from '../device.js';
import type { BlockDriver } from '../driver.js';
import { fromFailure, invalidArgType, invalidThis, isFailure } from '../errors.js';
import { endMedium, nativeMediumOf, type Medium, type MediumHandle } from '../media/medium.js';
import { sourceOf, type Source } from '../media/source.js';
import { binding, EXTENT_TYPES, FORMAT, type NativeDevice, type NativeDiff, type NativeMedium } from '../native/binding.js';
import type { ImageFormat, OpenSettings } from '../options.js';
import type { Extent } from '../request/extents.js';
import type { DeviceHandle } from '../request/handle.js';
import type { Bytes } from '../request/transfer.js';
import { nameForBase, namedOf } from './image-overlay.js';
import { createSnapshot, nativeSnapshotOf, type Snapshot } from './snapshot.js';

/** Options of `commit()`. */
export interface CommitOptions {
  /** Ends it early: the overlay stays as it was, and the commit can be made again. */
  signal?: AbortSignal;
}

/** Options of `diff()`. */
export interface DiffOptions {
  /** Compares with the base, and lists only blocks whose bytes differ; default false: every block that was written or made zeros. */
  exact?: boolean;
}

const DIFF_KEYS = keysOf<DiffOptions>({ exact: true }, { compare: "'exact'" });
/** Options of `rebase()`. */
export interface RebaseOptions {
  /** Format of the new base, as for `open`; default `'raw'`. */
  format?: ImageFormat;
}

const REBASE_KEYS = keysOf<RebaseOptions>({ format: true }, { mode: 'the second argument of rebase()' });
const REBASE_MODES = { safe: 1, unsafe: 0 } as const;
/** What an overlay was made of. */
export interface OverlayMade {
  readonly base: BlockDevice | undefined;
  /** The image that has the changes. */
  readonly file: Uint8Array | undefined;
}

/** Wraps a native device that was opened from `medium`. */
export let createOverlay: (
  medium: MediumHandle,
  made: OverlayMade,
) => (driver: BlockDriver, native: NativeDevice, settings: OpenSettings) => OverlayDevice;

/**
 * Reads and writes an overlay: a base that is only read, and what was changed since; `openOverlay()` makes it. Its freeze points,
 * `reset`, `snapshot`, `revert` and the end of `commit`, happen at one moment: requests under way are done before, and others wait.
 *
 * @example
 * await using overlay = await openOverlay('disk.img');
 * await overlay.write(Buffer.from('hello'), 4096);
 * await overlay.reset();
 */
export class OverlayDevice extends BlockDevice {
  /** Tells whether `flush()` keeps anything beyond the process: of changes in an image, not in memory or in a temporary file. */
  readonly durable: boolean;
  /** Gives the overlay as a medium, for `open(overlay.medium, { partition })`. */
  readonly medium: Medium;

  readonly #native: NativeMedium;
  readonly #file: Uint8Array | undefined;
  #base: BlockDevice | undefined;

  static {
    createOverlay = (medium, made) => (driver, native, settings) => new OverlayDevice(DEVICE_KEY, driver, native, settings, medium, made);
  }

  protected constructor(
    key: symbol,
    driver: BlockDriver,
    native: NativeDevice,
    settings: OpenSettings,
    medium: MediumHandle,
    made: OverlayMade,
  ) {
    super(key, driver, native, settings);
    this.#base = made.base;
    this.#file = made.file;
    this.durable = made.file !== undefined;
    this.medium = medium;
    this.#native = nativeMediumOf(medium) as NativeMedium;
    const own = this.#native;
    // The base is free, and what was written to no image gone, with the last device that is open on it.
    handleOf(this, 'open').afterClose = () => {
      endMedium(medium);
      binding.overlayRelease(own);
    };
  }

  /** Gives the device that it was opened over, whose counters count what the overlay reads of it; undefined where that was a path or a medium, and after a `rebase()`. */
  get base(): BlockDevice | undefined {
    return OverlayDevice.#baseOf(this);
  }

  /**
   * Drops all changes: the overlay reads as its base again. Its snapshots stay. In an image that is durable when it is done; what
   * is interrupted by a power cut may have dropped some changes and not others.
   *
   * @throws {BlockDeviceError} errors of the image; EBADF closed
   *
   * @example
   * await overlay.write(Buffer.from('tried'), 0);
   * await overlay.reset(); // shows the base again
   */
  async reset(): Promise<void> {
    const { handle, native } = OverlayDevice.#at(this, 'reset');
    const outcome = await handle.native.overlayReset(native);
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle);
  }

  /**
   * Takes what the overlay is now, which `revert()` can go back to. It costs no copy, and what is written from then on; it is gone
   * when nobody has the object any more. An overlay in an image has none.
   *
   * @param name for people; default `snapshot`
   * @returns the snapshot
   * @throws {BlockDeviceError} ENOTSUP the changes are in an image; ENOMEM, ENOSPC, EMFILE no place for what is written from then on; EBADF closed
   *
   * @example
   * const clean = await overlay.snapshot('clean');
   */
  async snapshot(name = 'snapshot'): Promise<Snapshot> {
    const { handle, native } = OverlayDevice.#at(this, 'snapshot');
    const called = text(name, 'name');
    const taken = await handle.native.overlaySnapshot(native);
    if (isFailure(taken)) throw fromFailure(taken, handle);
    return createSnapshot(native, taken.snapshot, called);
  }

  /**
   * Makes the overlay what it was. Any snapshot can be gone back to, in any order and any number of times.
   *
   * @param snapshot one of this overlay
   * @throws {BlockDeviceError} ESTALE the base has another content since, by `commit()` or `rebase()`; EBADF closed
   *
   * @example
   * const clean = await overlay.snapshot();
   * await overlay.write(Buffer.from('tried'), 0);
   * await overlay.revert(clean);
   */
  async revert(snapshot: Snapshot): Promise<void> {
    const { handle, native } = OverlayDevice.#at(this, 'revert');
    const to = nativeSnapshotOf(snapshot, native);
    if (to === undefined) throw invalidArgType('snapshot', 'a Snapshot of this overlay', snapshot);
    const outcome = await handle.native.overlayRevert(native, to);
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle);
  }

  /**
   * Writes all changes into the base and makes them durable; then the overlay is empty. Requests go on meanwhile; what they write
   * stays in the overlay, of changes in an image it is written into the base too. When it fails, or the process ends, the overlay is as it was and the base is new in part: the
   * commit can be made again. Snapshots that were taken before are of no use after it.
   *
   * @param options `signal`, default none
   * @returns the bytes written
   * @throws {BlockDeviceError} EBUSY somebody else has the base, another overlay say; EACCES, EROFS it cannot be written; ENOSPC a change lies behind the end of the base, which is untouched; errors of the base; EBADF closed
   *
   * @example
   * const { bytes } = await overlay.commit(); // the base has the changes now
   */
  async commit(options?: CommitOptions): Promise<{ bytes: Bytes }> {
    const { handle, native } = OverlayDevice.#at(this, 'commit');
    if (options !== undefined) requireOptions(options, 'options', SIGNAL_KEYS);
    const signal = abortSignal(options?.signal, 'options.signal');
    const token = handle.token(signal);
    const outcome = await handle.settle(handle.native.overlayCommit(native, token), signal, token);
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle);
    return { bytes: outcome };
  }

  /**
   * Lists what has changed, in order: whole blocks that were written (`'data'`), or made zeros (`'hole'`). Of the moment at which each part of the list
   * is made: take a snapshot first, or write nothing meanwhile.
   *
   * @param options `exact`, default false
   * @returns the changes
   * @throws {BlockDeviceError} errors of the base, when `exact`; EBADF closed
   *
   * @example
   * for await (const { position, length } of overlay.diff()) console.log(position, length);
   */
  async *diff(options?: DiffOptions): AsyncGenerator<Extent, undefined> {
    OverlayDevice.#at(this, 'diff');
    if (options !== undefined) requireOptions(options, 'options', DIFF_KEYS);
    const exact = flag(options?.exact, 'options.exact', false);
    for (let position = 0; position < this.size;) {
      const { handle, native } = OverlayDevice.#at(this, 'diff');
      const found: NativeDiff | readonly unknown[] = await handle.native.overlayDiff(native, position, exact);
      if (isFailure(found)) throw fromFailure(found, handle);
      const { next, extents } = found as NativeDiff;
      yield* changesOf(extents);
      position = next;
    }
    return undefined;
  }

  /**
   * Lays the overlay over another base. Snapshots that were taken before are of no use after it. An image names the new base from
   * then on: a path that is not absolute is written as it is from the folder of the image.
   *
   * @param base path, or a medium; of an image a path, or an export of an NBD server. One that is shorter reads zeros behind its end
   * @param mode 'safe', the default: it reads as before, and keeps what the new base has otherwise. 'unsafe': what was not changed is the new base's
   * @param options `format` of the new base, default `'raw'`
   * @throws {BlockDeviceError} EBUSY somebody writes the new base; ELOOP the overlay would lie over itself; ESTALE, ENOTSUP an image cannot name it; errors of both; ENOSPC no room for what is kept; then all is as it was; EBADF closed
   *
   * @example
   * await overlay.rebase('newer.img'); // shows what it showed, over another base
   */
  async rebase(base: Source, mode: 'safe' | 'unsafe' = 'safe', options?: RebaseOptions): Promise<void> {
    OverlayDevice.#at(this, 'rebase');
    const source = sourceOf(base, 'base');
    const safe = REBASE_MODES[oneOf(mode, 'mode', REBASE_MODES)] === REBASE_MODES.safe;
    if (options !== undefined) requireOptions(options, 'options', REBASE_KEYS);
    const format = FORMAT[oneOf(options?.format ?? 'raw', 'options.format', FORMAT)];
    const named = namedOf(source);
    const name = this.#file === undefined || named === undefined ? Buffer.alloc(0) : await nameForBase(named, this.#file);
    const { handle, native } = OverlayDevice.#at(this, 'rebase');
    const outcome = await handle.native.overlayRebase(native, source.native, safe, format, name);
    if (typeof outcome !== 'number') throw fromFailure(outcome, { path: source.name });
    this.#base = undefined;
  }

  /** What `console.log` shows. */
  override [inspect.custom](depth: number, options: InspectOptions): string {
    return super[inspect.custom](depth, options).replace('BlockDevice', 'OverlayDevice');
  }

  static #baseOf(overlay: unknown): BlockDevice | undefined {
    if (typeof overlay !== 'object' || overlay === null || !(#base in overlay)) throw invalidThis('OverlayDevice');
    return overlay.#base;
  }

  static #at(overlay: unknown, method: string): { handle: DeviceHandle; native: NativeMedium } {
    if (typeof overlay !== 'object' || overlay === null || !(#native in overlay)) throw invalidThis('OverlayDevice');
    return { handle: handleOf(overlay, method), native: overlay.#native };
  }
}

function* changesOf(rows: Float64Array): Generator<Extent> {
  for (let i = 0; i + 2 < rows.length; i += 3) {
    const [position = 0, length = 0, type = 0] = rows.subarray(i, i + 3);
    yield { position, length, type: EXTENT_TYPES[type] ?? 'data', depth: 0, offset: undefined };
  }
}
