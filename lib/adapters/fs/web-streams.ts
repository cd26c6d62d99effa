// The Web streams of a handle. Nothing is read ahead: a pull is a read, so that back-pressure is exact.
import { ByteLengthQueuingStrategy, ReadableStream, WritableStream, type UnderlyingByteSource, type UnderlyingSink } from 'node:stream/web';
import type { View } from '../../request/transfer.js';
import type { StreamHandle } from './stream-handle.js';
import type { ReadSettings, WriteSettings } from './options.js';

/** What a stream of either direction has for a life: requests under way, a signal that ends it, a handle that goes with it. */
interface Life {
  /** Ends requests that are under way when the stream does. */
  readonly inFlight: AbortController;
  /** Ties the stream to the caller's signal: it fails with the signal's reason, unless it has ended before. */
  begin: (controller: { error(reason: unknown): void }) => void;
  /** Lets go of the signal, ends what is under way, and closes the handle if it is the stream's. */
  end: (reason?: unknown) => Promise<void>;
}

/** The life of one stream of `handle`. */
function life(handle: StreamHandle, { autoClose, signal }: Pick<ReadSettings, 'autoClose' | 'signal'>): Life {
  const inFlight = new AbortController();
  let release = (): void => undefined;
  const end = async (reason?: unknown): Promise<void> => {
    release();
    inFlight.abort(reason);
    if (autoClose) await handle.close();
  };
  return {
    inFlight,
    end,
    begin: (controller) => {
      if (signal === undefined) return;
      const fail = (): void => {
        controller.error(signal.reason);
        end(signal.reason).catch(() => undefined); // the stream has its error
      };
      if (signal.aborted) return fail();
      signal.addEventListener('abort', fail, { once: true });
      release = () => signal.removeEventListener('abort', fail);
    },
  };
}

/** Makes a stream of bytes of a range. */
export function readableWebStream(handle: StreamHandle, settings: ReadSettings): ReadableStream<Uint8Array> {
  const { start, stop, chunk } = settings;
  const { inFlight, end, begin } = life(handle, settings);
  let moved = 0;
  const source: UnderlyingByteSource = {
    type: 'bytes',
    autoAllocateChunkSize: chunk,
    start(controller) {
      begin(controller);
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
export function writableWebStream(handle: StreamHandle, settings: WriteSettings): WritableStream<View> {
  const { start, chunk, flush } = settings;
  const { inFlight, end, begin } = life(handle, settings);
  let moved = 0;
  const sink: UnderlyingSink<View> = {
    start(controller) {
      // The sink's own abort() waits for the write in flight, which this ends. The types of Node 20 do not know it.
      const own = (controller as unknown as { signal: AbortSignal }).signal;
      own.addEventListener('abort', () => inFlight.abort(own.reason), { once: true });
      begin(controller);
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
