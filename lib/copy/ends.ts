// The two ends of a copy as it sees them: something to read chunks from and something to write them to, counted from the
// start of the copy, whatever lies behind.
import type { BlockDevice } from '../index.js';
import type { Place } from './place.js';

/** A stretch of an end: data, or what is known to read as zeros. */
export interface Stretch {
  readonly position: number;
  readonly length: number;
  readonly isZero: boolean;
}

/** A device that an end is, and the byte of it where the copy begins. */
export interface DevicePart {
  readonly device: BlockDevice;
  readonly start: number;
}

/** Where a copy reads. */
export interface Source {
  /** Bytes from the start of the copy to the end of the source; Infinity for a stream, which does not know. */
  readonly size: number;
  /** Tells that reads have to be asked for in order, one after the other. */
  readonly isStream: boolean;
  /** The device that it is; undefined for a stream. */
  readonly part: DevicePart | undefined;
  /** Where its first `length` bytes lie, as far as that can be told. */
  place(length: number): Promise<Place | undefined>;
  /** Fills `memory` from `position` on. -> bytes; fewer than asked for, or 0, only at the end. */
  read(memory: Buffer, position: number, signal: AbortSignal): Promise<number>;
  /** What `length` bytes from `position` on are, in order and without gaps, as far as that is known without reading them. Not of a stream. */
  stretches?(position: number, length: number, signal: AbortSignal): AsyncIterator<Stretch>;
  /** Lets go of what was opened; `failure` is what ended the copy early. */
  close(failure?: { readonly reason: unknown }): Promise<void>;
}

/** Where a copy writes. */
export interface Target {
  /** Bytes from the start of the copy to the end of the target; Infinity where it grows. */
  readonly size: number;
  /** Tells that writes have to be asked for in order, and that memory stays in use after them. */
  readonly isStream: boolean;
  /** Tells that what is not written reads as zeros, so that nothing has to be done for them. */
  readonly isZero: boolean;
  /**
   * The device that it is, for a copy of so many bytes that the host makes itself; undefined where there is none. Called once, before
   * anything is written. `mayRefuse`: when the host cannot, nothing is copied at all, and what is there is to stay.
   */
  begin?(length: number, mayRefuse: boolean): Promise<DevicePart | undefined>;
  /** Writes all of `data` at `position`; with `detect` zeros in it are made holes. */
  write(data: Buffer, position: number, detect: boolean, signal: AbortSignal): Promise<void>;
  /** Makes [position, position + length) zeros, a hole where it can. */
  zero(position: number, length: number, signal: AbortSignal): Promise<void>;
  /** Ends the target after `length` bytes: a file gets that length, a stream its end; with `flush` all of it is durable. */
  finish(length: number, flush: boolean, signal: AbortSignal): Promise<void>;
  /** Fills `memory` with what was written at `position`. -> bytes. Not of a stream. */
  read?(memory: Buffer, position: number, signal: AbortSignal): Promise<number>;
  /** As of a source. */
  stretches?(position: number, length: number, signal: AbortSignal): AsyncIterator<Stretch>;
  /** Lets go of what was opened; `failure` is what ended the copy early. */
  close(failure?: { readonly reason: unknown }): Promise<void>;
}
