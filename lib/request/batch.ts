// Batch: many bufs in one crossing into native code. The entries are columns of one block of memory, in the order that
// native/addon/batch_state.cc reads them; nothing is allocated per request.
import { inspect, type InspectOptions } from 'node:util';
import { markAsUntransferable } from 'node:worker_threads';

import { binding, NO_TOKEN, type NativeBatch, type NativeDevice, type Outcome } from '../native/binding.js';
import { closedError, fromFailure, illegalConstructor, invalidArgType, invalidArgValue, invalidThis } from '../errors.js';
import { keepAlive, type DeviceHandle } from './handle.js';
import { viewLength, type Bytes } from './transfer.js';
import { keysOf } from '../arguments/known-keys.js';
import { abortSignal, integer, requireOptions, SIGNAL_KEYS } from '../arguments/validate.js';

/** In `Batch.op`: reads into the arena. */
export const BATCH_READ = 0;
/** In `Batch.op`: writes from the arena. */
export const BATCH_WRITE = 1;
/**
 * In `Batch.op`: makes the entries before it, and all that completed earlier, durable before any entry behind it begins. When
 * that fails, no write behind it begins: each gets the same error.
 */
export const BATCH_FLUSH = 2;
/** In `Batch.op`: discards `bcount` bytes, as `discard()` does; the arena is not used. */
export const BATCH_DISCARD = 3;
/** In `Batch.op`: makes `bcount` bytes zeros, as `writeZeroes()` does; the arena is not used. */
export const BATCH_ZEROES = 4;

/** Options of a batch. */
export interface BatchOptions {
  /** Entries, 1 to 65536; default 128. */
  depth?: number;
  /** Memory that the entries read into and write from, or its bytes; default depth × 4096 bytes, page-aligned. */
  arena?: Bytes | Uint8Array;
}

const BATCH_KEYS = keysOf<BatchOptions>({ depth: true, arena: true }, { size: "'depth'", count: "'depth'", buffer: "'arena'" });
const DEPTH_MAX = 65536;
const ARENA_MAX = 2 ** 32 - 1;
const DEFAULT_DEPTH = 128;
const DEFAULT_ENTRY = 4096;
/** Bytes of an entry in the control block: blkno, four words, op and fua. */
const ENTRY_BYTES = 8 + 4 * 4 + 2;
const KEY = Symbol('createBatch');

/** Makes a batch on the device behind `handle`, which is `owner`'s. */
export let createBatch: (handle: DeviceHandle, owner: object, options: BatchOptions | undefined) => Batch;

/**
 * Runs many requests of one device at once; `BlockDevice.createBatch()` makes it.
 *
 * Fill in `op`, `blkno` (sectors), `bcount` (bytes), `offset` (bytes into `arena`) and `fua` of the first entries, run
 * them, then look at `error` and `resid`. Entries count as run one after the other; durable writes between two flushes share
 * one sync.
 *
 * @example
 * const batch = device.createBatch({ depth: 2 });
 * batch.blkno[1] = 100;
 * batch.bcount.fill(4096);
 * batch.offset[1] = 4096;
 * batch.runSync(2);
 */
export class Batch implements Disposable {
  /** Gives the number of entries. */
  readonly depth: number;
  /** Holds the data of all entries. */
  readonly arena: Uint8Array;
  /** Says what each entry does: BATCH_READ, BATCH_WRITE, BATCH_FLUSH, BATCH_DISCARD or BATCH_ZEROES; at first all read. */
  readonly op: Uint8Array;
  /** Makes a write or a zeroing durable when complete: 1; 0 leaves it to the cache mode. */
  readonly fua: Uint8Array;
  /** Names the first sector of each entry. */
  readonly blkno: Float64Array;
  /** Says how many bytes each entry moves. */
  readonly bcount: Uint32Array;
  /** Says where in the arena the bytes of each entry begin. */
  readonly offset: Uint32Array;
  /** Receives the bytes that each entry did not move. */
  readonly resid: Uint32Array;
  /** Receives 0 or a negative errno for each entry. */
  readonly error: Int32Array;

  readonly #handle: DeviceHandle;
  #native: NativeBatch | undefined;

  static {
    createBatch = (...given) => new Batch(KEY, ...given);
  }

  private constructor(key: symbol, handle: DeviceHandle, owner: object, options: BatchOptions | undefined) {
    if (key !== KEY) throw illegalConstructor();
    const { depth, arena } = accept(options);
    const control = new ArrayBuffer(depth * ENTRY_BYTES);
    let at = 0;
    const column = <T>(Column: new (buffer: ArrayBuffer, offset: number, length: number) => T, width: number): T => {
      const made = new Column(control, at, depth);
      at += depth * width;
      return made;
    };
    this.depth = depth;
    this.arena = arena;
    this.blkno = column(Float64Array, 8);
    this.bcount = column(Uint32Array, 4);
    this.offset = column(Uint32Array, 4);
    this.resid = column(Uint32Array, 4);
    this.error = column(Int32Array, 4);
    this.op = column(Uint8Array, 1);
    this.fua = column(Uint8Array, 1);
    this.#handle = handle;
    this.#native = create(handle.native, depth, control, arena);
    keepAlive(this, owner);
  }

