// Whether something is gone through for its elements.

/** What all arrays of numbers inherit from, Buffer included. */
const TypedArray = Object.getPrototypeOf(Uint8Array) as abstract new () => object;

/**
 * Tells an iterable, asynchronous or not, of things. Bytes are none, though they can be gone through: whoever hands them over has
 * forgotten to put them into an array. Nor are they behind a Proxy, which only their prototype tells.
 */
export function isIterable(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  if (typeof value !== 'object' || value === null || value instanceof TypedArray) return false;
  return Symbol.asyncIterator in value || Symbol.iterator in value;
}
