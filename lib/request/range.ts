// What a call is made of that works on a range of the device and moves none of the caller's memory: discard, writing zeros, prefetch.
import { keysOf, NO_SIGNAL } from '../arguments/known-keys.js';
import { abortSignal, bytes, flag, requireOptions } from '../arguments/validate.js';
import { OP } from '../native/binding.js';
import { blockNumber, fuaRule, type Bytes, type Position } from './transfer.js';

/** Options of `writeZeroes()`. */
export interface WriteZeroesOptions {
  /** Lets the host free the range; default true. With false room stays, or is taken. */
  mayUnmap?: boolean;
  /** Refuses with ENOTSUP, and changes nothing, where it would not be faster than writing zeros; default false. */
  fast?: boolean;
  /** Makes it durable when it completes, or not; default: the rule of the cache mode. */
  fua?: boolean;
  /** Ends the request early. */
  signal?: AbortSignal;
}

const ZEROES_NAMES = { mayUnmap: true, fast: true, fua: true } as const;
const ZEROES_WORDS = { unmap: "'mayUnmap'", punch: "'mayUnmap'", sync: "'fua'", flush: "'fua'", durable: "'fua'" } as const;

/** What the forms of writeZeroes take. */
export const ZEROES_KEYS = keysOf<WriteZeroesOptions>({ ...ZEROES_NAMES, signal: true }, ZEROES_WORDS);
export const ZEROES_SYNC_KEYS = keysOf<Omit<WriteZeroesOptions, 'signal'>>(ZEROES_NAMES, { ...ZEROES_WORDS, ...NO_SIGNAL });

/** One buf that has no memory, as the kernel hands it to d_strategy. */
export interface RangeBufRequest {
  /** The operation on the sectors. */
  op: 'discard' | 'zero';
  /** First sector; the bounds check answers what lies outside the device. */
  blkno: Position;
  /** Bytes. */
  bcount: Bytes;
  /** Lets it complete before it is durable (B_ASYNC); default false. */
  deferred?: boolean;
  /** Ends the request early. */
  signal?: AbortSignal;
}

const RANGE_BUF_NAMES = { op: true, blkno: true, bcount: true, deferred: true } as const;
const RANGE_BUF_WORDS = { position: "'blkno', in sectors", length: "'bcount'", data: "'bcount': it has no memory" } as const;

/** What the forms of strategy take of such a one. */
export const RANGE_BUF_KEYS = keysOf<RangeBufRequest>({ ...RANGE_BUF_NAMES, signal: true }, RANGE_BUF_WORDS);
export const RANGE_BUF_SYNC_KEYS = keysOf<Omit<RangeBufRequest, 'signal'>>(RANGE_BUF_NAMES, { ...RANGE_BUF_WORDS, ...NO_SIGNAL });

/** Tells a buf without memory from others. */
export function isRangeBuf<T extends { op: unknown }>(request: T): request is Extract<T, { op: 'discard' | 'zero' }> {
  const { op } = Object(request) as { op?: unknown };
  return op === 'discard' || op === 'zero';
}

/** A buf without memory that was accepted; op is one of OP. */
export interface RangeBuf {
  readonly way: number;
  readonly first: number;
  readonly bcount: number;
  readonly isDeferred: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Accepts a buf without memory, which may have the keys of `known`. */
export function rangeBufOf(request: RangeBufRequest, known: typeof RANGE_BUF_KEYS): RangeBuf {
  requireOptions(request, 'request', known);
  const { op, blkno, bcount, deferred, signal } = request;
  return {
    way: OP[op],
    first: blockNumber(blkno, 'request.blkno'),
    bcount: bytes(bcount, 'request.bcount'),
    isDeferred: flag(deferred, 'request.deferred', false),
    signal: abortSignal(signal, 'request.signal'),
  };
}

/** A range that was accepted, in bytes; it may lie outside of the device. */
export interface Range {
  readonly start: number;
  readonly length: number;
}

/** Accepts a range of the device. */
export function rangeOf(position: unknown, length: unknown): Range {
  return { start: bytes(position, 'position'), length: bytes(length, 'length') };
}

/** How zeros are written. */
export interface ZeroesRule {
  readonly mayUnmap: boolean;
  readonly fast: boolean;
  /** One of FUA. */
  readonly fua: number;
  readonly signal: AbortSignal | undefined;
}

/** Accepts the options of writeZeroes, which may have the keys of `known`. */
export function zeroesRule(options: unknown, known: typeof ZEROES_KEYS): ZeroesRule {
  if (options !== undefined) requireOptions(options, 'options', known);
  const { mayUnmap, fast, signal } = (options ?? {}) as WriteZeroesOptions;
  return {
    mayUnmap: flag(mayUnmap, 'options.mayUnmap', true),
    fast: flag(fast, 'options.fast', false),
    fua: fuaRule(options),
    signal: abortSignal(signal, 'options.signal'),
  };
}
