// extents(): what a device is made of. Native lists up to a thousand extents a call, as numbers; neighbours of one kind become one
// here, also across calls. Zeros inside of data are looked for by reading it, where that is asked for.
import { keysOf, NO_SIGNAL } from '../arguments/known-keys.js';
import { abortSignal, bytes, integer, oneOf, requireOptions } from '../arguments/validate.js';
import { fromFailure, isFailure } from '../errors.js';
import { binding, EXTENT_LAYER, EXTENT_TYPES } from '../native/binding.js';
import type { DeviceHandle } from './handle.js';
import type { Bytes, Position } from './transfer.js';
import { isZero } from './zeros.js';

/**
 * Kind of an extent. `'data'`: its bytes may be anything, or nothing is known of them. `'zero'`: they read as zeros, and have room. `'hole'`: they
 * read as zeros, and have none. `'unallocated'`: the layer that was asked has nothing here, and what lies below it decides.
 */
export type ExtentType = 'data' | 'zero' | 'hole' | 'unallocated';

/** A stretch of a device whose bytes are all of one kind. */
export interface Extent {
  /** First byte, from the start of the device. */
  readonly position: Bytes;
  /** Bytes. */
  readonly length: Bytes;
  /** Kind of its bytes. */
  readonly type: ExtentType;
  /** Layer that has it: 0 the device's own, 1 what lies below that. */
  readonly depth: number;
  /** Where its first byte lies in the host file of that layer; undefined where it lies in none. */
  readonly offset: Bytes | undefined;
  /** There, and false, of a hole of an image where no layer of it has anything: nothing was ever written there. */
  readonly present?: false;
}

/** Options of `extents()`. */
export interface ExtentsOptions {
  /** First byte; default 0. */
  position?: Position;
  /** Bytes; default to the end of the device. */
  length?: Position;
  /** Whose extents: those of what is read, or what this layer has by itself; default `'all'`. */
  layer?: 'all' | 'top';
  /** Reads data, and tells what of it is zeros, in steps of so many bytes, 512 to 1 MiB; default: reads nothing. */
  detectZeroes?: Bytes;
  /** Ends the listing early. */
  signal?: AbortSignal;
}

const EXTENTS_NAMES = { position: true, length: true, layer: true, detectZeroes: true } as const;
const EXTENTS_WORDS = { offset: "'position'", start: "'position'", size: "'length'", depth: "'layer'", zeroes: "'detectZeroes'" } as const;

/** What the forms of extents take. */
export const EXTENTS_KEYS = keysOf<ExtentsOptions>({ ...EXTENTS_NAMES, signal: true }, EXTENTS_WORDS);
export const EXTENTS_SYNC_KEYS = keysOf<Omit<ExtentsOptions, 'signal'>>(EXTENTS_NAMES, { ...EXTENTS_WORDS, ...NO_SIGNAL });

/** A listing that was accepted, in bytes. */
export interface Listing {
  readonly position: number;
  readonly end: number;
  /** One of EXTENT_LAYER. */
  readonly layer: number;
  /** 0: nothing is read. */
  readonly step: number;
  readonly signal: AbortSignal | undefined;
}

const MOST_STEP = 1024 * 1024;
const LEAST_STEP = 512;

/** Accepts the options of extents, which may have the keys of `known`. */
export function listingOf(options: unknown, known: typeof EXTENTS_KEYS, size: number): Listing {
  if (options !== undefined) requireOptions(options, 'options', known);
  const { position, length, layer, detectZeroes, signal } = (options ?? {}) as ExtentsOptions;
  const start = position === undefined ? 0 : bytes(position, 'options.position');
  return {
    position: start,
    end: length === undefined ? size : Math.min(size, start + bytes(length, 'options.length')),
    layer: EXTENT_LAYER[layer === undefined ? 'all' : oneOf(layer, 'options.layer', EXTENT_LAYER)],
    step: detectZeroes === undefined ? 0 : integer(detectZeroes, 'options.detectZeroes', LEAST_STEP, MOST_STEP),
    signal: abortSignal(signal, 'options.signal'),
  };
}

