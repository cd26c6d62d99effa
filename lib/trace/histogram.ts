// LatencyHistogram: how often which time came, in buckets that grow with the time, 128 to each power of two; the buckets are those of
// core/base/histogram.h, so that what native code counts can be looked at here.

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

/** Counts times in nanoseconds, each to less than 1 %, up to 4.9 hours, in fixed memory. */
export class LatencyHistogram {
  readonly #buckets: Float64Array;
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = 0;

  /** Makes an empty one. */
  constructor() {
    this.#buckets = new Float64Array(BUCKETS);
  }

  /** Takes over what native code has counted. */
  static of(buckets: Float64Array, sum: number, min: number, max: number): LatencyHistogram {
    const histogram = new LatencyHistogram();
    histogram.#buckets.set(buckets);
    histogram.#count = buckets.reduce((total, each) => total + each, 0);
    histogram.#sum = sum;
    if (histogram.#count > 0) [histogram.#min, histogram.#max] = [min, max];
    return histogram;
  }

  /** Counts one time, in ns. */
  record(ns: number): void {
    const bucket = bucketOf(ns);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#sum += ns;
    this.#min = Math.min(this.#min, ns);
    this.#max = Math.max(this.#max, ns);
  }

  /** Times counted. */
  get count(): number {
    return this.#count;
  }

  /** Of all of them together, ns. */
  get sum(): number {
    return this.#sum;
  }

  /** The least, ns; 0 of none. */
  get min(): number {
    return this.#count === 0 ? 0 : this.#min;
  }

  /** The most, ns; 0 of none. */
  get max(): number {
    return this.#max;
  }

  /** ns; 0 of none. */
  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  /** The time, in ns, that `percent` of them did not exceed; 0 of none. */
  percentile(percent: number): number {
    const rank = Math.max(1, Math.ceil((percent / 100) * this.#count));
    if (rank >= this.#count) return this.max;
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      seen += this.#buckets[bucket] ?? 0;
      if (seen < rank) continue;
      const middle = Math.floor((leastOf(bucket) + leastOf(bucket + 1) - 1) / 2);
      return Math.min(Math.max(middle, this.min), this.max);
    }
    return this.max;
  }

  /** How many were at most so long, ns, to the bucket. */
  countUpTo(ns: number): number {
    const last = bucketOf(ns);
    let count = 0;
    for (let bucket = 0; bucket <= last; bucket += 1) count += this.#buckets[bucket] ?? 0;
    return count;
  }
}
