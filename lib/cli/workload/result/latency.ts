// Latencies of one kind of request: an HDR histogram, with least, most, mean and deviation kept exactly.
import { decodeHistogram, Float64Histogram } from '../../bundled/hdr-histogram.js';

const MOST = 3.6e12; // an hour; what takes longer counts as an hour
const DIGITS = 3;
const FAST = 1 << 16; // below 65 µs a sample only counts up; the histogram takes them all at once

/** What goes from a worker thread to the main thread, and from there into reports. */
export interface LatencyData {
  count: number;
  min: number;
  max: number;
  sum: number;
  squares: number;
  /** The histogram in HdrHistogram's compressed form, base64. */
  hdr: string;
}

/** All in nanoseconds. */
export class Latency {
  readonly #histogram = new Float64Histogram(1, MOST, DIGITS);
  /** Made by the first sample: the main thread only adds up what others have recorded. */
  #fast: Uint32Array | undefined;
  #count = 0;
  #min = Infinity;
  #max = 0;
  #sum = 0;
  #squares = 0;

  static from(data: LatencyData): Latency {
    const latency = new Latency();
    latency.add(data);
    return latency;
  }

  record(nanoseconds: number, times = 1): void {
    const value = nanoseconds < 1 ? 1 : nanoseconds > MOST ? MOST : Math.round(nanoseconds);
    if (value < FAST && times === 1) {
      this.#fast ??= new Uint32Array(FAST);
      this.#fast[value] = (this.#fast[value] ?? 0) + 1;
    } else {
      this.#histogram.recordValueWithCount(value, times);
    }
    this.#count += times;
    this.#sum += value * times;
    this.#squares += value * value * times;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  add(data: LatencyData): void {
    if (data.count === 0) return;
    this.#histogram.add(decodeHistogram(data.hdr));
    this.#addFigures(data);
  }

  /** Adds what another one has. */
  merge(other: Latency): void {
    if (other.#count === 0) return;
    this.#histogram.add(other.#settled());
    this.#addFigures({ count: other.#count, min: other.#min, max: other.#max, sum: other.#sum, squares: other.#squares });
  }

  #addFigures({ count, min, max, sum, squares }: Omit<LatencyData, 'hdr'>): void {
    this.#count += count;
    this.#sum += sum;
    this.#squares += squares;
    this.#min = Math.min(this.#min, min);
    this.#max = Math.max(this.#max, max);
  }

  toData(): LatencyData {
    const hdr = this.#count === 0 ? '' : this.#settled().encodeIntoCompressedBase64();
    return { count: this.#count, min: this.#count === 0 ? 0 : this.#min, max: this.#max, sum: this.#sum, squares: this.#squares, hdr };
  }

  get count(): number {
    return this.#count;
  }

  get min(): number {
    return this.#count === 0 ? 0 : this.#min;
  }

  get max(): number {
    return this.#max;
  }

  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  get deviation(): number {
    return this.#count === 0 ? 0 : Math.sqrt(Math.max(0, this.#squares / this.#count - this.mean ** 2));
  }

  /** The value that `percent` of the requests did not exceed, to three digits; never above `max`. */
  percentile(percent: number): number {
    return this.#count === 0 ? 0 : Math.min(this.#max, this.#settled().getValueAtPercentile(percent));
  }

  /** How many requests took at most `limits[0]`, how many more at most `limits[1]`, and so on; the last number is the rest. */
  distribution(limits: readonly number[]): number[] {
    const counts = new Array<number>(limits.length + 1).fill(0);
    if (this.#count === 0) return counts;
    const iterator = this.#settled().recordedValuesIterator;
    iterator.reset();
    let slot = 0;
    while (iterator.hasNext()) {
      const { valueIteratedTo, countAddedInThisIterationStep } = iterator.next();
      while (slot < limits.length && valueIteratedTo > (limits[slot] ?? 0)) slot += 1;
      counts[slot] = (counts[slot] ?? 0) + countAddedInThisIterationStep;
    }
    return counts;
  }

  #settled(): Float64Histogram {
    const fast = this.#fast;
    if (fast === undefined) return this.#histogram;
    this.#fast = undefined;
    for (let value = 0; value < FAST; value += 1) {
      const times = fast[value] ?? 0;
      if (times > 0) this.#histogram.recordValueWithCount(value, times);
    }
    return this.#histogram;
  }
}
