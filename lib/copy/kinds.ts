// What can be an end of a copy, and what is handed over as one.
import type { Writable } from 'node:stream';
import type { WritableStream } from 'node:stream/web';
import { hostPath } from '../arguments/validate.js';
import { BlockDevice } from '../index.js';
import { nativeMediumOf, type Medium } from '../media/medium.js';
import { isNbdUrl } from '../media/nbd-url.js';
import type { Source } from '../media/source.js';
import type { ByteIterable } from './stream-ends.js';

/** What a copy reads: an open device, the path of a file or node, a medium, a Readable, a ReadableStream, or any other iterable of bytes. */
export type CopySource = BlockDevice | Source | ByteIterable;
/** What a copy writes: an open device, the path of a file or node, a medium, a Writable, or a WritableStream. */
export type CopyTarget = BlockDevice | Source | Writable | WritableStream<Uint8Array>;

/** What to call an end in a message. */
export function nameOf(end: unknown, argument: string): string {
  if (end instanceof BlockDevice) return end.path;
  if (isMedium(end)) return end.name;
  if (isNbdUrl(end)) return end.href;
  return isPath(end) ? hostPath(end, argument).toString() : 'stream';
}

export function isMedium(value: unknown): value is Medium {
  return nativeMediumOf(value) !== undefined;
}

export function isPath(value: unknown): value is string | Buffer | URL {
  return typeof value === 'string' || value instanceof Uint8Array || (typeof value === 'object' && value !== null && 'href' in value);
}

/** A stream of the Web may have no iterator: those of some browsers and polyfills. */
export function isByteStream(value: unknown): value is ByteIterable {
  if (typeof value !== 'object' || value === null) return false;
  const { [Symbol.asyncIterator]: iterate, getReader } = value as { [Symbol.asyncIterator]?: unknown; getReader?: unknown };
  return typeof iterate === 'function' || typeof getReader === 'function';
}

export function isNodeTarget(value: unknown): value is Writable {
  if (typeof value !== 'object' || value === null) return false;
  return ['write', 'end', 'on', 'destroy'].every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}

export function isWebTarget(value: unknown): value is WritableStream<Uint8Array> {
  return typeof value === 'object' && value !== null && typeof (value as { getWriter?: unknown }).getWriter === 'function';
}
