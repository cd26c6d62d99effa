// Ends of a copy that are streams, of Node or of the Web. Their chunks are of any size; those of the copy are not.
import { finished } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import type { ReadableStream, WritableStream, WritableStreamDefaultWriter } from 'node:stream/web';
import { types } from 'node:util';
import { iteratorOf } from '../arguments/iterables.js';
import { invalidArgType } from '../errors.js';
import { viewLength } from '../request/transfer.js';
import type { Source, Target } from './ends.js';
import { placeOfStream, type Place } from './place.js';

/** A ReadableStream as the types of the DOM have it, which do not say that it can be iterated: the body of a `fetch()`. */
interface DomByteStream {
  readonly locked: boolean;
  cancel(reason?: unknown): Promise<void>;
  getReader(): {
    read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
    cancel(reason?: unknown): Promise<void>;
    releaseLock(): void;
  };
}

/** What a stream that is read has to have; a Readable and a ReadableStream do. */
export type ByteIterable = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array> | DomByteStream;

/** Zeros that a stream is given at a time. */
const ZEROS = 1 << 18;

/** Tells when a signal aborts; what waits for a stream waits for this as well, since a stream may never go on. */
function aborted(signal: AbortSignal): Promise<never> & { cancel(): void } {
  let cancel = (): void => undefined;
  const promise = new Promise<never>((_, reject) => {
    const listener = (): void => reject(signal.reason as Error);
    if (signal.aborted) listener();
    signal.addEventListener('abort', listener, { once: true });
    cancel = () => signal.removeEventListener('abort', listener);
  });
  promise.catch(() => undefined); // somebody else may be first
  return Object.assign(promise, { cancel });
}

/** Waits for one of the two: the work, or the end of the signal. */
async function unless<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const end = aborted(signal);
  try {
    return await Promise.race([work, end]);
  } finally {
    end.cancel();
  }
}

/** Goes through a stream of the Web that has no iterator itself. */
function iteratorOfReader(stream: DomByteStream): AsyncIterator<unknown> {
  const reader = stream.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<unknown>>,
    async return() {
      await reader.cancel();
      reader.releaseLock();
      return { done: true, value: undefined };
    },
  };
}

/** A stream that is read. */
export class StreamSource implements Source {
  readonly isStream = true;
  readonly part = undefined;
  readonly size = Infinity;
  readonly #stream: ByteIterable;
  readonly #iterator: AsyncIterator<unknown>;
  #rest: Buffer | undefined;
  #isOver = false;

  constructor(stream: ByteIterable) {
    this.#stream = stream;
    this.#iterator = (iteratorOf(stream) ?? iteratorOfReader(stream as DomByteStream)) as AsyncIterator<unknown>;
  }