  /**
   * Runs the first entries on the calling thread.
   *
   * @param count entries to run, 0 to depth
   * @returns the number of entries that succeeded; one that fails stops no other, except that behind a failed flush no write begins
   * @throws {BlockDeviceError} EBADF device closed or batch disposed of; EBUSY running; EFAULT arena taken away
   *
   * @example
   * const batch = device.createBatch({ depth: 1 });
   * batch.op[0] = BATCH_READ;
   * batch.blkno[0] = 16; // sectors
   * batch.bcount[0] = 4096; // bytes
   * if (batch.runSync(1) === 1) console.log(batch.arena[0]);
   */
  runSync(count: number): number {
    const outcome = Batch.#begin(this, count).runSync(count);
    if (typeof outcome !== 'number') throw fromFailure(outcome, this.#handle);
    return outcome;
  }

  /**
   * Runs the first entries without blocking. Entries and data of writes are copied now; results and what was read are
   * there when the promise settles.
   *
   * @param count entries to run, 0 to depth
   * @param options `signal`, default none: entries that have not begun when it aborts do not run
   * @returns the number of entries that succeeded
   * @throws {BlockDeviceError} EBADF device closed or batch disposed of; EBUSY running; EFAULT arena taken away
   *
   * @example
   * const batch = device.createBatch({ depth: 1 });
   * batch.op[0] = BATCH_FLUSH;
   * await batch.run(1);
   * console.log(batch.error[0]); // 0, or a negative errno
   */
  async run(count: number, options?: { signal?: AbortSignal }): Promise<number> {
    const native = Batch.#begin(this, count);
    const handle = this.#handle;
    let outcome: Outcome;
    if (options === undefined) {
      const begun = native.run(count, NO_TOKEN);
      outcome = typeof begun === 'number' ? begun : await begun;
    } else {
      requireOptions(options, 'options', SIGNAL_KEYS);
      const signal = abortSignal(options.signal, 'options.signal');
      const token = handle.token(signal);
      outcome = await handle.settle(native.run(count, token), signal, token);
    }
    if (typeof outcome !== 'number') throw fromFailure(outcome, handle);
    return outcome;
  }

  /** Lets go of the native side; later runs are EBADF. */
  [Symbol.dispose](): void {
    if (!Batch.#is(this)) throw invalidThis('Batch');
    this.#native = undefined;
  }

  /** @internal What `console.log` shows: the columns are as long as the batch is deep. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    if (!Batch.#is(this)) return 'Batch {}';
    const { path, closed } = this.#handle;
    const shown = { path, depth: this.depth, arena: `${this.arena.byteLength} bytes`, closed: closed || this.#native === undefined };
    return `Batch ${inspect(shown, options)}`;
  }

  /** Gives the native batch of one that can run; `self` may be a foreign object. */
  static #begin(self: unknown, count: number): NativeBatch {
    if (!Batch.#is(self)) throw invalidThis('Batch');
    self.#handle.requireOpen('batch');
    if (self.#native === undefined) throw closedError('batch', 'run');
    if (!(Number.isInteger(count) && count >= 0 && count <= self.depth)) integer(count, 'count', 0, self.depth);
    return self.#native;
  }

  static #is(value: unknown): value is Batch {
    return typeof value === 'object' && value !== null && #handle in value;
  }
}

function create(native: NativeDevice, depth: number, control: ArrayBuffer, arena: Uint8Array): NativeBatch {
  // Neither moves to another thread while native knows it; one that is taken all the same ends runs with EFAULT.
  markAsUntransferable(control);
  return native.createBatch(depth, new Uint8Array(control), arena);
}

/** Zeroed memory that begins at a page. By JavaScript's own hand: a runtime that is asked from native ends when it has none. */
function allocateArena(size: number): Uint8Array {
  const buffer = new ArrayBuffer(size + binding.pageSize);
  return new Uint8Array(buffer, binding.pageSkip(buffer), size);
}

function accept(options: BatchOptions | undefined): { depth: number; arena: Uint8Array } {
  if (options !== undefined) requireOptions(options, 'options', BATCH_KEYS);
  const { depth: askedDepth, arena } = options ?? {};
  const depth = askedDepth === undefined ? DEFAULT_DEPTH : integer(askedDepth, 'options.depth', 1, DEPTH_MAX);
  if (arena === undefined) return { depth, arena: allocateArena(depth * DEFAULT_ENTRY) };
  if (typeof arena === 'number') return { depth, arena: allocateArena(integer(arena, 'options.arena', 0, ARENA_MAX)) };
  if (!(ArrayBuffer.isView(arena) && Object.prototype.toString.call(arena) === '[object Uint8Array]')) {
    throw invalidArgType('options.arena', 'of type number or an instance of Uint8Array', arena);
  }
  if (viewLength(arena, 'options.arena') > ARENA_MAX) {
    throw invalidArgValue('options.arena', arena, 'must not be larger than 4 GiB');
  }
  return { depth, arena };
}
