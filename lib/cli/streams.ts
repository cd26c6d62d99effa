// The other side of `read` and `write`: a file or a pipe that takes bytes, and one that gives them.
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { withPath } from './failure.js';
import { emit } from './report.js';

/** Bytes moved at a time between the device and a file or pipe. */
export const PIECE = 1 << 20;

/** The name that means stdin or stdout. */
export const STANDARD = '-';

/** Takes bytes until it is closed; `data` may be reused once `write` has settled. */
export interface Sink {
  write(data: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** stdout for `-`, else the file, created or emptied. */
export async function openSink(name: string): Promise<Sink> {
  if (name === STANDARD) return { write: emit, close: () => Promise.resolve() };
  const handle = await open(name, 'w');
  return {
    write: (data) => writeWhole(handle, data, name),
    close: () => handle.close(),
  };
}

async function writeWhole(handle: FileHandle, data: Uint8Array, name: string): Promise<void> {
  try {
    let done = 0;
    while (done < data.byteLength) {
      const { bytesWritten } = await handle.write(data, done, data.byteLength - done);
      done += bytesWritten;
    }
  } catch (error) {
    throw withPath(error, name);
  }
}

/** The bytes of stdin for `-`, else of the file, in pieces of PIECE bytes, the last one shorter; at most `limit` in all. */
export async function* pieces(name: string, limit: number): AsyncGenerator<Uint8Array, void, undefined> {
  if (limit === 0) return;
  const source = name === STANDARD ? process.stdin : createReadStream(name, { highWaterMark: PIECE });
  const piece = Buffer.allocUnsafe(Math.min(PIECE, limit));
  let filled = 0;
  let left = limit;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      let rest = chunk.subarray(0, left);
      left -= rest.byteLength;
      while (rest.byteLength > 0) {
        const taken = rest.copy(piece, filled);
        filled += taken;
        rest = rest.subarray(taken);
        if (filled < piece.byteLength) continue;
        yield piece;
        filled = 0;
      }
      if (left === 0) break;
    }
  } catch (error) {
    throw withPath(error, name === STANDARD ? 'stdin' : name);
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
