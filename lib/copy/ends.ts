// The two ends of a copy as it sees them: something to read chunks from and something to write them to, counted from the
// start of the copy, whatever lies behind.
import type { Place } from './place.js';

/** Where a copy reads. */
export interface Source {
  /** Bytes from the start of the copy to the end of the source; Infinity for a stream, which does not know. */
  readonly size: number;
  /** Tells that reads have to be asked for in order, one after the other. */
  readonly isStream: boolean;
  /** Where its first `length` bytes lie, as far as that can be told. */
  place(length: number): Promise<Place | undefined>;
  /** Fills `memory` from `position` on. -> bytes; fewer than asked for, or 0, only at the end. */
  read(memory: Buffer, position: number, signal: AbortSignal): Promise<number>;
  /** The first stretch at `position` or behind it that may hold something else than zeros; empty at the end when there is none. Not of a stream. */
  nextData?(position: number): Promise<{ readonly begin: number; readonly end: number }>;
  /** Lets go of what was opened; `failure` is what ended the copy early. */
  close(failure?: { readonly reason: unknown }): Promise<void>;
}

/** Where a copy writes. */
export interface Target {
  /** Bytes from the start of the copy to the end of the target; Infinity where it grows. */
  readonly size: number;
  /** Tells that writes have to be asked for in order, and that memory stays in use after them. */
  readonly isStream: boolean;
  /** Writes all of `data` at `position`; with `sparse` nothing where that holds zeros as `data` does. */
  write(data: Buffer, position: number, sparse: boolean, signal: AbortSignal): Promise<void>;
  /** Makes [position, position + length) zeros, a hole where it can. */
  zero(position: number, length: number, signal: AbortSignal): Promise<void>;
  /** Ends the target after `length` bytes: a file gets that length, a stream its end; with `flush` all of it is durable. */
  finish(length: number, flush: boolean, signal: AbortSignal): Promise<void>;
  /** Fills `memory` with what was written at `position`. -> bytes. Not of a stream. */
  read?(memory: Buffer, position: number, signal: AbortSignal): Promise<number>;
  /** Lets go of what was opened; `failure` is what ended the copy early. */
  close(failure?: { readonly reason: unknown }): Promise<void>;
}