  place(): Promise<Place | undefined> {
    return placeOfStream(this.#stream);
  }

  async read(memory: Buffer, _position: number, signal: AbortSignal): Promise<number> {
    let filled = 0;
    while (filled < memory.length) {
      const rest = this.#rest ?? (await this.#next(signal));
      if (rest === undefined) break;
      const taken = rest.copy(memory, filled);
      filled += taken;
      this.#rest = taken < rest.length ? rest.subarray(taken) : undefined;
    }
    return filled;
  }

  async close(failure?: { readonly reason: unknown }): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    const { destroy } = this.#stream as { destroy?: (error?: unknown) => void };
    if (failure !== undefined && typeof destroy === 'function') {
      // The copy reports the reason; the stream has somebody to hear of it, too.
      (this.#stream as NodeJS.ReadableStream).on('error', () => undefined);
      destroy.call(this.#stream, failure.reason);
      return;
    }
    // An iterator that is busy may never answer; it is asked to end, and not waited for.
    const ending = this.#iterator.return?.();
    if (failure === undefined) await ending;
    else ending?.catch(() => undefined);
  }

  async #next(signal: AbortSignal): Promise<Buffer | undefined> {
    if (this.#isOver) return undefined;
    const result: IteratorResult<unknown, unknown> = await unless(signal, this.#iterator.next());
    if (result.done === true) {
      this.#isOver = true;
      return undefined;
    }
    // FileHandle.readableWebStream() gives bare memory.
    const chunk = types.isAnyArrayBuffer(result.value) ? new Uint8Array(result.value) : result.value;
    const length = viewLength(chunk, 'chunk of the source');
    const view = chunk as NodeJS.ArrayBufferView;
    return Buffer.from(view.buffer as ArrayBuffer, view.byteOffset, length);
  }
}

/** A stream has no holes: it gets zeros, in pieces of memory that it may keep. */
async function writeZeros(target: Target, position: number, length: number, signal: AbortSignal): Promise<void> {
  for (let done = 0; done < length; done += ZEROS) {
    signal.throwIfAborted();
    await target.write(Buffer.alloc(Math.min(ZEROS, length - done)), position + done, false, signal);
  }
}

/** A Writable of Node that is written. */
export class NodeStreamTarget implements Target {
  readonly isStream = true;
  readonly isZero = false;
  readonly size = Infinity;
  readonly #stream: Writable;
  readonly #finished: Promise<void>;
  /** Ends the write that is under way; a stream that is torn down may forget its callback. */
  #fail: ((error: Error) => void) | undefined;
  #failure: Error | undefined;

  constructor(stream: Writable) {
    if (stream.writableObjectMode) throw invalidArgType('target', 'a stream of bytes', stream);
    this.#stream = stream;
    this.#finished = finished(stream, { readable: false });
    this.#finished.catch((error: unknown) => {
      this.#failure = error as Error;
      this.#fail?.(this.#failure);
    });
  }

  async write(data: Buffer, _position: number, _sparse: boolean, signal: AbortSignal): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      this.#fail = reject;
      if (this.#failure !== undefined) reject(this.#failure);
      this.#stream.write(data, (error) => (error == null ? resolve() : reject(error)));
    });
    written.catch(() => undefined); // the signal may be first
    await unless(signal, written);
  }

  zero(position: number, length: number, signal: AbortSignal): Promise<void> {
    return writeZeros(this, position, length, signal);
  }

  async finish(_length: number, _flush: boolean, signal: AbortSignal): Promise<void> {
    // Nobody else could write there any more.
    if (this.#stream === process.stdout || this.#stream === process.stderr) return;
    this.#stream.end();
    await unless(signal, this.#finished);
  }

  close(failure?: { readonly reason: unknown }): Promise<void> {
    if (failure !== undefined) {
      this.#stream.on('error', () => undefined); // the copy reports it
      this.#stream.destroy(failure.reason as Error);
    }
    return Promise.resolve();
  }
}

/** A WritableStream of the Web that is written. */
export class WebStreamTarget implements Target {
  readonly isStream = true;
  readonly isZero = false;
  readonly size = Infinity;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(stream: WritableStream<Uint8Array>) {
    this.#writer = stream.getWriter();
    this.#writer.closed.catch(() => undefined); // writes and the close hear of it
  }

  async write(data: Buffer, _position: number, _sparse: boolean, signal: AbortSignal): Promise<void> {
    const written = this.#writer.ready.then(() => this.#writer.write(data));
    written.catch(() => undefined); // the signal may be first
    await unless(signal, written);
  }

  zero(position: number, length: number, signal: AbortSignal): Promise<void> {
    return writeZeros(this, position, length, signal);
  }

  async finish(_length: number, _flush: boolean, signal: AbortSignal): Promise<void> {
    await unless(signal, this.#writer.close());
  }

  close(failure?: { readonly reason: unknown }): Promise<void> {
    if (failure === undefined) this.#writer.releaseLock();
    // Not waited for: a sink that hangs would keep the copy from reporting.
    else this.#writer.abort(failure.reason).catch(() => undefined);
    return Promise.resolve();
  }
}
