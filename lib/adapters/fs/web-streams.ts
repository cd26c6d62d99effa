// The Web streams of a handle. Nothing is read ahead: a pull is a read, so that back-pressure is exact.
import { ByteLengthQueuingStrategy, ReadableStream, WritableStream, type UnderlyingByteSource, type UnderlyingSink } from 'node:stream/web';
import type { View } from '../../transfer.js';
import type { DeviceFileHandle } from './file-handle.js';
import type { ReadSettings, WriteSettings } from './options.js';

/** Ties the end of a stream to a signal of the caller: `fail` is called with its reason, once, unless `release()` came before. */
function follow(signal: AbortSignal | undefined, fail: (reason: unknown) => void): () => void {
  if (signal === undefined) return () => undefined;
  const listener = (): void => fail(signal.reason);
  if (signal.aborted) listener();
  else signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

/** Makes a stream of bytes of a range. */
export function readableWebStream(handle: DeviceFileHandle, settings: ReadSettings): ReadableStream<Uint8Array> {
  const { start, stop, chunk, autoClose, signal } = settings;
  const inFlight = new AbortController();
  let moved = 0;
  let release = (): void => undefined;
  const end = async (reason?: unknown): Promise<void> => {
    release();
    inFlight.abort(reason);
    if (autoClose) await handle.close();
  };
  const source: UnderlyingByteSource = {
    type: 'bytes',
    autoAllocateChunkSize: chunk,
    start(controller) {
      release = follow(signal, (reason) => {
        controller.error(reason);
        end(reason).catch(() => undefined); // the stream has its error
      });
    },
    async pull(controller) {
      const request = controller.byobRequest;
      const view = request?.view;
      if (request === null || view === null || view === undefined) return; // cancelled meanwhile
      try {
        const position = start === undefined ? null : start + moved;
        const length = Math.min(view.byteLength, stop - (position ?? moved));
        const { bytesRead } =
          length <= 0 ? { bytesRead: 0 } : await handle.read(view as View, { length, position, signal: inFlight.signal });
        moved += bytesRead;
        if (inFlight.signal.aborted) return;
        if (bytesRead === 0) {
          await end();
          controller.close();
        }
        request.respond(bytesRead);
      } catch (error) {
        await end(error).catch(() => undefined); // the first failure is the one to tell
        throw error;
      }
    },
    cancel: (reason) => end(reason),
  };
  return new ReadableStream(source, { highWaterMark: 0 });
}

/** Makes a stream that writes from a position on. */
export function writableWebStream(handle: DeviceFileHandle, settings: WriteSettings): WritableStream<View> {
  const { start, chunk, autoClose, flush, signal } = settings;
  const inFlight = new AbortController();
  let moved = 0;
  let release = (): void => undefined;
  const end = async (reason?: unknown): Promise<void> => {
    release();
    inFlight.abort(reason);
    if (autoClose) await handle.close();
  };
  const sink: UnderlyingSink<View> = {
    start(controller) {
      // The sink's own abort() waits for the write in flight, which this ends. The types of Node 20 do not know it.
      const own = (controller as unknown as { signal: AbortSignal }).signal;
      own.addEventListener('abort', () => inFlight.abort(own.reason), { once: true });
      release = follow(signal, (reason) => {
        controller.error(reason);
        end(reason).catch(() => undefined); // the stream has its error
      });
    },
    async write(data) {
      try {
        const position = start === undefined ? null : start + moved;
        const { bytesWritten } = await handle.write(data, { position, signal: inFlight.signal });
        moved += bytesWritten;
      } catch (error) {
        await end(error).catch(() => undefined); // the first failure is the one to tell
        throw error;
      }
    },
    async close() {
      if (flush) await handle.datasync();
      await end();
    },
    abort: (reason) => end(reason),
  };
  return new WritableStream(sink, new ByteLengthQueuingStrategy({ highWaterMark: chunk }));
}
