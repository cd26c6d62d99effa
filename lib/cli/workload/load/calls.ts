// What an engine opens: the calls that do its requests, in the shape that its users program against, and memory for them.
import type { Batch } from '../../../index.js';

type Callback = (error: Error | null, moved: number) => void;

/** One open file with the calls of one engine. All move bytes between `data` and `position`, and give how many. */
export type Calls =
  | { shape: 'sync'; read(data: Uint8Array, position: number): number; write(data: Uint8Array, position: number): number; sync(): void }
  | {
      shape: 'promise';
      read(data: Uint8Array, position: number): Promise<number>;
      write(data: Uint8Array, position: number): Promise<number>;
      sync(): Promise<unknown>;
    }
  | {
      shape: 'callback';
      read(data: Uint8Array, position: number, done: Callback): void;
      write(data: Uint8Array, position: number, done: Callback): void;
      sync(done: Callback): void;
    }
  | { shape: 'batch'; batch: Batch };

/** The page-aligned memory of one request in flight: as much of it as a read and as a write takes. */
export interface Lane {
  read: Uint8Array;
  write: Uint8Array;
}

export interface OpenEngine {
  calls: Calls;
  lanes: Lane[];
  close(): Promise<void>;
}
