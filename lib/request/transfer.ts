// What one transfer is made of: position, block number, and the part of the caller's view. AbortSignal is in abort.ts.
// The getters of the prototypes are used instead of properties, because a caller can shadow `byteLength` and `buffer`.
import { FUA, OP } from '../native/binding.js';
import { keysOf, NO_SIGNAL, type KnownKeys } from '../arguments/known-keys.js';
import { abortSignal, bytes, flag, integer, oneOf, requireObject, requireOptions } from '../arguments/validate.js';
import { invalidArgType, invalidArgValue, outOfRange } from '../errors.js';

/** Whole bytes; a safe integer. */
export type Bytes = number;
/** Bytes from the start of the device, or sectors for a block number. */
export type Position = number | bigint;
/** Buffer, any TypedArray, DataView; resizable and shared memory is refused. */
export type View = NodeJS.ArrayBufferView;

/** The part of the view that a transfer uses. */
export interface TransferOptions {
  /** First byte of the view, in bytes; default 0. */
  offset?: number;
  /** Bytes to move; default: to the end of the view. */
  length?: number;
  /** Ends the request early. */
  signal?: AbortSignal;
}

/** Options of a write. */
export interface WriteOptions extends TransferOptions {
  /** Makes the write durable when it completes, or not; default: the rule of the cache mode. */
  fua?: boolean;
}

/** One buf as the kernel hands it to d_strategy. */
export interface BufRequest {
  /** Direction, seen from the caller. */
  op: 'read' | 'write';
  /** First sector; the bounds check answers what lies outside the device. */
  blkno: Position;
  /** Memory of the request; all of it is used. */
  data: View;
  /** Lets a write complete before it is durable (B_ASYNC); default false. */
  deferred?: boolean;
  /** Ends the request early. */
  signal?: AbortSignal;
}

const PART_NAMES = { offset: true, length: true } as const;
/** Keys that callers mean something else by. */
const PART_WORDS = { position: "the argument 'position'", size: "'length'", start: "'offset'" } as const;
const DURABLE_WORDS = { sync: "'fua'", flush: "'fua'", durable: "'fua'" } as const;

/** What the forms of read and write take. */
export const READ_KEYS = keysOf<TransferOptions>({ ...PART_NAMES, signal: true }, PART_WORDS);
export const READ_SYNC_KEYS = keysOf<Omit<TransferOptions, 'signal'>>(PART_NAMES, { ...PART_WORDS, ...NO_SIGNAL });
const WRITE_WORDS = { ...PART_WORDS, ...DURABLE_WORDS } as const;
export const WRITE_KEYS = keysOf<WriteOptions>({ ...PART_NAMES, fua: true, signal: true }, WRITE_WORDS);
export const WRITE_SYNC_KEYS = keysOf<Omit<WriteOptions, 'signal'>>({ ...PART_NAMES, fua: true }, { ...WRITE_WORDS, ...NO_SIGNAL });

const BUF_NAMES = { op: true, blkno: true, data: true, deferred: true } as const;
const BUF_WORDS = { position: "'blkno', in sectors", bcount: "'data', all of which is used", async: "'deferred'" } as const;
/** What the forms of strategy take. */
export const BUF_KEYS = keysOf<BufRequest>({ ...BUF_NAMES, signal: true }, BUF_WORDS);
export const BUF_SYNC_KEYS = keysOf<Omit<BufRequest, 'signal'>>(BUF_NAMES, { ...BUF_WORDS, ...NO_SIGNAL });

/** Outcome of one buf. */
export interface BufResult {
  /** Bytes asked for. */
  bcount: Bytes;
  /** Bytes asked for and not moved. */
  resid: Bytes;
}

type Getter = (this: unknown) => unknown;

function getter(prototype: object, key: PropertyKey): Getter {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, key) as { get: Getter };
  return descriptor.get;
}

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const typedArrayTag = getter(typedArray, Symbol.toStringTag);
const typedArrayLength = getter(typedArray, 'byteLength');
const typedArrayBuffer = getter(typedArray, 'buffer');
const dataViewLength = getter(DataView.prototype, 'byteLength');
const dataViewBuffer = getter(DataView.prototype, 'buffer');
const bufferLength = getter(ArrayBuffer.prototype, 'byteLength');
const bufferResizable = getter(ArrayBuffer.prototype, 'resizable');

/** The TypedArray that was found to be over fixed memory last: it is for good, and most callers use one again and again. */
let lastFixed: unknown;
/** Of larger memory none is remembered, so that little is kept from the garbage collector. */
const MOST_KEPT = 1 << 20;

