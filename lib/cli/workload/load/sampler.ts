// Looks at the shared counts of running threads: every now and then for the progress line, every half second for the samples.
import type { Sample } from '../result/outcome.js';
import { LIVE } from './tally.js';

const SAMPLE_MS = 500;

export interface Snapshot {
  ios: number;
  bytes: number;
}

export interface ThreadSamples {
  read: Sample[];
  write: Sample[];
}

export class Sampler {
  readonly #samples: ThreadSamples[];
  #last: Float64Array[];
  #lastTime = performance.now();

  constructor(private readonly live: readonly Float64Array[]) {
    this.#samples = live.map(() => ({ read: [], write: [] }));
    this.#last = live.map((counts) => counts.slice());
  }

  /** All threads together. Takes a sample when half a second has passed. */
  look(): Snapshot {
    const now = performance.now();
    if (now - this.#lastTime >= SAMPLE_MS) this.#take(now);
    const total = (...places: number[]): number =>
      this.live.reduce((sum, counts) => sum + places.reduce((part, place) => part + (counts[place] ?? 0), 0), 0);
    return { ios: total(LIVE.readIos, LIVE.writeIos), bytes: total(LIVE.readBytes, LIVE.writeBytes) };
  }

  /** The samples of each thread. */
  get samples(): readonly ThreadSamples[] {
    return this.#samples;
  }

  #take(now: number): void {
    const seconds = (now - this.#lastTime) / 1000;
    this.#lastTime = now;
    const current = this.live.map((counts) => counts.slice());
    for (const [thread, counts] of current.entries()) {
      const before = this.#last[thread];
      const grown = (place: number): number => (counts[place] ?? 0) - (before?.[place] ?? 0);
      this.#samples[thread]?.read.push({ ios: grown(LIVE.readIos), bytes: grown(LIVE.readBytes), seconds });
      this.#samples[thread]?.write.push({ ios: grown(LIVE.writeIos), bytes: grown(LIVE.writeBytes), seconds });
    }
    this.#last = current;
  }
}