type Mutable = { -readonly [K in keyof Extent]: Extent[K] };

/** Puts neighbours of one kind together. The last extent is kept back until it is known where it ends. */
class Joined {
  #held: Mutable | undefined;
  #ended: Extent[] = [];

  add(position: number, length: number, type: ExtentType, depth: number, offset: number | undefined, present?: false): void {
    const held = this.#held;
    const next = held?.offset === undefined ? undefined : held.offset + held.length;
    if (held?.type === type && held.depth === depth && offset === next && held.present === present) {
      held.length += length;
      return;
    }
    if (held !== undefined) this.#ended.push(held);
    const begun = { position, length, type, depth, offset };
    this.#held = present === undefined ? begun : { ...begun, present };
  }

  /** Gives those that have ended. */
  take(): Extent[] {
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  /** Gives the last one, if there was any. */
  end(): Extent[] {
    if (this.#held !== undefined) this.#ended.push(this.#held);
    return this.take();
  }
}

/** Numbers of an extent, as native answers. */
const FIELDS = 6;

/** Adds what native has answered. Gives where the next call begins. */
function addNumbers(numbers: Float64Array, joined: Joined, from: number): number {
  let position = from;
  for (let i = 0; i < numbers.length; i += FIELDS) {
    const length = numbers[i + 1] as number;
    const offset = numbers[i + 4] as number;
    position = numbers[i] as number;
    const type = EXTENT_TYPES[numbers[i + 2] as 0];
    const present = numbers[i + 5] === 0 ? false : undefined;
    joined.add(position, length, type, numbers[i + 3] as number, offset < 0 ? undefined : offset, present);
    position += length;
  }
  return position;
}

/** Parts of an extent that are read at a time, so that each but the first begins with a step. */
function* partsOf({ position, length }: Extent, step: number): Generator<[from: number, to: number]> {
  const most = Math.floor(MOST_STEP / step) * step;
  const end = position + length;
  for (let from = position; from < end;) {
    const to = Math.min(end, from - (from % step) + most);
    yield [from, to];
    from = to;
  }
}

/** Adds the bytes of `data`, which begin at `from`, as zeros and as data. */
function addRuns(data: Buffer, from: number, { type, depth, position, offset }: Extent, step: number, joined: Joined): void {
  for (let at = 0; at < data.length;) {
    const to = Math.min(data.length, at + step - ((from + at) % step));
    const there = offset === undefined ? undefined : offset + (from + at - position);
    joined.add(from + at, to - at, isZero(data.subarray(at, to)) ? 'zero' : type, depth, there);
    at = to;
  }
}

/** What reads a device for a listing: all of `buffer`, from `position` on. */
export interface Readers {
  read(buffer: Buffer, position: number): Promise<unknown>;
  readSync(buffer: Buffer, position: number): unknown;
}

/** Lists on the calling thread. */
export function* listSync(handle: DeviceHandle, listing: Listing, device: Readers): Generator<Extent, void, undefined> {
  const lists = nativeListsSync(handle, listing);
  for (const extents of listing.step === 0 ? lists : detectedSync(lists, listing.step, device)) {
    // By index: yield* asks the iterator of the array for each of them.
    for (let i = 0; i < extents.length; i += 1) yield extents[i] as Extent;
  }
}

function* nativeListsSync(handle: DeviceHandle, { position, end, layer }: Listing): Generator<Extent[]> {
  const joined = new Joined();
  // Once at least: it is native that refuses a position.
  for (let from = position; ;) {
    const numbers = binding.extentsSync(handle.requests, from, Math.max(0, end - from), layer);
    if (isFailure(numbers)) throw fromFailure(numbers, handle);
    from = addNumbers(numbers, joined, from);
    if (numbers.length === 0 || from >= end) break;
    yield joined.take();
  }
  yield joined.end();
}

function* detectedSync(lists: Iterable<Extent[]>, step: number, device: Readers): Generator<Extent[]> {
  const joined = new Joined();
  for (const extents of lists) {
    for (const extent of extents) {
      if (extent.type !== 'data') joined.add(extent.position, extent.length, extent.type, extent.depth, extent.offset, extent.present);
      else
        for (const [from, to] of partsOf(extent, step)) {
          const data = Buffer.allocUnsafe(to - from);
          device.readSync(data, from);
          addRuns(data, from, extent, step, joined);
          yield joined.take();
        }
    }
  }
  yield joined.end();
}

/** Lists by promises. */
export function list(handle: DeviceHandle, listing: Listing, device: Readers): AsyncIterableIterator<Extent> {
  const lists = nativeLists(handle, listing);
  return new ExtentIterator(listing.step === 0 ? lists : detected(lists, listing.step, device));
}

/** Lists by promises, many extents at a time and no zeros that would have to be looked for. */
export async function* nativeLists(handle: DeviceHandle, { position, end, layer, signal }: Listing): AsyncGenerator<Extent[], void> {
  const joined = new Joined();
  for (let from = position; ;) {
    const token = handle.token(signal);
    const numbers = await handle.settle(binding.extents(handle.requests, from, Math.max(0, end - from), layer, token), signal, token);
    if (isFailure(numbers)) throw fromFailure(numbers, handle);
    from = addNumbers(numbers, joined, from);
    if (numbers.length === 0 || from >= end) break;
    yield joined.take();
  }
  yield joined.end();
}

async function* detected(lists: AsyncIterable<Extent[]>, step: number, device: Readers): AsyncGenerator<Extent[], void> {
  const joined = new Joined();
  for await (const extents of lists) {
    for (const extent of extents) {
      if (extent.type !== 'data') joined.add(extent.position, extent.length, extent.type, extent.depth, extent.offset, extent.present);
      else
        for (const [from, to] of partsOf(extent, step)) {
          const data = Buffer.allocUnsafe(to - from);
          await device.read(data, from);
          addRuns(data, from, extent, step, joined);
          yield joined.take();
        }
    }
  }
  yield joined.end();
}

/** Hands out the extents of lists one by one: an async generator would take several turns for each. Calls of `next()` are answered in their order. */
class ExtentIterator implements AsyncIterableIterator<Extent> {
  readonly #lists: AsyncGenerator<Extent[], void>;
  #ready: readonly Extent[] = [];
  #at = 0;
  #isOver = false;
  /** Calls that wait, and the last one of them. */
  #waiting = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(lists: AsyncGenerator<Extent[], void>) {
    this.#lists = lists;
  }

  next(): Promise<IteratorResult<Extent, undefined>> {
    if (this.#waiting === 0 && this.#at < this.#ready.length) return Promise.resolve(this.#take());
    this.#waiting += 1;
    const answer = this.#turn.then(() => this.#later());
    // A failure is told by the call that met it; those behind it find the end.
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  async return(): Promise<IteratorResult<Extent, undefined>> {
    this.#isOver = true;
    this.#ready = [];
    await this.#lists.return();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): IteratorResult<Extent, undefined> {
    const value = this.#ready[this.#at];
    this.#at += 1;
    return value === undefined ? { value, done: true } : { value, done: false };
  }

  async #later(): Promise<IteratorResult<Extent, undefined>> {
    try {
      while (this.#at >= this.#ready.length && !this.#isOver) {
        const { value, done } = await this.#lists.next();
        this.#at = 0;
        this.#ready = value ?? [];
        if (done === true) this.#isOver = true;
      }
      return this.#isOver && this.#at >= this.#ready.length ? { value: undefined, done: true } : this.#take();
    } finally {
      this.#waiting -= 1;
    }
  }
}
