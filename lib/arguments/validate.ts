// Checks of arguments, in the caller's words: types, ranges, enumerations, host paths. Memory and positions of a transfer are in transfer.ts.
// A check returns the value in the form that native takes, or throws what errors.ts makes; it never calls back into user code.
import { isUint8Array } from 'node:util/types';
import { fileURLToPath } from 'node:url';
import { keysOf, requireKnown, type KnownKeys } from './known-keys.js';
import { invalidArgType, invalidArgValue, outOfRange } from '../errors.js';

/** The keys of a call that can be aborted, and has no other option. */
export const SIGNAL_KEYS = keysOf<{ signal?: AbortSignal }>({ signal: true });

/** Accepts an object that is neither an array nor a function; anything else is ERR_INVALID_ARG_TYPE. */
export function requireObject(value: unknown, name: string): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidArgType(name, 'of type object', value);
}

/** Accepts an object of options with no other keys than `known`. */
export function requireOptions(value: unknown, name: string, known: KnownKeys): asserts value is object {
  requireObject(value, name);
  requireKnown(value, known, name);
}

/** Accepts a string. */
export function text(value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
  return value;
}

/** Accepts an integer in [min, max]. */
export function integer(value: unknown, name: string, min: number, max: number): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value);
  return value;
}

/** Accepts the bytes of a sector: a power of two from 512 to 65536. */
export function sectorSizeOf(value: unknown, name: string): number {
  const size = integer(value, name, 512, 65536);
  if (!Number.isInteger(Math.log2(size))) throw invalidArgValue(name, value, 'must be a power of two');
  return size;
}

/** Accepts whole bytes, 0 to 2^53 - 1, as a number or a bigint. */
export function bytes(value: unknown, name: string): number {
  if (typeof value === 'number' && value >= 0 && Number.isSafeInteger(value)) return value;
  if (typeof value === 'bigint' && value >= 0n && value <= Number.MAX_SAFE_INTEGER) return Number(value);
  throw notBytes(value, name);
}

function notBytes(value: unknown, name: string): Error {
  if (typeof value !== 'number' && typeof value !== 'bigint') return invalidArgType(name, 'of type number or bigint', value);
  if (typeof value === 'number' && !Number.isInteger(value)) return outOfRange(name, 'an integer', value);
  return outOfRange(name, `>= 0 && <= ${Number.MAX_SAFE_INTEGER}`, value);
}

/** Accepts a boolean, or undefined for `fallback`. */
export function flag(value: unknown, name: string, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value);
  return value;
}

/** Accepts one of the keys of `table`. */
export function oneOf<K extends string>(value: unknown, name: string, table: Readonly<Record<K, number>>): K {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
  if (!Object.hasOwn(table, value)) {
    const allowed = Object.keys(table).map((key) => `'${key}'`);
    throw invalidArgValue(name, value, `must be one of: ${allowed.join(', ')}`);
  }
  return value as K;
}

/**
 * Accepts an array of at most `most` elements, each as `accept` does. It is gone through by index: a hole is an element that is
 * undefined, and neither a `map` of its own nor a Proxy decides what is looked at.
 */
export function listOf<T>(value: unknown, name: string, most: number, accept: (element: unknown, place: string) => T): T[] {
  if (!Array.isArray(value)) throw invalidArgType(name, 'an instance of Array', value);
  const length = integer(value.length, `${name}.length`, 0, most);
  const accepted: T[] = [];
  for (let i = 0; i < length; i += 1) accepted.push(accept(value[i], `${name}[${i}]`));
  return accepted;
}

/** Accepts undefined or what behaves like an AbortSignal, of any realm. */
export function abortSignal(value: unknown, name: string): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (!isSignal(value)) throw invalidArgType(name, 'an instance of AbortSignal', value);
  return value;
}

function isSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null || !('aborted' in value)) return false;
  const signal = value as Partial<AbortSignal>;
  return typeof signal.addEventListener === 'function' && typeof signal.removeEventListener === 'function';
}

/** Accepts what an event is told to. */
export function listenerOf<Listener extends (...args: never[]) => void>(value: Listener): Listener {
  if (typeof (value as unknown) !== 'function') throw invalidArgType('listener', 'of type function', value);
  return value;
}

/** Accepts a path as Node's fs does and returns a copy of it in the host's bytes; `expected` says what the argument may be. */
export function hostPath(value: unknown, name: string, expected = 'of type string or an instance of Buffer or URL'): Buffer {
  const path = toBytes(value, name, expected);
  if (path.includes(0)) throw invalidArgValue(name, value, 'must be a string, Uint8Array, or URL without null bytes');
  return path;
}

function toBytes(value: unknown, name: string, expected: string): Buffer {
  if (typeof value === 'string') return Buffer.from(value);
  if (isUint8Array(value)) return copyOf(value, name);
  // By its text: what an object of another make says of its parts may not fit together.
  if (isUrl(value)) return Buffer.from(fileURLToPath(value.href));
  throw invalidArgType(name, expected, value);
}

/** By what the memory is, not by what the object says of itself. */
function copyOf(path: Uint8Array, name: string): Buffer {
  try {
    return Buffer.from(new Uint8Array(path).buffer);
  } catch {
    throw invalidArgValue(name, path, 'must not be detached');
  }
}

/** Node's own test: a URL of another realm or of a polyfill counts. */
function isUrl(value: unknown): value is URL {
  const url = value as Partial<URL> | null;
  return typeof url === 'object' && url !== null && typeof url.href === 'string' && typeof url.protocol === 'string';
}
