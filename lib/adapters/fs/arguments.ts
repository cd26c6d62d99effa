// The forms in which FileHandle takes its arguments: one after the other, or as options. Each becomes the same plain request.
import type { Position, View } from '../../request/transfer.js';
import { invalidArgType } from '../../errors.js';
import { viewLength } from '../../request/transfer.js';
import { keysOf, type KnownKeys } from '../../arguments/known-keys.js';
import { abortSignal, bytes, integer, requireOptions } from '../../arguments/validate.js';

/** What FileHandle itself allocates for a read without a buffer. */
const DEFAULT_READ = 16384;

/** Options of a read or a write, as FileHandle takes them. */
export interface FileTransferOptions {
  /** First byte of the buffer; default 0. */
  offset?: number | null;
  /** Bytes to move; default: to the end of the buffer. */
  length?: number | null;
  /** Bytes from the start of the device; null, -1 or left out: the position of the handle, which moves. */
  position?: Position | null;
  /** Ends the request early. */
  signal?: AbortSignal;
}

const TRANSFER_NAMES = { offset: true, length: true, position: true, signal: true } as const;
const TRANSFER_KEYS = keysOf<FileTransferOptions>(TRANSFER_NAMES);
const READ_KEYS = keysOf<FileTransferOptions & { buffer?: View }>({ ...TRANSFER_NAMES, buffer: true });

/** A read or a write in its one form. */
export interface FileRequest<T extends View = View> {
  readonly buffer: T;
  readonly offset: number;
  readonly length: number;
  /** undefined: where the handle is. */
  readonly position: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Accepts a position: undefined for that of the handle. */
export function placeOf(position: unknown, name = 'position'): number | undefined {
  if (position === undefined || position === null || position === -1 || position === -1n) return undefined;
  return bytes(position, name);
}

function requestOf(buffer: unknown, { offset, length, position, signal }: Record<string, unknown>): FileRequest {
  const size = viewLength(buffer, 'buffer');
  const first = integer(offset ?? 0, 'offset', 0, size);
  return {
    buffer: buffer as View,
    offset: first,
    length: integer(length ?? size - first, 'length', 0, size - first),
    position: placeOf(position),
    signal: abortSignal(signal ?? undefined, 'signal'),
  };
}

/** Accepts `(buffer, offset, length, position)`, `(buffer, options)`, `(options)` and nothing. */
export function readRequest(args: readonly unknown[]): FileRequest {
  const [first, second, length, position] = args;
  if (ArrayBuffer.isView(first)) {
    if (typeof second !== 'object' || second === null) return requestOf(first, { offset: second, length, position });
    return requestOf(first, copyOf(second, TRANSFER_KEYS));
  }
  if (first === undefined || first === null) return requestOf(Buffer.alloc(DEFAULT_READ), {});
  if (typeof first !== 'object') throw invalidArgType('buffer', 'an instance of Buffer, TypedArray, or DataView', first);
  const { buffer = Buffer.alloc(DEFAULT_READ), ...options } = copyOf(first, READ_KEYS);
  return requestOf(buffer, options);
}

/** Accepts `(buffer, offset, length, position)`, `(buffer, options)` and `(string, position, encoding)`. */
export function writeRequest(args: readonly unknown[]): FileRequest {
  const [first, second, third, position] = args;
  if (typeof first === 'string') return requestOf(Buffer.from(first, encodingOf(third)), { position: second });
  if (typeof second !== 'object' || second === null) return requestOf(first, { offset: second, length: third, position });
  return requestOf(first, copyOf(second, TRANSFER_KEYS));
}

/** Accepts options and reads each of them, once. */
function copyOf(options: object, known: KnownKeys): Record<string, unknown> {
  requireOptions(options, 'options', known);
  const given = options as Record<string, unknown>;
  return Object.fromEntries(known.names.map((key) => [key, given[key]]));
}

/** Accepts the name of an encoding; default utf8. */
export function encodingOf(encoding: unknown, name = 'encoding'): BufferEncoding {
  if (encoding === undefined || encoding === null) return 'utf8';
  if (typeof encoding !== 'string' || !Buffer.isEncoding(encoding)) throw invalidArgType(name, 'the name of an encoding', encoding);
  return encoding;
}

/** Accepts an array of views and returns them as given, with the sum of their lengths. */
export function viewsOf<T extends View>(buffers: readonly T[]): { views: readonly T[]; length: number } {
  if (!Array.isArray(buffers)) throw invalidArgType('buffers', 'an instance of Array', buffers);
  const views = [...(buffers as readonly T[])];
  return { views, length: views.reduce((sum, view, i) => sum + viewLength(view, `buffers[${i}]`), 0) };
}
