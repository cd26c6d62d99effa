// LatencyHistogram: how often which time came, in buckets that grow with the time, 128 to each power of two; the buckets are those of
// core/base/histogram.h, so that what native code counts can be looked at here.

import { integer } from '../arguments/validate.js';
import { invalidArgType, invalidThis, outOfRange } from '../errors.js';

const SUB_BITS = 7;
const SUB = 2 ** SUB_BITS;
const MOST_BITS = 44;
/** Buckets of a histogram. */
export const BUCKETS = (MOST_BITS - SUB_BITS - 1) * SUB + 2 * SUB;
const MOST = 2 ** MOST_BITS - 1;

function bucketOf(value: number): number {
  const kept = Math.min(Math.max(0, Math.trunc(value)), MOST);
  const width = kept < 2 ** 32 ? 32 - Math.clz32(kept) : 64 - Math.clz32(kept / 2 ** 32);
  const shift = Math.max(0, width - (SUB_BITS + 1));
  return shift * SUB + Math.floor(kept / 2 ** shift);
}

/** The least value of a bucket. */
function leastOf(bucket: number): number {
  const shift = Math.floor(bucket / SUB);
  return shift < 2 ? bucket : (bucket - (shift - 1) * SUB) * 2 ** (shift - 1);
}

/** Takes over what native code has counted. */
export let histogramOf: (buckets: Float64Array, sum: number, min: number, max: number) => LatencyHistogram;

/**
 * Counts times in nanoseconds, each to less than 1 %, up to 4.9 hours, in fixed memory.
 *
 * @example
 * const histogram = new LatencyHistogram();
 * histogram.record(1200); // ns
 * console.log(histogram.percentile(99));
 */
export class LatencyHistogram {
  readonly #buckets = new Float64Array(BUCKETS);
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = 0;

  static {
    histogramOf = (buckets, sum, min, max) => {
      const histogram = new LatencyHistogram();
      histogram.#buckets.set(buckets);
      histogram.#count = buckets.reduce((total, each) => total + each, 0);
      histogram.#sum = sum;
      if (histogram.#count > 0) [histogram.#min, histogram.#max] = [min, max];
      return histogram;
    };
  }

  /**
   * Counts one time.
   *
   * @param ns nanoseconds, 0 or more
   *
   * @example
   * histogram.record(1200); // ns
   */
  record(ns: number): void {
    const own = LatencyHistogram.#of(this);
    if (typeof ns !== 'number') throw invalidArgType('ns', 'of type number', ns);
    if (!(ns >= 0 && ns < Infinity)) throw outOfRange('ns', '>= 0', ns);
    const bucket = bucketOf(ns);
    own.#buckets[bucket] = (own.#buckets[bucket] ?? 0) + 1;
    own.#count += 1;
    own.#sum += ns;
    own.#min = Math.min(own.#min, ns);
    own.#max = Math.max(own.#max, ns);
  }

  /** Counts the times. */
  get count(): number {
    return LatencyHistogram.#of(this).#count;
  }

  /** Adds up the times, in ns. */
  get sum(): number {
    return LatencyHistogram.#of(this).#sum;
  }

  /** Gives the least time, in ns; 0 of none. */
  get min(): number {
    const own = LatencyHistogram.#of(this);
    return own.#count === 0 ? 0 : own.#min;
  }

  /** Gives the longest time, in ns; 0 of none. */
  get max(): number {
    return LatencyHistogram.#of(this).#max;
  }

  /** Gives the mean, in ns; 0 of none. */
  get mean(): number {
    const own = LatencyHistogram.#of(this);
    return own.#count === 0 ? 0 : own.#sum / own.#count;
  }

  /**
   * Gives the time that so many of them did not exceed.
   *
   * @param percent 0 to 100
   * @returns ns, to less than 1 %; 0 of none
   *
   * @example
   * console.log(histogram.percentile(99.9)); // ns
   */
  percentile(percent: number): number {
    const own = LatencyHistogram.#of(this);
    if (typeof percent !== 'number') throw invalidArgType('percent', 'of type number', percent);
    if (!(percent >= 0 && percent <= 100)) throw outOfRange('percent', '>= 0 && <= 100', percent);
    const rank = Math.max(1, Math.ceil((percent / 100) * own.#count));
    if (rank >= own.#count) return own.#max;
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      seen += own.#buckets[bucket] ?? 0;
      if (seen < rank) continue;
      const middle = Math.floor((leastOf(bucket) + leastOf(bucket + 1) - 1) / 2);
      return Math.min(Math.max(middle, own.#min), own.#max);
    }
    return own.#max;
  }

  /**
   * Counts the times that were at most so long, to the bucket.
   *
   * @param ns nanoseconds
   *
   * @example
   * console.log(histogram.countUpTo(1_000_000)); // requests of at most a millisecond
   */
  countUpTo(ns: number): number {
    const own = LatencyHistogram.#of(this);
    const last = bucketOf(integer(ns, 'ns', 0, Number.MAX_SAFE_INTEGER));
    let count = 0;
    for (let bucket = 0; bucket <= last; bucket += 1) count += own.#buckets[bucket] ?? 0;
    return count;
  }

  static #of(value: unknown): LatencyHistogram {
    if (typeof value !== 'object' || value === null || !(#count in value)) throw invalidThis('LatencyHistogram');
    return value;
  }
}
