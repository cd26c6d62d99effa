// What the streams of a handle need of it, and how each of them ends.
import type { BlockDevice } from '../../index.js';
import type { Bytes, View } from '../../request/transfer.js';

/** A handle as its streams see it: a place that moves, over a device. */
export interface StreamHandle {
  readonly device: BlockDevice;
  read<T extends View>(
    view: T,
    options: { length?: number; position: number | null; signal: AbortSignal },
  ): Promise<{ bytesRead: Bytes; buffer: T }>;
  write(data: View, options: { position: number | null; signal: AbortSignal }): Promise<{ bytesWritten: Bytes }>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** Closes the handle if that is wanted; the error of the stream comes before that of the close. */
export function closeWith(handle: StreamHandle, autoClose: boolean, error: Error | null, callback: (error?: Error | null) => void): void {
  if (!autoClose) {
    callback(error);
    return;
  }
  handle.close().then(
    () => callback(error),
    (failure: unknown) => callback(error ?? (failure as Error)),
  );
}
