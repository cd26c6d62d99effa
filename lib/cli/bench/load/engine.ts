// Engines: the ways to do a request, each in the shape that its users program against.
import type { Batch } from '../../../index.js';

export const ENGINES = ['sync', 'batch', 'async', 'fs-sync', 'fs-callback', 'fs-promises', 'fio'] as const;
export type EngineName = (typeof ENGINES)[number];
/** The engines that run in our threads. */
export type OwnEngine = Exclude<EngineName, 'fio'>;

/** What an engine is, for tables and pages. */
export const ENGINE_NOTES: Readonly<Record<EngineName, string>> = {
  sync: 'readSync and writeSync of a device',
  batch: 'runSync of a Batch with iodepth entries',
  async: 'read and write of a device, iodepth promises at a time',
  'fs-sync': 'readSync and writeSync of node:fs',
  'fs-callback': 'read and write of node:fs, iodepth callbacks at a time',
  'fs-promises': 'read and write of a FileHandle, iodepth promises at a time',
  fio: 'fio itself, with its own engine',
};

/** Engines that have one request in flight, whatever iodepth says. */
export function isSerial(engine: EngineName): boolean {
  return engine === 'sync' || engine === 'fs-sync';
}

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