/** Accepts a view over memory that is fixed, private and attached, and returns its length in bytes. */
export function viewLength(view: unknown, name: string): number {
  if (view !== lastFixed) {
    if (typedArrayTag.call(view) === undefined) return lengthOfDataView(view, name);
    const buffer = typedArrayBuffer.call(view);
    requireFixed(buffer, view, name);
    if ((bufferLength.call(buffer) as number) <= MOST_KEPT) lastFixed = view;
  }
  const length = typedArrayLength.call(view) as number;
  if (length === 0) requireAttached(typedArrayBuffer.call(view), view, name);
  return length;
}

function lengthOfDataView(view: unknown, name: string): number {
  if (!ArrayBuffer.isView(view)) throw invalidArgType(name, 'an instance of Buffer, TypedArray, or DataView', view);
  const buffer = dataViewBuffer.call(view);
  requireFixed(buffer, view, name);
  requireAttached(buffer, view, name);
  return dataViewLength.call(view) as number;
}

function requireFixed(buffer: unknown, view: unknown, name: string): void {
  let fixed: boolean;
  try {
    // Throws for a SharedArrayBuffer, of any realm.
    fixed = bufferResizable.call(buffer) === false;
  } catch {
    fixed = false;
  }
  if (!fixed) throw invalidArgValue(name, view, 'must not use shared or resizable memory');
}

/** A detached ArrayBuffer takes no new view; Node 20 has no other test. */
function requireAttached(buffer: unknown, view: unknown, name: string): void {
  try {
    new Uint8Array(buffer as ArrayBuffer, 0, 0);
  } catch {
    throw invalidArgValue(name, view, 'must not be detached');
  }
}

/** The part of a view that a transfer uses, in bytes. */
export interface Part {
  readonly offset: number;
  readonly length: number;
  readonly signal: AbortSignal | undefined;
  /** What the signal said when it was asked, which is once. */
  readonly aborted: boolean;
}

/**
 * Accepts a view and the options that choose a part of it, which may have the keys of `known`. The options are read first: their
 * getters may change the view.
 */
export function partOf(view: unknown, options: unknown, known: KnownKeys): Part {
  if (options === undefined) return { offset: 0, length: viewLength(view, 'buffer'), signal: undefined, aborted: false };
  requireInOrder(options);
  requireOptions(options, 'options', known);
  const given = options as TransferOptions;
  const { offset: first, length: count } = given;
  const signal = abortSignal(given.signal, 'options.signal');
  const aborted = signal?.aborted === true;
  const size = viewLength(view, 'buffer');
  const offset = first === undefined ? 0 : integer(first, 'options.offset', 0, size);
  const length = count === undefined ? size - offset : integer(count, 'options.length', 0, size - offset);
  return { offset, length, signal, aborted };
}

/** Refuses a number in the place of the options: the call has the order of a FileHandle, and its position would be lost. */
function requireInOrder(options: unknown): void {
  if (typeof options !== 'number' && typeof options !== 'bigint') return;
  const order = 'a device takes (buffer, position, { offset, length }), a FileHandle (buffer, offset, length, position)';
  throw invalidArgType('options', `of type object: ${order}`, options);
}

/** Accepts the position of a read or a write. */
export function startOf(position: unknown): number {
  return bytes(position, 'position');
}

const INT64_MAX = 2n ** 63n - 1n;

/**
 * Accepts a block number; a negative one is for the bounds check to refuse.
 * A bigint beyond 2^53 is clamped: no device reaches so far, so the bounds check refuses the clamped one as well.
 */
export function blockNumber(value: unknown, name: string): number {
  if (typeof value === 'number') return integer(value, name, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  if (typeof value !== 'bigint') throw invalidArgType(name, 'of type number or bigint', value);
  if (value < -INT64_MAX - 1n || value > INT64_MAX) throw outOfRange(name, `>= ${-INT64_MAX - 1n} && <= ${INT64_MAX}`, value);
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(value)));
}

/** Accepts the direction of a buf that has memory. */
export function direction(op: unknown): number {
  if (op === 'read') return OP.read;
  if (op === 'write') return OP.write;
  return OP[oneOf(op, 'request.op', OP)];
}

/** Accepts the options of a write, whose keys partOf() looks at, and returns how durable it is. */
export function fuaRule(options: unknown): number {
  if (options === undefined) return FUA.byCacheMode;
  requireInOrder(options);
  requireObject(options, 'options');
  const { fua } = options as WriteOptions;
  if (fua === undefined) return FUA.byCacheMode;
  return flag(fua, 'options.fua', false) ? FUA.on : FUA.off;
}
