// What the requests of a device came to, by operation: numbers of a moment, from histograms that native code fills.
import { flag, requireOptions } from '../arguments/validate.js';
import { keysOf } from '../arguments/known-keys.js';
import { fromFailure, isFailure } from '../errors.js';
import type { DeviceHandle } from '../request/handle.js';
import type { Bytes } from '../request/transfer.js';
import { BUCKETS, histogramOf, type LatencyHistogram } from './histogram.js';
import type { TraceOp } from './event.js';

/** Times of the requests of one operation, in nanoseconds from the call to its completion, queue included; 0 of none. */
export interface OperationStats {
  /** Requests that completed, those that failed included. */
  count: number;
  /** Of them, those that failed. */
  errors: number;
  /** Bytes that moved. */
  bytes: Bytes;
  /** The shortest, in ns. */
  min: number;
  /** The longest, in ns. */
  max: number;
  /** In ns. */
  mean: number;
  /** The time that half of them did not exceed, in ns. Percentiles are right to less than 1 %. */
  p50: number;
  /** The time that 90 % did not exceed, in ns. */
  p90: number;
  /** The time that 99 % did not exceed, in ns. */
  p99: number;
  /** The time that 99.9 % did not exceed, in ns. */
  p99_9: number;
  /** The time that 99.99 % did not exceed, in ns. */
  p99_99: number;
  /** All of it, for other percentiles. */
  histogram: LatencyHistogram;
}

/** Statistics of a device by operation, as `BlockDevice.stats()` returns them. */
export type DeviceStats = Record<TraceOp, OperationStats>;

/** Options of `BlockDevice.stats()`. */
export interface StatsOptions {
  /** Begins anew behind this answer; default false. */
  reset?: boolean;
}

const STATS_KEYS = keysOf<StatsOptions>({ reset: true });
/** In the order of native code. */
const OPS: readonly TraceOp[] = ['read', 'write', 'flush', 'discard', 'zeroes'];
/** Numbers of an operation before its buckets: errors, bytes, sum, least, most. */
const OWN = 5;

/** Gives the numbers of a histogram. */
export function operationStats(histogram: LatencyHistogram, errors: number, bytes: Bytes): OperationStats {
  const { count, min, max, mean } = histogram;
  const [p50, p90, p99, p99_9, p99_99] = [50, 90, 99, 99.9, 99.99].map((percent) => histogram.percentile(percent)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { count, errors, bytes, min, max, mean, p50, p90, p99, p99_9, p99_99, histogram };
}

/** Asks the device behind `handle`; the first time it begins to measure. */
export function statsOf(handle: DeviceHandle, options: StatsOptions | undefined): DeviceStats {
  if (options !== undefined) requireOptions(options, 'options', STATS_KEYS);
  const reset = flag(options?.reset, 'options.reset', false);
  const rows = new Float64Array(OPS.length * (OWN + BUCKETS));
  const answer = handle.native.latencies(rows, reset);
  if (isFailure(answer)) throw fromFailure(answer, handle);
  const stats = OPS.map((op, i): [TraceOp, OperationStats] => {
    const row = rows.subarray(i * (OWN + BUCKETS), (i + 1) * (OWN + BUCKETS));
    const [errors, bytes, sum, least, most] = row as unknown as [number, number, number, number, number];
    return [op, operationStats(histogramOf(row.subarray(OWN), sum, least, most), errors, bytes)];
  });
  return Object.fromEntries(stats) as DeviceStats;
}
