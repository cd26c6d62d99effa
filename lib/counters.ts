// Counters of a driver as an object. Native counts, and names what it hands over.
import { binding } from './native/binding.js';

/** Counts the events of one driver since it was made or reset; exact when no request is in flight. */
export interface Counters {
  /** Bufs that passed faults and bounds, whatever the host then answered. */
  ioTotal: number;
  /** Those of them that were deferred. */
  ioAsync: number;
  /** Bytes read. */
  bytesRead: number;
  /** Bytes written. */
  bytesWritten: number;
  /** Bytes written by deferred bufs. */
  bytesWrittenAsync: number;
  /** Pieces of requests that a mapped window served. */
  windowHits: number;
  /** Waits for a window while all were in use. */
  windowBusy: number;
  /** Mappings that requests made; those made at open are not counted. */
  windowMisses: number;
  /** Bufs that the fault injector failed. */
  faultsInjected: number;
  /** Syncs that reached the host: of flush and close, and of durable writes, whether in a call of its own or in the write's. */
  flushes: number;
  /** Discards that passed faults and bounds. */
  discards: number;
  /** Bytes that these were about, where the medium can: also those of parts of granules, which stay as they are. */
  bytesDiscarded: number;
  /** Discards of media that cannot. */
  discardsIgnored: number;
  /** Writes of zeros that passed faults and bounds. */
  zeroes: number;
  /** Bytes that they made zeros. */
  bytesZeroed: number;
  /** Extents that media listed, before neighbours are put together. */
  extentsListed: number;
}

/** Names the numbers of `NativeDriver.counters()`. */
export function toCounters(values: Float64Array): Counters {
  return Object.fromEntries(binding.layout.counters.map((name, index) => [name, values[index] ?? 0])) as unknown as Counters;
}
