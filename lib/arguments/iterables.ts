// Values that are gone through one element at a time: logs, and streams of bytes.
import { types } from 'node:util';

const TypedArray = Object.getPrototypeOf(Uint8Array) as typeof Uint8Array;

/** The iterator of a value that can be gone through by promises, and otherwise that of one that can be gone through at once; undefined of any other value. */
export function iteratorOf(value: object): AsyncIterator<unknown> | Iterator<unknown> | undefined {
  const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = value as Partial<AsyncIterable<unknown> & Iterable<unknown>>;
  if (typeof later === 'function') return later.call(value);
  return typeof now === 'function' ? now.call(value) : undefined;
}

/**
 * Tells whether a value is an object with entries to go through at once or, unless `onlyNow`, by promises. Views of memory are none,
 * also behind a Proxy: they have bytes, which are no entries.
 */
export function isIterable(value: unknown, { onlyNow = false } = {}): value is AsyncIterable<unknown> | Iterable<unknown> {
  if (typeof value !== 'object' || value === null || types.isTypedArray(value) || value instanceof TypedArray) return false;
  const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = value as Partial<AsyncIterable<unknown> & Iterable<unknown>>;
  return typeof now === 'function' || (!onlyNow && typeof later === 'function');
}
